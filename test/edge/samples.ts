/** Sample documents and results, made without the Worker. */
import type { PageResult, StoredPageResult } from "../../src/edge/domain/pages/page-result.ts";

export const DIGEST = `sha256:${"a".repeat(64)}`;

/** Bytes that the edge accepts as a PDF, because it checks only the header. */
export const pdf = (content: string = crypto.randomUUID()) =>
  new TextEncoder().encode(`%PDF-1.7\n${content}\n%%EOF`);

/** A PNG from compressed rows, divided into chunks after `cut` bytes. Its checksums are not valid, and not checked. */
export function png(image: {
  width: number;
  height: number;
  type: number;
  data: Uint8Array;
  palette?: Uint8Array;
  interlace?: number;
  cut?: number;
}): Uint8Array {
  const { width, height, type, data, palette, interlace = 0, cut = data.length } = image;
  const number = (value: number) => [24, 16, 8, 0].map((bits) => (value >> bits) & 0xff);
  const chunk = (name: string, bytes: Uint8Array | number[]) => [
    ...number(bytes.length),
    ...new TextEncoder().encode(name),
    ...bytes,
    ...number(0),
  ];
  return Uint8Array.from([
    0x89,
    0x50,
    0x4e,
    0x47,
    0x0d,
    0x0a,
    0x1a,
    0x0a,
    ...chunk("IHDR", [...number(width), ...number(height), 8, type, 0, 0, interlace]),
    ...(palette ? chunk("PLTE", palette) : []),
    ...chunk("IDAT", data.subarray(0, cut)),
    ...chunk("IDAT", data.subarray(cut)),
    ...chunk("IEND", []),
  ]);
}

export function pageResult(page: number, changes: Partial<PageResult> = {}): PageResult {
  return {
    schema: 1,
    page,
    width: 1191,
    height: 1684,
    dpi: 144,
    model: "pp-ocr",
    model_digest: DIGEST,
    mode: "native",
    task: "markdown",
    prompt: null,
    vision_tokens: null,
    text_tokens: null,
    compression: null,
    expected_precision: null,
    blocks: [
      { id: 1, type: "title", bbox: [0, 0, 1, 0.1], text: `Page ${page}`, confidence: 0.9 },
      { id: 2, type: "text", bbox: [0, 0.1, 1, 0.2], text: "a < b & c", confidence: null },
    ],
    markdown: `# Page ${page}\n\na < b & c`,
    finish_reason: "stop",
    verdict: "ok",
    warnings: [],
    attempts: [{ mode: "native", tokens: null, finish_reason: "stop" }],
    timings_ms: { raster: 1, encode: 0, prefill: 0, decode: 2 },
    error: null,
    ...changes,
  } as PageResult;
}

export const storedResult = (
  page: number,
  changes: Partial<PageResult> = {},
): StoredPageResult => ({
  ...pageResult(page, changes),
  error: null,
  receipt: { payload: "{}", signature: "x", key_id: "k" },
});

/** A file of vision tokens from the worker, with two positions of four numbers. */
export function tokensFile(
  page: number,
  { mode = "base", digest = DIGEST, fill = 1, head = {} as object } = {},
): Uint8Array<ArrayBuffer> {
  const header = JSON.stringify({
    __metadata__: {
      format: "fovea-vision-tokens-1",
      model_digest: digest,
      mode,
      page: String(page),
      counts: JSON.stringify({ positions: 2, patches: 1, valid: 1 }),
    },
    vision_tokens: { dtype: "BF16", shape: [2, 4], data_offsets: [0, 16] },
    ...head,
  });
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + text.length + 16).fill(fill);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

interface Zlib {
  crc32(data: Uint8Array): number;
  inflateRawSync(data: Uint8Array): Uint8Array;
}

/**
 * Reads the entries of an archive through its central directory, and checks their sizes and checksums. An entry that is
 * not compressed is a picture: its string has a character for each byte.
 */
export function unzip(parts: Uint8Array[], zlib: Zlib): Record<string, string> {
  const bytes = new Uint8Array(parts.flatMap((part) => Array.from(part)));
  const view = new DataView(bytes.buffer);
  const text = (at: number, length: number) =>
    new TextDecoder().decode(bytes.subarray(at, at + length));
  const end = bytes.length - 22;
  if (view.getUint32(end, true) !== 0x06054b50) throw new Error("no end of the directory");
  const entries: Record<string, string> = {};
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < view.getUint16(end + 10, true); i++) {
    const [crc, packed, size] = [16, 20, 24].map((field) => view.getUint32(at + field, true));
    const nameLength = view.getUint16(at + 28, true);
    const local = view.getUint32(at + 42, true);
    if (view.getUint32(local, true) !== 0x04034b50) throw new Error("no entry at its offset");
    const name = text(at + 46, nameLength);
    const data = local + 30 + view.getUint16(local + 26, true);
    const found = bytes.subarray(data, data + (packed as number));
    const isStored = view.getUint16(at + 10, true) === 0;
    const content = isStored ? found : zlib.inflateRawSync(found);
    if (content.length !== size || zlib.crc32(content) !== crc)
      throw new Error(`${name} is broken`);
    entries[name] = isStored ? String.fromCharCode(...content) : new TextDecoder().decode(content);
    at += 46 + nameLength;
  }
  return entries;
}
