import { ApiError } from "../index.ts";

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

/** Codes of problems with a document. */
const OF_DOCUMENTS = new Set([
  "empty-file",
  "file-too-large",
  "unsupported-media-type",
  "url-refused",
  "url-unreachable",
]);
/** In a request to read one. */
const OF_NAMED = new Set(["not-found", "gone", "not-cached", ...OF_DOCUMENTS]);

export const isDocumentFault = ({ code }: ApiError) => OF_DOCUMENTS.has(code);

/** Whether other documents may fare better with the same request. */
export function isAboutDocument(error: unknown, source: string): boolean {
  if (error instanceof ApiError) return OF_NAMED.has(error.code);
  // A file that is not there any more, or may not be read.
  return error instanceof ExtractionError || (error as { path?: unknown }).path === source;
}
