export function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

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
