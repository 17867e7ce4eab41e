/** Exit statuses other than 0 and 130 (interrupted). */
export const EXIT = { unread: 1, usage: 2, key: 3, service: 4 } as const;

/** A mistake in the command line. */
export class UsageError extends Error {}

/** There is no API key. */
export class KeyError extends UsageError {}

/** A model could not extract data from a document. */
export class ExtractionError extends Error {
  readonly code: string;

  constructor({ code, message }: { code: string; message: string }) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}
