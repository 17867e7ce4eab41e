/**
 * Embeds a PNG in a PDF without decoding it: PDF's `FlateDecode` with PNG predictors (ISO 32000-1, 7.4.4.4) reads
 * the compressed rows of a PNG as they are.
 */
interface PdfImage {
  /** The image's dictionary without its length. */
  dictionary: string;
  data: Uint8Array[];
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Components by PNG colour type: greyscale, RGB, palette. Types with transparency would need a second stream. */
const COLORS: Record<number, number> = { 0: 1, 2: 3, 3: 1 };

/** @returns `null` if the bytes are not a PNG, or if it has transparency or interlacing */
export function pngImage(png: Uint8Array): PdfImage | null {
  if (SIGNATURE.some((byte, i) => png[i] !== byte)) return null;
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  let header: Uint8Array | null = null;
  let palette: Uint8Array | null = null;
  const data: Uint8Array[] = [];
  for (let at = 8; at + 12 <= png.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...png.subarray(at + 4, at + 8));
    const chunk = png.subarray(at + 8, at + 8 + length);
    if (chunk.length < length) return null;
    if (type === "IHDR") header = chunk;
    if (type === "PLTE") palette = chunk;
    if (type === "IDAT") data.push(chunk);
    at += 12 + length;
  }
  if (!header || header.length < 13 || data.length === 0) return null;
  const size = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const [width, height] = [size.getUint32(0), size.getUint32(4)];
  const [depth, type, interlace] = [header[8], header[9], header[12]] as [number, number, number];
  const colors = COLORS[type];
  if (colors === undefined || interlace !== 0 || (type === 3 && !palette)) return null;
  const space =
    type === 3 && palette
      ? `[/Indexed /DeviceRGB ${palette.length / 3 - 1} <${hexOf(palette)}>]`
      : colors === 3
        ? "/DeviceRGB"
        : "/DeviceGray";
  return {
    dictionary:
      `/Type /XObject /Subtype /Image /Width ${width} /Height ${height} /ColorSpace ${space} /BitsPerComponent ${depth} ` +
      `/Filter /FlateDecode /DecodeParms << /Predictor 15 /Colors ${colors} /BitsPerComponent ${depth} /Columns ${width} >>`,
    data,
  };
}

const hexOf = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
