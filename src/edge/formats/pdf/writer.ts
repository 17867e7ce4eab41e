/** Writes a PDF file (ISO 32000-1) as a stream: objects in any order, then the table of their offsets. */
export class PdfWriter {
  readonly #offsets: number[] = [0];
  #offset = 0;

  /** Reserves a number for an object that is written later. */
  reserve(): number {
    return this.#offsets.push(0) - 1;
  }

  /** Each method returns the bytes to write next. */
  head(): Uint8Array {
    // Bytes above 127 in the second line mark the file as binary.
    return this.#out("%PDF-1.7\n%", Uint8Array.of(0xe2, 0xe3, 0xcf, 0xd3), "\n");
  }

  object(number: number, body: string): Uint8Array {
    this.#offsets[number] = this.#offset;
    return this.#out(`${number} 0 obj\n${body}\nendobj\n`);
  }

  /** @param dictionary its entries, without `Length` */
  stream(number: number, dictionary: string, data: Uint8Array[]): Uint8Array {
    this.#offsets[number] = this.#offset;
    const length = data.reduce((sum, part) => sum + part.length, 0);
    const head = `${number} 0 obj\n<< ${dictionary} /Length ${length} >>\nstream\n`;
    return this.#out(head, ...data, "\nendstream\nendobj\n");
  }

  tail(root: number): Uint8Array {
    const start = this.#offset;
    const rows = this.#offsets.map((offset, number) =>
      number === 0 ? "0000000000 65535 f \n" : `${String(offset).padStart(10, "0")} 00000 n \n`,
    );
    const size = this.#offsets.length;
    return this.#out(
      `xref\n0 ${size}\n${rows.join("")}trailer\n<< /Size ${size} /Root ${root} 0 R >>\n`,
      `startxref\n${start}\n%%EOF\n`,
    );
  }

  #out(...parts: (string | Uint8Array)[]): Uint8Array {
    const pieces = parts.map((part) =>
      typeof part === "string" ? new TextEncoder().encode(part) : part,
    );
    const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    this.#offset += bytes.length;
    return bytes;
  }
}
