/**
 * A ZIP archive (PKWARE APPNOTE 6.3) written as a stream: sizes and checksums follow the data. Readers
 * accept that of deflated entries only, so the data is in deflate's uncompressed blocks (RFC 1951, 3.2.4).
 */
const FLAGS = 0x0808; // sizes behind the data, names in UTF-8
const DEFLATE = 8;
const VERSION = 20;
const DATE = 0x21; // 1 January 1980: the same content is the same archive
const MAX_BLOCK = 0xffff;

interface Entry {
  name: Uint8Array;
  offset: number;
  crc: number;
  packed: number;
  size: number;
}

export class Zip {
  readonly #entries: Entry[] = [];
  #offset = 0;

  /** Begins an entry. Each method returns the bytes to be written next. */
  begin(name: string): Uint8Array {
    const entry = {
      name: new TextEncoder().encode(name),
      offset: this.#offset,
      crc: 0xffffffff,
      packed: 0,
      size: 0,
    };
    this.#entries.push(entry);
    const header = fields([4, 0x04034b50], ...common({ ...entry, crc: 0 }), [2, 0]);
    return this.#out(header, entry.name);
  }

  write(text: string): Uint8Array {
    const entry = this.#entries.at(-1) as Entry;
    const bytes = new TextEncoder().encode(text);
    entry.crc = crc32(entry.crc, bytes);
    entry.size += bytes.length;
    const blocks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += MAX_BLOCK) {
      const block = bytes.subarray(at, at + MAX_BLOCK);
      blocks.push(blockHeader(0, block.length), block);
    }
    const packed = join(blocks);
    entry.packed += packed.length;
    return this.#out(packed);
  }

  end(): Uint8Array {
    const entry = this.#entries.at(-1) as Entry;
    const last = blockHeader(1, 0);
    entry.packed += last.length;
    entry.crc = ~entry.crc >>> 0;
    const descriptor = [4, entry.crc, 4, entry.packed, 4, entry.size];
    return this.#out(last, fields([4, 0x08074b50], ...pairs(descriptor)));
  }

  whole(name: string, text: string): Uint8Array {
    return join([this.begin(name), this.write(text), this.end()]);
  }

  directory(): Uint8Array {
    const start = this.#offset;
    const records = this.#entries.map((entry) =>
      join([
        fields(
          [4, 0x02014b50],
          [2, VERSION],
          ...common(entry),
          ...pairs([2, 0, 2, 0, 2, 0, 2, 0, 4, 0, 4, entry.offset]),
        ),
        entry.name,
      ]),
    );
    const directory = join(records);
    const count = this.#entries.length;
    const end = [
      4,
      0x06054b50,
      2,
      0,
      2,
      0,
      2,
      count,
      2,
      count,
      4,
      directory.length,
      4,
      start,
      2,
      0,
    ];
    return this.#out(directory, fields(...pairs(end)));
  }

  #out(...parts: Uint8Array[]): Uint8Array {
    const bytes = join(parts);
    this.#offset += bytes.length;
    return bytes;
  }
}

/** What a local header and a record of the directory share, up to the length of the name. */
const common = ({ name, crc, packed, size }: Entry) =>
  pairs([
    2,
    VERSION,
    2,
    FLAGS,
    2,
    DEFLATE,
    2,
    0,
    2,
    DATE,
    4,
    crc,
    4,
    packed,
    4,
    size,
    2,
    name.length,
  ]);

/** Width and value in turn. */
const pairs = (flat: number[]) =>
  Array.from(
    { length: flat.length / 2 },
    (_, i) => [flat[2 * i] as number, flat[2 * i + 1] as number] as const,
  );

/** Little-endian numbers of 2 or 4 bytes. */
function fields(...list: (readonly [number, number])[]): Uint8Array {
  const bytes = new Uint8Array(list.reduce((sum, [width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [width, value] of list) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return bytes;
}

const blockHeader = (final: 0 | 1, length: number) =>
  join([Uint8Array.of(final), fields([2, length], [2, ~length & 0xffff])]);

function join(parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** Without the inversions at both ends. */
function crc32(crc: number, bytes: Uint8Array): number {
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return crc;
}
