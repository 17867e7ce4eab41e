/**
 * A document in the body of a request: the raw body, or the field `file` of a form. It is stored while it arrives. The
 * other fields of the form may come before it or after it.
 */
import { Readable } from "node:stream";
import busboy from "busboy";
import type { Context } from "hono";
import type { AppEnv } from "../context.ts";
import { STORED, storeDocument } from "../documents/store.ts";
import { typeByName } from "../domain/documents/media-type.ts";
import { Problem, type ProblemCode } from "../problem.ts";
import { settings } from "../settings.ts";
import { bestEffort } from "../storage/fault.ts";
import { deleteUnused, type StoredFile } from "../storage/files.ts";
import { KIB } from "./body.ts";

/** The problems of `receiveDocument`. */
export const RECEIVED = [
  "malformed-request",
  "invalid-request",
  "unsupported-encoding",
  ...STORED,
] as const satisfies ProblemCode[];

/** What a form may add to the size of its file, whose exact size is checked while it streams. */
const FORM_BYTES = 256 * KIB;
/** A field has room for the largest schema with white space. */
const LIMITS = { fields: 100, fieldSize: 128 * KIB, fieldNameSize: 100 };

interface Stored {
  file: StoredFile;
  /** Whether the account had no file with these bytes. */
  created: boolean;
}

type Fields = [name: string, text: string][];

export interface Received extends Stored {
  /** The other fields of the form, in order. */
  fields: Fields;
}

/** The files that a form may have. */
interface WantedFiles {
  field: string;
  most: number;
  /** Checks the fields that come before a file. If it throws, the rest of the form is read and not stored. */
  check?: (fields: Fields) => void;
  /** Whether JSON lines are stored, too. */
  isBatchInput?: boolean;
}

export const isForm = (type: string) => type.toLowerCase().startsWith("multipart/form-data");

/**
 * @param name of the file; if left out, that in the form
 * @param isBatchInput whether a form may hold JSON lines, too
 * @throws Problem of `RECEIVED`. Nothing is stored then
 */
export async function receiveDocument(
  c: Context<AppEnv>,
  name?: string,
  isBatchInput = false,
): Promise<Received> {
  const type = c.req.header("content-type") ?? "";
  if (isForm(type)) {
    const { stored, fields } = await receiveForm(c, { field: "file", most: 1, isBatchInput }, name);
    return { ...(stored[0] as Stored), fields };
  }
  const { tenantId } = c.get("caller");
  return {
    ...(await storeDocument(c.env, tenantId, bodyOf(c, 1), name ?? null, type)),
    fields: [],
  };
}

/**
 * The files of a form, which are stored one after the other, as they arrive.
 * @param name of the file; if left out, those in the form
 * @throws Problem of `RECEIVED`. Nothing is stored then
 */
export async function receiveForm(
  c: Context<AppEnv>,
  wanted: WantedFiles,
  name?: string,
): Promise<{ stored: Stored[]; fields: Fields }> {
  const form = new Form(bodyOf(c, wanted.most), c.req.header("content-type") ?? "", wanted);
  const stored: Stored[] = [];
  const { tenantId } = c.get("caller");
  return withDocuments(c, stored, async () => {
    for (let part = await form.next(); part; part = await form.next()) {
      const fault = faultOf(() => wanted.check?.(form.fields));
      // A client that is not answered before it has sent everything sees the answer.
      if (fault) {
        await form.drain(part, settings(c.env).MAX_FILE_BYTES);
        throw fault;
      }
      const { chunks, name: own, mediaType } = part;
      stored.push(
        await storeDocument(c.env, tenantId, chunks, name ?? own, mediaType, wanted.isBatchInput),
      );
    }
    await form.end;
    if (stored.length === 0)
      throw new Problem("invalid-request", `The form has no field \`${wanted.field}\`.`);
    return { stored, fields: form.fields };
  });
}

function faultOf(check: () => void): unknown {
  try {
    check();
    return null;
  } catch (error) {
    return error;
  }
}

/** @throws Problem `file-too-large` or `empty-file` */
function bodyOf(c: Context<AppEnv>, files: number): ReadableStream<Uint8Array> {
  const { MAX_FILE_BYTES } = settings(c.env);
  if (Number(c.req.header("content-length")) > files * MAX_FILE_BYTES + FORM_BYTES)
    throw new Problem("file-too-large", `A file may have at most ${MAX_FILE_BYTES} bytes.`);
  const { body } = c.req.raw;
  if (!body) throw new Problem("empty-file");
  return body;
}

/** Calls `use`. If that fails, a document that is new and that no job reads is deleted again. */
export const withDocument = <T>(c: Context<AppEnv>, document: Stored, use: () => Promise<T>) =>
  withDocuments(c, [document], use);

/** The same for several documents. `use` may add to them. */
export async function withDocuments<T>(
  c: Context<AppEnv>,
  documents: Stored[],
  use: () => Promise<T>,
): Promise<T> {
  try {
    return await use();
  } catch (error) {
    for (const { file, created } of documents)
      if (created) await bestEffort(deleteUnused(c.env.DB, file, Date.now()), { unused: file.id });
    throw error;
  }
}

interface Part {
  name: string | null;
  mediaType: string;
  chunks: AsyncIterable<Uint8Array>;
}

class Form {
  readonly fields: Fields = [];
  /** Rejects with the first fault of the form. All its files must be read for it to resolve. */
  readonly end: Promise<void>;
  readonly #parts: Part[] = [];
  #isOver = false;
  #news = Promise.withResolvers<void>();

  constructor(body: ReadableStream<Uint8Array>, contentType: string, { field, most }: WantedFiles) {
    const ended = Promise.withResolvers<void>();
    this.end = ended.promise;
    // Who awaits it may have left before it fails.
    this.end.catch(() => {});
    const fail = (problem: Problem) => {
      ended.reject(problem);
      this.#tell();
    };
    const invalid = (what: string) => fail(new Problem("invalid-request", what));
    const malformed = () => fail(new Problem("malformed-request", "The form cannot be parsed."));
    const limits = { ...LIMITS, files: most, parts: LIMITS.fields + most };
    try {
      const form = busboy({
        headers: { "content-type": contentType },
        // Browsers and curl send names as UTF-8 (multipart/form-data, RFC 7578, 4.2 and 5.1). The default is Latin-1.
        defParamCharset: "utf8",
        limits,
      });
      form.on("file", (name, stream, { filename, mimeType }) => {
        // Its reader is told as well; it may have left.
        stream.on("error", () => {});
        if (name !== field) {
          stream.resume();
          return invalid(`${name}: only the field \`${field}\` may be a file`);
        }
        this.#parts.push({
          name: filename?.slice(0, 255) || null,
          // What busboy says of a part without a type, as Python's clients send them (RFC 7578, 4.4).
          mediaType:
            mimeType === "text/plain" ? (typeByName(filename ?? "") ?? mimeType) : mimeType,
          chunks: whole(stream),
        });
        this.#tell();
      });
      form.on("field", (name, text, { nameTruncated, valueTruncated }) => {
        if (name === field) invalid(`${field}: is text: a part that is a file has a \`filename\``);
        else if (nameTruncated || valueTruncated)
          invalid(
            `${name}: at most ${LIMITS.fieldSize} bytes, and ${LIMITS.fieldNameSize} of the name`,
          );
        this.fields.push([name, text]);
      });
      form.on("filesLimit", () =>
        invalid(`${field}: the form may have ${most === 1 ? "one file" : `${most} files`}`),
      );
      form.on("fieldsLimit", () => invalid(`The form may have ${limits.fields} fields.`));
      form.on("partsLimit", () => invalid(`The form may have ${limits.parts} parts.`));
      form.on("error", malformed);
      form.on("close", () => {
        this.#isOver = true;
        ended.resolve();
        this.#tell();
      });
      const source = Readable.fromWeb(body as never);
      source.on("error", () => form.destroy(new Error("the request was cut off")));
      source.pipe(form);
    } catch {
      malformed();
    }
  }

  /** The next file, as soon as it begins; the one before it must have been read. `null` at the end. @throws Problem */
  async next(): Promise<Part | null> {
    for (;;) {
      const part = this.#parts.shift();
      if (part) return part;
      if (this.#isOver) return null;
      await Promise.race([this.#news.promise, this.end]);
    }
  }

  /** Reads a file and all that come after it. @param most bytes */
  async drain(first: Part, most: number): Promise<void> {
    let bytes = 0;
    for (let part: Part | null = first; part; part = await this.next())
      for await (const chunk of part.chunks) {
        bytes += chunk.byteLength;
        if (bytes > most) return;
      }
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/** Reports a form that ends within the file as the client's error. */
async function* whole(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch {
    throw new Problem("malformed-request", "The form ends in the middle of the file.");
  }
}
