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
const LIMITS = { files: 1, fields: 40, parts: 41, fieldSize: 128 * KIB, fieldNameSize: 100 };

export interface Received {
  file: StoredFile;
  /** Whether the account had no file with these bytes. */
  created: boolean;
  /** The other fields of the form, in order. */
  fields: [name: string, text: string][];
}

export const isForm = (type: string) => type.toLowerCase().startsWith("multipart/form-data");

/**
 * @param name of the file; if left out, that in the form
 * @throws Problem of `RECEIVED`. Nothing is stored then
 */
export async function receiveDocument(c: Context<AppEnv>, name?: string): Promise<Received> {
  const { MAX_FILE_BYTES } = settings(c.env);
  if (Number(c.req.header("content-length")) > MAX_FILE_BYTES + FORM_BYTES)
    throw new Problem("file-too-large", `A file may have at most ${MAX_FILE_BYTES} bytes.`);
  const { body } = c.req.raw;
  if (!body) throw new Problem("empty-file");
  const type = c.req.header("content-type") ?? "";
  const { tenantId } = c.get("caller");
  if (!isForm(type))
    return { ...(await storeDocument(c.env, tenantId, body, name ?? null, type)), fields: [] };

  const form = new Form(body, type);
  const part = await form.file;
  const stored = await storeDocument(
    c.env,
    tenantId,
    part.chunks,
    name ?? part.name,
    part.mediaType,
  );
  return withDocument(c, stored, async () => {
    await form.end;
    return { ...stored, fields: form.fields };
  });
}

/** Calls `use`. If that fails, a document that is new and that no job reads is deleted again. */
export async function withDocument<T>(
  c: Context<AppEnv>,
  { file, created }: Pick<Received, "file" | "created">,
  use: () => Promise<T>,
): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (created) await bestEffort(deleteUnused(c.env.DB, file, Date.now()), { unused: file.id });
    throw error;
  }
}

class Form {
  readonly fields: Received["fields"] = [];
  /** The field `file`, as soon as it begins. It must be read for `end` to come. */
  readonly file: Promise<{
    name: string | null;
    mediaType: string;
    chunks: AsyncIterable<Uint8Array>;
  }>;
  /** Rejects with the first fault of the form. */
  readonly end: Promise<void>;

  constructor(body: ReadableStream<Uint8Array>, contentType: string) {
    const ended = Promise.withResolvers<void>();
    const found = Promise.withResolvers<Awaited<Form["file"]>>();
    this.end = ended.promise;
    this.file = found.promise;
    // Who awaits one of them may have left before the other fails.
    this.end.catch(() => {});
    this.file.catch(() => {});
    const fail = (problem: Problem) => {
      ended.reject(problem);
      found.reject(problem);
    };
    const invalid = (what: string) => fail(new Problem("invalid-request", what));
    const malformed = () => fail(new Problem("malformed-request", "The form cannot be parsed."));
    try {
      const form = busboy({
        headers: { "content-type": contentType },
        // Browsers and curl send names as UTF-8 (multipart/form-data, RFC 7578, 4.2 and 5.1). The default is Latin-1.
        defParamCharset: "utf8",
        limits: LIMITS,
      });
      form.on("file", (field, stream, { filename, mimeType }) => {
        // Its reader is told as well; it may have left.
        stream.on("error", () => {});
        if (field === "file")
          return found.resolve({
            name: filename?.slice(0, 255) || null,
            // What busboy says of a part without a type, as Python's clients send them (RFC 7578, 4.4).
            mediaType:
              mimeType === "text/plain" ? (typeByName(filename ?? "") ?? mimeType) : mimeType,
            chunks: whole(stream),
          });
        stream.resume();
        invalid(`${field}: only the field \`file\` may be a file`);
      });
      form.on("field", (field, text, { nameTruncated, valueTruncated }) => {
        if (field === "file") invalid("file: is text: a part that is a file has a `filename`");
        else if (nameTruncated || valueTruncated)
          invalid(
            `${field}: at most ${LIMITS.fieldSize} bytes, and ${LIMITS.fieldNameSize} of the name`,
          );
        this.fields.push([field, text]);
      });
      form.on("filesLimit", () => invalid("file: the form may have one file"));
      form.on("fieldsLimit", () => invalid(`The form may have ${LIMITS.fields} fields.`));
      form.on("partsLimit", () => invalid(`The form may have ${LIMITS.parts} parts.`));
      form.on("error", malformed);
      form.on("close", () => {
        found.reject(new Problem("invalid-request", "The form has no field `file`."));
        ended.resolve();
      });
      const source = Readable.fromWeb(body as never);
      source.on("error", () => form.destroy(new Error("the request was cut off")));
      source.pipe(form);
    } catch {
      malformed();
    }
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
