/**
 * A TrueType font whose glyphs have a width but no visible outline: its text can be searched and copied but is not
 * seen. It has only the tables that PDF requires of an embedded CID font (ISO 32000-1, 9.9). There is no
 * `cmap`, because the PDF maps the codes.
 */

type Field = readonly [bits: 16 | 32, value: number];
const u16 = (...values: number[]): Field[] => values.map((value) => [16, value]);
const u32 = (...values: number[]): Field[] => values.map((value) => [32, value]);

const VERSION = 0x00010000;
export const ASCENT = 800;
export const DESCENT = -200;
/** Glyph 0 is not used: it is for missing characters, and viewers may draw it. */
export const NARROW = { glyph: 1, width: 500 };
export const WIDE = { glyph: 2, width: 1000 };

/** A contour from corner to corner and back. Viewers use its bounds for the highlight of a selected character. */
const diagonal = (width: number): Field[] => [
  ...u16(1), // one contour
  ...u16(0, DESCENT, width, ASCENT), // bounds
  ...u16(1, 0), // last point; no instructions
  ...u16(0x0101), // flags: both points are on the curve
  ...u16(0, width), // steps across
  ...u16(DESCENT, ASCENT - DESCENT), // steps up
];
const GLYPH_BYTES = 24;

const TABLES: [tag: string, fields: Field[]][] = [
  ["glyf", [...diagonal(NARROW.width), ...diagonal(WIDE.width)]],
  [
    "head",
    [
      ...u32(VERSION, VERSION, 0, 0x5f0f3cf5),
      ...u16(0, 1000),
      ...u32(0, 0, 0, 0),
      ...u16(0, DESCENT, WIDE.width, ASCENT),
      // Style, smallest size, direction, short offsets in `loca`, glyph format.
      ...u16(0, 8, 2, 0, 0),
    ],
  ],
  [
    "hhea",
    [
      ...u32(VERSION),
      ...u16(ASCENT, DESCENT, 0, WIDE.width, 0, 0, WIDE.width, 1, 0, 0, 0, 0, 0, 0, 0, 3),
    ],
  ],
  ["hmtx", u16(NARROW.width, 0, NARROW.width, 0, WIDE.width, 0)],
  // Offsets of the glyphs, divided by two. The first glyph is empty.
  ["loca", u16(0, 0, GLYPH_BYTES / 2, GLYPH_BYTES)],
  ["maxp", [...u32(VERSION), ...u16(3, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)]],
];

export function glyphlessFont(): Uint8Array {
  const tables = TABLES.map(([tag, fields]) => ({ tag, bytes: bigEndian(fields) }));
  const count = tables.length;
  // The directory requires the largest power of two that is not above the count.
  const power = Math.floor(Math.log2(count));
  const range = 16 * 2 ** power;
  const directory = [...u32(VERSION), ...u16(count, range, power, 16 * count - range)];
  let at = 12 + 16 * count;
  let head = 0;
  const body: Uint8Array[] = [];
  for (const { tag, bytes } of tables) {
    const name = bigEndianNumber(new TextEncoder().encode(tag));
    if (tag === "head") head = at;
    directory.push(...u32(name, checksum(bytes), at, bytes.length));
    const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    padded.set(bytes);
    body.push(padded);
    at += padded.length;
  }
  const font = new Uint8Array(at);
  let end = 0;
  for (const part of [bigEndian(directory), ...body]) {
    font.set(part, end);
    end += part.length;
  }
  new DataView(font.buffer).setUint32(head + 8, 0xb1b0afba - checksum(font));
  return font;
}

function bigEndian(fields: Field[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, [bits]) => sum + bits / 8, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [bits, value] of fields) {
    if (bits === 16) view.setUint16(at, value);
    else view.setUint32(at, value);
    at += bits / 8;
  }
  return bytes;
}

const bigEndianNumber = (bytes: Uint8Array) =>
  bytes.reduce((number, byte) => number * 256 + byte, 0);

/** The sum of big-endian 32-bit words. */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 4)
    sum =
      (sum + bigEndianNumber(Uint8Array.from({ length: 4 }, (_, i) => bytes[at + i] ?? 0))) >>> 0;
  return sum;
}
