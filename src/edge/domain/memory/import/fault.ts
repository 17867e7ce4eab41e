/** Reading values whose shape is not known, with faults that name the place. */

/** Why a list of messages cannot be read. */
export class MessageFault extends Error {
  /** Where, such as `messages[3].content[0].type`. */
  readonly path: string;
  /** What is wrong there. */
  readonly words: string;
  constructor(path: string, words: string) {
    super(`${path}: ${words}`);
    this.name = "MessageFault";
    this.path = path;
    this.words = words;
  }
}

export type Fields = Record<string, unknown>;

/** Most messages of a list. */
export const MAX_IMPORTED = 10_000;

export function object(value: unknown, path: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new MessageFault(path, "must be an object");
  return value as Fields;
}

export function list(value: unknown, path: string): unknown[] {
  if (!Array.isArray(value)) throw new MessageFault(path, "must be an array");
  if (value.length > MAX_IMPORTED)
    throw new MessageFault(path, `must have at most ${MAX_IMPORTED} entries`);
  return value;
}

export function string(value: unknown, path: string): string {
  if (typeof value !== "string") throw new MessageFault(path, "must be a string");
  return value;
}

/** A string that is not empty: an id or a name. */
export function word(value: unknown, path: string): string {
  const found = string(value, path);
  if (found === "") throw new MessageFault(path, "must not be empty");
  return found;
}

export function unknownValue(value: unknown, path: string, known: readonly string[]): never {
  const found = typeof value === "string" ? `\`${value.slice(0, 40)}\`` : "this value";
  throw new MessageFault(path, `${found} is not known; known are ${known.join(", ")}`);
}

/** `url`, if it can be an image's. */
export function imageUrl(value: unknown, path: string): string {
  const url = string(value, path);
  if (!/^(https:\/\/|data:image\/)/.test(url))
    throw new MessageFault(path, "must be an https: URL, or a data: URL of an image");
  return url;
}
