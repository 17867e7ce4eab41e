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
  | "image/gif"
  | "image/bmp"
  | "image/heic"
  | "image/avif"
  | TextType
  | ConvertedType
  | typeof CONVERSATION
  | typeof BATCH_INPUT;

/** The types as sentences of problems list them. */
export const READABLE =
  "PDF, PNG, JPEG, WebP, TIFF, GIF, BMP, HEIC, AVIF, DOCX, PPTX, XLSX, EPUB, HTML, and text that is sent as text/markdown, text/plain or text/csv";

export const TEXT_TYPES = ["text/markdown", "text/plain"] as const;
type TextType = (typeof TEXT_TYPES)[number];

/** A ZIP container whose kind the worker finds out, because the first bytes do not tell. */
export const CONTAINER = "application/zip";
/** Documents that the worker converts to texts. */
export const CONVERTED_TYPES = [
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  "application/epub+zip",
  "text/html",
  "text/csv",
] as const;
type ConvertedType = (typeof CONVERTED_TYPES)[number] | typeof CONTAINER;

/**
 * Messages of a context (`domain/memory/conversation.ts`). Only the edge makes such documents: `mediaTypeOf` never
 * answers this type, so nobody can send one.
 */
export const CONVERSATION = "application/vnd.fovea.conversation+json";

/** Requests of a batch, one on each line (`domain/mistral/batch.ts`). Such a file is stored, but is no document. */
export const BATCH_INPUT = "application/jsonl";

export const isDocument = (type: MediaType): boolean => type !== BATCH_INPUT;

/** What begins like JSON lines: with an object, after white space and a byte order mark. */
export const isJsonLines = (head: Uint8Array): boolean =>
  /^(?:\xef\xbb\xbf)?\s*\{/.test(ascii(head, 0, SNIFF_BYTES));

/** Whether the worker lays the document out, so that its number of pages depends on the mode. */
export const isText = (type: MediaType): boolean =>
  type === CONTAINER ||
  type === CONVERSATION ||
  [...TEXT_TYPES, ...CONVERTED_TYPES].some((text) => text === type);

/** What was there before 2007, and the container of encrypted documents: neither is read. */
export const isOldOffice = (head: Uint8Array): boolean =>
  starts(head, 0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1);

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
  if (["GIF87a", "GIF89a"].includes(ascii(head, 0, 6))) return "image/gif";
  if (isBitmap(head)) return "image/bmp";
  if (ascii(head, 0, 4) === "PK\x03\x04")
    return ascii(head, 30, 58) === "mimetypeapplication/epub+zip"
      ? "application/epub+zip"
      : CONTAINER;
  const isobmff = ofBrands(head);
  if (isobmff) return isobmff;
  // PDF readers accept a header anywhere in the first 1,024 bytes (ISO 32000-1, annex H.3.4.1).
  if (ascii(head, 0, SNIFF_BYTES).includes("%PDF-")) return "application/pdf";
  if (HTML.test(ascii(head, 0, SNIFF_BYTES))) return "text/html";
  return null;
}

/** A page begins with its document type or its root, after white space, a byte order mark and comments. */
const HTML =
  /^(?:\xef\xbb\xbf)?(?:\s|<!--[\s\S]{0,512}?-->|<\?xml[^>]{0,128}\?>)*<(?:!doctype\s+html|html)[\s>]/i;

/** "BM", which texts may begin with, two reserved numbers, which are 0, and the size of a known header. */
function isBitmap(head: Uint8Array): boolean {
  if (ascii(head, 0, 2) !== "BM" || head.length < 18) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  return (
    view.getUint32(6) === 0 && [12, 40, 52, 56, 64, 108, 124].includes(view.getUint32(14, true))
  );
}

const HEIC_BRANDS = ["heic", "heix", "heim", "heis", "hevc", "hevx"];
const AVIF_BRANDS = ["avif", "avis"];

/** The type that the brands of an ISO base media file name (ISO/IEC 14496-12, section 4.3). */
function ofBrands(head: Uint8Array): MediaType | null {
  if (ascii(head, 4, 8) !== "ftyp") return null;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const end = Math.min(view.getUint32(0), head.length);
  const brands = [ascii(head, 8, 12)];
  for (let at = 16; at + 4 <= end; at += 4) brands.push(ascii(head, at, at + 4));
  for (const brand of brands) {
    if (HEIC_BRANDS.includes(brand)) return "image/heic";
    if (AVIF_BRANDS.includes(brand)) return "image/avif";
  }
  return null;
}

/** @param declared the declared Content-Type */
export function mediaTypeOf(head: Uint8Array, declared: string | null): MediaType | null {
  const sniffed = sniffMediaType(head);
  const essence = declared?.split(";")[0]?.trim().toLowerCase() ?? "";
  const text = DECLARED[essence];
  if (!text) return sniffed;
  // A text may contain "%PDF-" further on, or begin like a page. What begins with "%PDF-" is a PDF, whatever is declared.
  const speaksOfPdf = sniffed === "application/pdf" && ascii(head, 0, 5) !== "%PDF-";
  return sniffed === null || sniffed === "text/html" || speaksOfPdf ? text : sniffed;
}

/** Types without a signature, as they are declared. */
const DECLARED: Record<string, MediaType> = {
  "text/markdown": "text/markdown",
  "text/plain": "text/plain",
  "text/csv": "text/csv",
  "text/html": "text/html",
  "application/xhtml+xml": "text/html",
};

const BY_ENDING: Record<string, MediaType> = {
  md: "text/markdown",
  markdown: "text/markdown",
  txt: "text/plain",
  csv: "text/csv",
  htm: "text/html",
  html: "text/html",
};

/** The type that a name declares, for texts whose type is not declared otherwise. */
export const typeByName = (name: string): MediaType | null =>
  BY_ENDING[name.split(".").at(-1)?.toLowerCase() ?? ""] ?? null;

/** Whether a declared type says nothing about a text. */
export const isGeneric = (declared: string | null): boolean =>
  /^\s*(?:$|(?:application|binary)\/octet-stream\b)/i.test(declared ?? "");
