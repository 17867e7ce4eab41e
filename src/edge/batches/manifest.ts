/**
 * Reads a manifest from R2, starting where the last turn stopped: once to count its lines, and once to turn them
 * into records, a few hundred at a time. Memory holds one chunk of the stream and the lines of one turn.
 */
import type { Env } from "../bindings.ts";
import { findDocument } from "../documents/ingest.ts";
import { type LineRules, MAX_LINE_BYTES, withSealedPassword } from "../domain/batches/batch.ts";
import { LineSplitter, type RawLine } from "../domain/batches/manifest.ts";
import { keptLine, MAX_MISTRAL_LINE_BYTES } from "../domain/mistral/batch.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import { Problem } from "../problem.ts";
import { sealPassword } from "../security/document-password.ts";
import { outboundRules } from "../security/outbound.ts";
import { settings } from "../settings.ts";
import { addLines, type NewLine } from "../storage/batch-lines.ts";
import { type Batch, noteCount } from "../storage/batches.ts";
import { manifestPath } from "../storage/manifests.ts";

/** Bytes counted per turn. */
const COUNT_BYTES = 128 * 1024 * 1024;

/** Lines that become records per turn. They are one parameter of a statement, so their size is limited. */
const EXPAND_LINES = 500;
const EXPAND_BYTES = 512 * 1024;

/** The batch cannot continue. The client sees `code`. */
export class BatchFault extends Error {
  readonly code:
    | "manifest-gone"
    | "manifest-changed"
    | "manifest-empty"
    | "too-many-lines"
    | "input-empty"
    | "bucket-gone";

  constructor(code: BatchFault["code"]) {
    super(code);
    this.code = code;
  }
}

/** Continues counting for one turn. Stores the total when the end is reached. */
export async function countLines(env: Env, batch: Batch): Promise<void> {
  const start = { offset: batch.countOffset, lines: batch.countLines };
  let counted = batch.counted;
  let ended = true;
  // What counts is that there is a line, however long it is.
  const lines = new LineSplitter(MAX_LINE_BYTES, start);
  for await (const _ of readLines(env, batch, lines)) {
    counted++;
    if (counted > settings(env).MAX_BATCH_LINES) throw new BatchFault("too-many-lines");
    if (lines.position.offset - start.offset >= COUNT_BYTES) {
      ended = false;
      break;
    }
  }
  if (ended && counted === 0) throw new BatchFault("manifest-empty");
  await noteCount(env.DB, batch, { ...lines.position, counted }, ended ? counted : null);
}

/** Stores the next lines together with the position after them. */
export async function expandLines(env: Env, batch: Batch): Promise<void> {
  const start = { offset: batch.readOffset, lines: batch.readLines };
  const most = batch.mistral ? MAX_MISTRAL_LINE_BYTES : MAX_LINE_BYTES;
  const splitter = new LineSplitter(most, start);
  const lines: NewLine[] = [];
  let bytes = 0;
  let ended = true;
  for await (const line of readLines(env, batch, splitter)) {
    lines.push(await toLine(env, batch, line));
    bytes += line.bytes?.byteLength ?? 0;
    if (lines.length >= EXPAND_LINES || bytes >= EXPAND_BYTES) {
      ended = false;
      break;
    }
  }
  const { offset, lines: number } = splitter.position;
  await addLines(env.DB, batch, lines, { offset: ended ? batch.bytes : offset, lines: number });
}

async function* readLines(env: Env, batch: Batch, splitter: LineSplitter): AsyncGenerator<RawLine> {
  const { offset } = splitter.position;
  if (offset >= batch.bytes) return;
  const object = await env.BUCKET.get(manifestPath(batch.tenantId, batch.manifest), {
    range: { offset },
    onlyIf: { etagMatches: batch.etag },
  });
  if (!object) throw new BatchFault("manifest-gone");
  if (!("body" in object)) throw new BatchFault("manifest-changed");
  for await (const chunk of object.body) yield* splitter.push(chunk);
  yield* splitter.end();
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

export const UNREADABLE_LINE: PageError = {
  code: "line_unreadable",
  message: "The line is too long or is not UTF-8.",
};

async function toLine(env: Env, batch: Batch, { number, bytes }: RawLine): Promise<NewLine> {
  const text = bytes && decoded(bytes);
  if (text === null) return { line: number, spec: null, error: UNREADABLE_LINE };
  if (batch.mistral) {
    const store = (url: string) => storedDocument(env, batch, url);
    return { line: number, ...(await keptLine(text, lineRules(env, batch), store)) };
  }
  const { SIGNING_SECRET } = settings(env);
  const seal = (password: string) => sealPassword(SIGNING_SECRET, batch.id, password);
  return { line: number, spec: await withSealedPassword(text, seal), error: null };
}

/** Stores the document of a `data:` URL. @returns its id, or what is wrong with it */
async function storedDocument(env: Env, { tenantId }: Batch, url: string) {
  try {
    return (await findDocument(env, tenantId, { url })).id;
  } catch (error) {
    if (error instanceof Problem) return refusalOf(error);
    throw error;
  }
}

/** A problem, as the author of a line is told of it. */
export const refusalOf = ({ code, message }: Problem): PageError => ({
  code: code.replaceAll("-", "_"),
  message,
});

export function lineRules(env: Env, { defaults }: Batch): LineRules {
  const { MODELS, DEFAULT_MODEL } = settings(env);
  const outbound = outboundRules(env);
  return { defaults, models: MODELS, fallbackModel: DEFAULT_MODEL, outbound };
}

function decoded(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}
