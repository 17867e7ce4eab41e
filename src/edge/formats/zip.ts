/**
 * Writes a ZIP archive (PKWARE APPNOTE 6.3) as a stream, with sizes and checksums after the data. Readers accept
 * this order only for deflated entries, so the data is in uncompressed deflate blocks (RFC 1951, 3.2.4).
 */
const FLAGS = 0x0808; // sizes after the data, names in UTF-8
const DEFLATE = 8;
const VERSION = 20;
const TIME = 0;
const DATE = 0x21; // 1 January 1980, so that equal contents give equal archives
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

  /** Begins an entry. Each method returns the bytes to write next. */
  begin(name: string): Uint8Array {
    const entry = {
      name: new TextEncoder().encode(name),
      offset: this.#offset,
      crc: 0xffffffff,
      packed: 0,
      size: 0,
    };
    this.#entries.push(entry);
    const header = fields(u32(0x04034b50), ...common({ ...entry, crc: 0 }), u16(0));
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
    const descriptor = fields(u32(0x08074b50), u32(entry.crc), u32(entry.packed), u32(entry.size));
    return this.#out(last, descriptor);
  }

  whole(name: string, text: string): Uint8Array {
    return join([this.begin(name), this.write(text), this.end()]);
  }

  directory(): Uint8Array {
    const start = this.#offset;
    const directory = join(this.#entries.map(directoryRecord));
    const count = this.#entries.length;
    const end = fields(
      u32(0x06054b50),
      u16(0), // number of this disk
      u16(0), // disk of the directory
      u16(count), // entries on this disk
      u16(count), // entries in total
      u32(directory.length),
      u32(start),
      u16(0), // length of the comment
    );
    return this.#out(directory, end);
  }

  #out(...parts: Uint8Array[]): Uint8Array {
    const bytes = join(parts);
    this.#offset += bytes.length;
    return bytes;
  }
}

function directoryRecord(entry: Entry): Uint8Array {
  const record = fields(
    u32(0x02014b50),
    u16(VERSION), // made by
    ...common(entry),
    u16(0), // length of the extra field
    u16(0), // length of the comment
    u16(0), // disk
    u16(0), // internal attributes
    u32(0), // external attributes
    u32(entry.offset),
  );
  return join([record, entry.name]);
}

/** The fields that a local header and a directory record share. */
const common = ({ name, crc, packed, size }: Entry): Field[] => [
  u16(VERSION), // needed to extract
  u16(FLAGS),
  u16(DEFLATE),
  u16(TIME),
  u16(DATE),
  u32(crc),
  u32(packed),
  u32(size),
  u16(name.length),
];

type Field = readonly [bytes: 2 | 4, value: number];
const u16 = (value: number): Field => [2, value];
const u32 = (value: number): Field => [4, value];

/** Encodes fields in little-endian order. */
function fields(...list: Field[]): Uint8Array {
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
  join([Uint8Array.of(final), fields(u16(length), u16(~length & 0xffff))]);

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

/** Continues a CRC-32. The caller inverts the value before the first and after the last call. */
function crc32(crc: number, bytes: Uint8Array): number {
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return crc;
}
