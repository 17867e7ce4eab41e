/**
 * Tells from an error of D1, R2, a Durable Object or a Workflow whether the storage has no room, or does not answer for
 * now. Their errors have no codes that all of them share, so this file knows the words: of workerd, and of Cloudflare's
 * lists of the errors of D1, R2 and Durable Objects.
 */

/** `full`: whatever adds data fails until room is made. `unavailable`: it may work a moment later. */
export type StorageFault = "full" | "unavailable";

/** The storage did not answer within its time limit. */
export class StorageTimeout extends Error {}

const FULL = /SQLITE_FULL|disk is full|no space left|quota exceeded|maximum DB size|storage limit/i;

const UNAVAILABLE = new RegExp(
  [
    // The disk below SQLite. Faults of a statement, such as SQLITE_CONSTRAINT, are not among these.
    "SQLITE_(IOERR|BUSY|LOCKED|CANTOPEN|READONLY|NOMEM|PROTOCOL|INTERRUPT|CORRUPT|NOTADB)",
    "^(Error: )?internal error",
    "D1_ERROR: internal error",
    "network connection lost",
    "overloaded",
    "too many requests queued",
    "caused object to be reset",
    "durable object (reset|storage|'s)",
    "object to be reset",
    "due to transient issue",
    "broken\\.",
    // R2: 0 is an error without a code, 10001 internal, 10043 unavailable, 10058 too many writes of one object.
    "^(Error: )?\\w+: .*\\((0|10001|10043|10058)\\)$",
  ].join("|"),
  "i",
);

/** @returns `null` if the error has another cause, such as a faulty statement */
export function storageFault(error: unknown): StorageFault | null {
  if (error instanceof StorageTimeout) return "unavailable";
  if (!(error instanceof Error)) return null;
  const { retryable, overloaded, durableObjectReset } = error as Error & Record<string, unknown>;
  if (FULL.test(error.message)) return "full";
  if (error.cause !== undefined && error.cause !== error) {
    const cause = storageFault(error.cause);
    if (cause) return cause;
  }
  const marked = retryable === true || overloaded === true || durableObjectReset === true;
  return marked || UNAVAILABLE.test(error.message) ? "unavailable" : null;
}

/** @throws StorageTimeout if `answer` takes longer than `ms` milliseconds */
export async function withinTime<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  // If the limit comes first, nobody waits for the answer any more.
  answer.catch(() => {});
  try {
    return await Promise.race([
      answer,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new StorageTimeout("the storage did not answer")), ms);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits for a write that the caller can do without: its failure is logged, with `note`, and not thrown.
 * @param note what was not written; ids only
 */
export async function bestEffort(write: Promise<unknown>, note: Record<string, unknown>) {
  try {
    await write;
  } catch (error) {
    console.error(JSON.stringify({ event: "storage.failed", ...note, error: String(error) }));
  }
}

/**
 * Does what removes data and adds records of that. Without room for the records it is done again without them.
 * @param remove called with `true`, and with `false` if the storage is full
 */
export async function withoutRoomToo<T>(remove: (hasRoom: boolean) => Promise<T>): Promise<T> {
  try {
    return await remove(true);
  } catch (error) {
    if (storageFault(error) !== "full") throw error;
    console.error(JSON.stringify({ event: "storage.full", error: String(error) }));
    return remove(false);
  }
}
