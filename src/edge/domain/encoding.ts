export function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @returns the SHA-256 of a text, as hex digits */
export const sha256 = async (text: string): Promise<string> =>
  hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));

/** @returns `null` if the text is not base64url */
export function fromBase64url(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

export function base64(bytes: ArrayBuffer): string {
  const all = new Uint8Array(bytes);
  const AT_ONCE = 0x8000;
  let binary = "";
  for (let i = 0; i < all.length; i += AT_ONCE)
    binary += String.fromCharCode(...all.subarray(i, i + AT_ONCE));
  return btoa(binary);
}

export function base64url(bytes: ArrayBuffer): string {
  return base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
