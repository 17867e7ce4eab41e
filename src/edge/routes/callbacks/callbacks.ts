/**
 * The routes that workers call (docs/WORKER-PROTOCOL.md): they fetch a shard's document and push its results. Requests
 * are authenticated by their signed URL, not by an API key. The routes are not in the public spec.
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { App, AppEnv } from "../../context.ts";
import { verifyCallback } from "../../dispatch/index.ts";
import { sniffMediaType } from "../../domain/documents/media-type.ts";
import {
  DocumentReport,
  FIGURE_TYPES,
  FIGURES,
  MAX_IMAGE_BYTES,
  MAX_PAGE_BYTES,
  PageResult,
  PushedPage,
} from "../../domain/pages/page-result.ts";
import { readTokensHead } from "../../domain/pages/tokens-file.ts";
import { KIB, MIB, sizeLimit } from "../../http/body.ts";
import {
  type Received,
  receiveDocument,
  receiveEnd,
  receiveHeartbeat,
  receivePage,
  receivePicture,
  receiveTokens,
} from "../../jobs/ingest.ts";
import { Problem } from "../../problem.ts";
import { verifyCallbackUrl } from "../../security/signed-url.ts";
import { settings } from "../../settings.ts";
import { openFile } from "../../storage/files.ts";
import { openTokens, seenAs } from "../../storage/kept-tokens.ts";
import { putFigure, putImage } from "../../storage/results.ts";
import { findShard } from "../../storage/shards.ts";

const BASE = "/callbacks/shards/:shard";
const PAGE = `${BASE}/pages/:page{[0-9]+}`;

const tokensLimit = createMiddleware<AppEnv>((c, next) =>
  sizeLimit(settings(c.env).MAX_TOKENS_BYTES)(c, next),
);

export const callbacks = (app: App) => {
  app.get(`${BASE}/file`, async (c) => {
    const { file } = (await authenticate(c)).shard;
    const object = file && (await openFile(c.env.BUCKET, file));
    if (!object) throw new Problem("gone", "The file was deleted.");
    return c.body(object.body, 200, {
      "content-type": file.mediaType,
      "content-length": String(object.size),
    });
  });

  app.put(`${BASE}/heartbeat`, sizeLimit(KIB), async (c) => {
    const { shardId, attempt } = await verify(c);
    return answer(c, await receiveHeartbeat(c.env, shardId, attempt));
  });

  app.put(`${BASE}/document`, sizeLimit(16 * KIB), async (c) => {
    const { shard, attempt } = await authenticate(c);
    const report = await readBody(c, DocumentReport);
    sameModel(report.model, shard.options.model);
    return answer(c, await receiveDocument(c.env, shard, attempt, report));
  });

  app.put(PAGE, sizeLimit(MAX_PAGE_BYTES), async (c) => {
    const { shard, attempt } = await authenticate(c);
    const result = await readBody(c, PushedPage);
    sameModel(result.model, shard.options.model);
    if (String(result.page) !== c.req.param("page"))
      throw new Problem("invalid-request", "The page number differs from the one in the path.");
    return answer(c, await receivePage(c.env, shard, attempt, result));
  });

  app.put(`${PAGE}/tokens`, tokensLimit, async (c) => {
    const { shard, attempt } = await authenticate(c);
    const bytes = await c.req.arrayBuffer();
    const head = readTokensHead(new Uint8Array(bytes));
    if (head === null || String(head.page) !== c.req.param("page"))
      throw new Problem("invalid-request", "The body is not a file of this page's vision tokens.");
    const heard = await receiveTokens(c.env, shard, attempt, head, bytes);
    if (heard === "refused") throw new Problem("tokens-not-kept");
    return answer(c, heard);
  });

  app.get(`${PAGE}/tokens`, async (c) => {
    const { shard } = await authenticate(c);
    const { mode = "", model_digest = "" } = c.req.query();
    const { file } = shard;
    const page = Number(c.req.param("page"));
    const of = file && { file, page, ...seenAs(file, shard.options, mode) };
    const object = of && (await openTokens(c.env.BUCKET, of, model_digest));
    if (!object || !("body" in object))
      throw new Problem("not-found", "No vision tokens are kept.");
    return c.body(object.body, 200, {
      "content-type": "application/octet-stream",
      "content-length": String(object.size),
    });
  });

  app.put(`${PAGE}/image`, sizeLimit(MAX_IMAGE_BYTES), async (c) => {
    const { shard, attempt } = await authenticate(c);
    const { digest, bytes, type } = await readPicture(c);
    if (type !== "image/png")
      throw new Problem("unsupported-media-type", "A page image must be a PNG.");
    const page = Number(c.req.param("page"));
    const put = (key: string) => putImage(c.env.BUCKET, shard, key, digest, bytes);
    return answer(c, await receivePicture(c.env, shard, attempt, page, digest, put));
  });

  app.put(`${PAGE}/figures/:figure{[1-9][0-9]{0,5}}`, sizeLimit(FIGURES.max_bytes), async (c) => {
    const { shard, attempt } = await authenticate(c);
    const { digest, bytes, type } = await readPicture(c);
    if (!type) throw new Problem("unsupported-media-type", "A figure must be a PNG or a JPEG.");
    const [page, figure] = [Number(c.req.param("page")), Number(c.req.param("figure"))];
    const put = (key: string) => putFigure(c.env.BUCKET, shard, key, digest, figure, bytes, type);
    return answer(c, await receivePicture(c.env, shard, attempt, page, digest, put));
  });

  app.post(`${BASE}/closed`, sizeLimit(8 * MIB), async (c) => {
    const { shard, attempt } = await authenticate(c);
    const body = await c.req.text();
    const closing = await verifyCallback(c.env, c.req.raw, body);
    if (!closing) throw new Problem("bad-signature", "The signature of the callback is not valid.");
    await receiveEnd(c.env, shard, attempt, closing.status);
    return c.body(null, 204);
  });
};

/** @throws Problem `bad-signature` */
async function verify(c: Context<AppEnv>) {
  const id = c.req.param("shard") as string;
  const query = new URL(c.req.url).searchParams;
  const callback = await verifyCallbackUrl(settings(c.env).SIGNING_SECRET, id, query, Date.now());
  if (!callback) throw new Problem("bad-signature", "The URL is not signed or has expired.");
  return callback;
}

/** @throws Problem `bad-signature`, or `gone` if the shard does not exist */
async function authenticate(c: Context<AppEnv>) {
  const { shardId, attempt } = await verify(c);
  const shard = await findShard(c.env.DB, shardId);
  if (!shard) throw new Problem("gone", "The shard has ended.");
  return { shard, attempt };
}

/** A pushed picture; its type is `null` if it is neither a PNG nor a JPEG. */
async function readPicture(c: Context<AppEnv>) {
  const digest = PageResult.shape.model_digest.safeParse(c.req.header("x-model-digest"));
  if (!digest.success)
    throw new Problem("invalid-request", "The header `X-Model-Digest` is missing or not a digest.");
  const bytes = await c.req.arrayBuffer();
  const sniffed = sniffMediaType(new Uint8Array(bytes, 0, Math.min(bytes.byteLength, 8)));
  const type = FIGURE_TYPES.find((known) => known === sniffed) ?? null;
  return { digest: digest.data, bytes, type };
}

async function readBody<T>(
  c: Context<AppEnv>,
  schema: { safeParse(value: unknown): { success: true; data: T } | { success: false } },
): Promise<T> {
  const body = await c.req.json().catch((error) => {
    if (error instanceof SyntaxError)
      throw new Problem("malformed-request", "The body is not JSON.");
    throw error;
  });
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw new Problem("invalid-request", "The body does not match the schema.");
  return parsed.data;
}

function sameModel(reported: string, asked: string): void {
  if (reported !== asked)
    throw new Problem("invalid-request", `The shard is for ${asked}, not for ${reported}.`);
}

function answer(c: Context<AppEnv>, heard: Received) {
  if (heard === "gone") throw new Problem("gone", "The shard has ended: stop reading it.");
  return c.body(null, 204);
}
