/** The type of a document by its first bytes. Names and announced types are not looked at: they may be anything. */
export type MediaType =
  | "application/pdf"
  | "image/png"
  | "image/jpeg"
  | "image/webp"
  | "image/tiff";

/** How many bytes `sniffMediaType` looks at. */
export const SNIFF_BYTES = 1024;

const starts = (bytes: Uint8Array, ...prefix: number[]) =>
  prefix.every((value, i) => bytes[i] === value);

const ascii = (bytes: Uint8Array, from: number, to: number) =>
  String.fromCharCode(...bytes.subarray(from, to));

export function sniffMediaType(head: Uint8Array): MediaType | null {
  if (starts(head, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return "image/png";
  if (starts(head, 0xff, 0xd8, 0xff)) return "image/jpeg";
  if (ascii(head, 0, 4) === "RIFF" && ascii(head, 8, 12) === "WEBP") return "image/webp";
  if (starts(head, 0x49, 0x49, 0x2a, 0) || starts(head, 0x4d, 0x4d, 0, 0x2a)) return "image/tiff";
  // Readers accept a PDF whose header stands anywhere in the first 1,024 bytes (ISO 32000-1, annex H.3.4.1).
  if (ascii(head, 0, SNIFF_BYTES).includes("%PDF-")) return "application/pdf";
  return null;
}
