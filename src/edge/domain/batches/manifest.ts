/**
 * Splits a stream of bytes into lines. It holds one line at most, so a manifest of any length can be read, and
 * reading can stop and resume after any line.
 */
export interface RawLine {
  /** Number of the line in the text, from 1. Blank lines count but are not returned. */
  number: number;
  /** Without the line feed; `null` if the line is too long. */
  bytes: Uint8Array | null;
}

const LINE_FEED = 0x0a;
const SPACE = 0x20;

export class LineSplitter {
  readonly #maxBytes: number;
  #offset: number;
  #number: number;
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  /** @param start where an earlier reading stopped: the byte offset and the number of lines before it */
  constructor(maxBytes: number, start = { offset: 0, lines: 0 }) {
    this.#maxBytes = maxBytes;
    this.#offset = start.offset;
    this.#number = start.lines;
  }

  /** Position after the last returned line, from which reading can resume. */
  get position(): { offset: number; lines: number } {
    return { offset: this.#offset, lines: this.#number };
  }

  /** Yields the lines that end in this chunk. The caller may stop after any of them. */
  *push(chunk: Uint8Array): Generator<RawLine> {
    for (let from = 0; from < chunk.byteLength; ) {
      const feed = chunk.indexOf(LINE_FEED, from);
      const part = chunk.subarray(from, feed < 0 ? chunk.byteLength : feed);
      if (feed < 0) {
        this.#hold(part);
        return;
      }
      from = feed + 1;
      const line = this.#take(part, 1);
      if (line) yield line;
    }
  }

  /** Yields the last line if the text does not end with a line feed. */
  *end(): Generator<RawLine> {
    if (this.#heldBytes === 0) return;
    const line = this.#take(new Uint8Array(0), 0);
    if (line) yield line;
  }

  /** Holds a part of a line, or only its length once the line is too long. */
  #hold(part: Uint8Array): void {
    this.#heldBytes += part.byteLength;
    if (this.#heldBytes <= this.#maxBytes) this.#held.push(part);
    else this.#held = [];
  }

  #take(part: Uint8Array, feed: number): RawLine | null {
    const length = this.#heldBytes + part.byteLength;
    this.#offset += length + feed;
    this.#number++;
    let bytes: Uint8Array | null = null;
    if (length <= this.#maxBytes) bytes = this.#held.length === 0 ? part : this.#join(part, length);
    this.#held = [];
    this.#heldBytes = 0;
    if (bytes?.every((byte) => byte <= SPACE)) return null;
    return { number: this.#number, bytes };
  }

  #join(part: Uint8Array, length: number): Uint8Array {
    const whole = new Uint8Array(length);
    let at = 0;
    for (const piece of [...this.#held, part]) {
      whole.set(piece, at);
      at += piece.byteLength;
    }
    return whole;
  }
}
