/** What an isolate, which has at most 128 MiB, holds in memory: the values that it used last, for a limited time. */
const MAX_BYTES = 16 * 1024 * 1024;
/** For records, which are small. */
export const RECORDS_BYTES = 4 * 1024 * 1024;
const MAX_VALUE_BYTES = 2 * 1024 * 1024;

export class Memory<T> {
  readonly #keptMs: number;
  readonly #maxBytes: number;
  #values = new Map<string, { value: T; bytes: number; until: number }>();
  #bytes = 0;

  constructor(keptMs: number, maxBytes = MAX_BYTES) {
    this.#keptMs = keptMs;
    this.#maxBytes = maxBytes;
  }

  /** Whether a value of this size is kept at all. */
  static takes = (bytes: number): boolean => bytes <= MAX_VALUE_BYTES;

  find(key: string, now: number): T | null {
    const found = this.#values.get(key);
    if (!found) return null;
    this.#remove(key);
    if (found.until <= now) return null;
    this.#add(key, found);
    return found.value;
  }

  keep(key: string, value: T, bytes: number, now: number): void {
    if (!Memory.takes(bytes)) return;
    this.#remove(key);
    this.#add(key, { value, bytes, until: now + this.#keptMs });
    // A map keeps the order of insertion, so the one that was used longest ago comes first.
    for (const oldest of this.#values.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#remove(oldest);
    }
  }

  #add(key: string, entry: { value: T; bytes: number; until: number }): void {
    this.#values.set(key, entry);
    this.#bytes += entry.bytes;
  }

  #remove(key: string): void {
    this.#bytes -= this.#values.get(key)?.bytes ?? 0;
    this.#values.delete(key);
  }
}
