export function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @returns the SHA-256 of a text, as hex digits */
export const sha256 = async (text: string): Promise<string> =>
  hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));

/** Characters of base64 that are decoded at once: whole groups of four. */
const GROUPS = 0x10000;

/**
 * Decodes a part after the other: a document has megabytes, and `Uint8Array.from` would make an array of its characters.
 * @returns `null` if the text is not base64. White space in it is ignored
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  const digits = /\s/.test(text) ? text.replace(/\s+/g, "") : text;
  const bytes = new Uint8Array(Math.ceil((digits.length * 3) / 4));
  let filled = 0;
  try {
    for (let i = 0; i < digits.length; i += GROUPS) {
      const binary = atob(digits.slice(i, i + GROUPS));
      for (let j = 0; j < binary.length; j++) bytes[filled++] = binary.charCodeAt(j);
    }
  } catch {
    return null;
  }
  return bytes.subarray(0, filled);
}

/** @returns `null` if the text is not base64url */
export const fromBase64url = (text: string) =>
  fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"));

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
