/**
 * Detects the type of a document from its first bytes, because names and `Content-Type` are unreliable. Texts
 * have no signature, so for them the declared type counts.
 */
export type MediaType =
  | "application/pdf"
  | "image/png"
  | "image/jpeg"
  | "image/webp"
  | "image/tiff"
  | TextType;

export const TEXT_TYPES = ["text/markdown", "text/plain"] as const;
type TextType = (typeof TEXT_TYPES)[number];

/** The worker lays texts out, so their number of pages depends on the mode. */
export const isText = (type: MediaType): type is TextType =>
  TEXT_TYPES.some((text) => text === type);

/** Number of bytes that `sniffMediaType` examines. */
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

/** @param announced the declared Content-Type */
export function mediaTypeOf(head: Uint8Array, announced: string | null): MediaType | null {
  const sniffed = sniffMediaType(head);
  const essence = announced?.split(";")[0]?.trim().toLowerCase() as MediaType | undefined;
  if (!essence || !isText(essence)) return sniffed;
  // A text may contain "%PDF-" further on. A file that begins with it is a PDF even if it is declared as text.
  const speaksOfPdf = sniffed === "application/pdf" && ascii(head, 0, 5) !== "%PDF-";
  return sniffed === null || speaksOfPdf ? essence : sniffed;
}
