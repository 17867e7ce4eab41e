/** A ZIP archive written as a stream. The same content makes the same archive. */
import { Zip as Archive, ZipDeflate, ZipPassThrough } from "fflate";

/** The oldest date that the format knows. fflate writes local time. */
const DATE = new Date(1980, 0, 1);

/** Each method returns the bytes to write next; there may be none while an entry is compressed. */
export class Zip {
  #written: Uint8Array[] = [];
  #entry: ZipDeflate | undefined;
  readonly #archive = new Archive((error, bytes) => {
    if (error) throw error;
    this.#written.push(bytes);
  });

  begin(name: string): Uint8Array[] {
    this.#entry = new ZipDeflate(name);
    this.#entry.mtime = DATE;
    this.#archive.add(this.#entry);
    return this.#take();
  }

  write(text: string): Uint8Array[] {
    this.#entry?.push(new TextEncoder().encode(text));
    return this.#take();
  }

  end(): Uint8Array[] {
    this.#entry?.push(new Uint8Array(), true);
    return this.#take();
  }

  whole(name: string, text: string): Uint8Array[] {
    return [...this.begin(name), ...this.write(text), ...this.end()];
  }

  /** An entry whose bytes are compressed already. */
  stored(name: string, bytes: Uint8Array): Uint8Array[] {
    const entry = new ZipPassThrough(name);
    entry.mtime = DATE;
    this.#archive.add(entry);
    entry.push(bytes, true);
    return this.#take();
  }

  directory(): Uint8Array[] {
    this.#archive.end();
    return this.#take();
  }

  #take(): Uint8Array[] {
    const taken = this.#written;
    this.#written = [];
    return taken;
  }
}
