import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { expireFiles } from "../../../../src/edge/jobs/retention.ts";
import { DIGEST, pdf, tokensFile } from "../../samples.ts";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "../../support.ts";

let cog: CogStub;
let key: string;
let file: { id: string };
const bytes = pdf();
const OTHER = `sha256:${"b".repeat(64)}`;
const MODEL = "deepseek-ocr";

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey({ scopes: ["read", "write", "admin"] });
  file = await upload(key, bytes);
});
afterEach(() => vi.restoreAllMocks());

type Prediction = Awaited<ReturnType<CogStub["demand"]>>;
const ocr = (body: object = {}, headers = {}) =>
  post("/v1/ocr", key, { file: file.id, model: MODEL, mode: "base", ...body }, headers);
const attempt = (encoded: boolean, mode = "base") => [
  {
    mode,
    tokens: 5,
    finish_reason: "stop" as const,
    ...(encoded && { encoded: "stored" as const }),
  },
];
const pushPage = (
  prediction: Prediction,
  page = 1,
  digest = DIGEST,
  stored = false,
  mode = "base",
) =>
  cog.page(prediction, page, {
    mode,
    task: prediction.input.task as string,
    model_digest: digest,
    attempts: attempt(stored, mode),
  });

/** Reads a document of one page and keeps its tokens. */
async function keep(body: object = {}, digest = DIGEST, mode = "base") {
  const { id } = await json(ocr({ tokens: "keep", ...body }));
  const prediction = await cog.demand();
  await cog.document(prediction, 1, digest);
  const status = (await cog.tokens(prediction, 1, tokensFile(1, { digest, mode }))).status;
  await pushPage(prediction, 1, digest, false, mode);
  await cog.close(prediction);
  return { job: await ended(key, id), prediction, status };
}

const list = async (as = key) => json(call(`/v1/files/${file.id}/tokens`, { key: as }));
const remove = (query = "", as = key) =>
  call(`/v1/files/${file.id}/tokens${query}`, { method: "DELETE", key: as });
/** The document's files of vision tokens in R2. */
const inBucket = async () =>
  (await env.BUCKET.list()).objects
    .map((object) => object.key)
    .filter((name) => name.includes(file.id) && name.endsWith(".safetensors"));
const kept = async () => (await json(call("/v1/settings", { key }))).token_bytes;
const size = tokensFile(1).length;

it("a second question about the page uses the tokens of the first, and reports it", async () => {
  const first = await keep();
  expect(first.prediction.input).toMatchObject({ tokens: "keep" });
  expect(first.prediction.input.stored_tokens).toBeUndefined();
  expect([first.status, first.job.tokens]).toEqual([204, "keep"]);

  const waiting = ocr({ task: "locate", prompt: "the total" }, { prefer: "wait=20" });
  const second = await cog.demand();
  expect(second.input).toMatchObject({ pages: "1", stored_tokens: "1" });
  expect(second.input.tokens).toBeUndefined();
  const stored = await cog.storedTokens(second, 1);
  expect(new Uint8Array(await stored.arrayBuffer())).toEqual(tokensFile(1));
  await pushPage(second, 1, DIGEST, true);
  const answer = await waiting;
  expect(answer.headers.get("cache-status")).toBe(
    'fovea-tokens; hit; detail="pages=1", fovea; fwd=miss; detail="hit=0 shared=0 read=1"',
  );
  expect((await json(answer)).result.pages[0].attempts[0].encoded).toBe("stored");
  const again = await ocr({ task: "locate", prompt: "the total" }, { prefer: "wait=20" });
  expect(again.headers.get("cache-status")).toBe("fovea; hit");
  const { total } = await json(call("/v1/usage", { key }));
  expect(total).toMatchObject({ pages_read: 2, pages_from_tokens: 1 });
});

it("exports them with an ETag and a digest", async () => {
  const { job } = await keep();
  const path = `/v1/jobs/${job.id}/pages/1/tokens`;
  const answer = await call(path, { key });
  expect(new Uint8Array(await answer.arrayBuffer())).toEqual(tokensFile(1));
  const sha256 = await crypto.subtle.digest("SHA-256", tokensFile(1));
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    "content-type": "application/octet-stream",
    "repr-digest": `sha-256=:${btoa(String.fromCharCode(...new Uint8Array(sha256)))}:`,
    "content-disposition": 'attachment; filename="page-1-base.safetensors"',
    "cache-control": "private, no-cache",
  });
  const etag = answer.headers.get("etag") as string;
  const same = await call(path, { key, headers: { "if-none-match": etag } });
  expect([same.status, await same.text(), same.headers.get("etag")]).toEqual([304, "", etag]);
  expect((await call(path, { key, headers: { "if-none-match": '"x"' } })).status).toBe(200);
  for (const [wrong, status] of [
    [`/v1/jobs/${job.id}/pages/2/tokens`, 404],
    [`/v1/jobs/job_${"0".repeat(24)}/pages/1/tokens`, 404],
    [`/v1/jobs/${job.id}/pages/0/tokens`, 422],
  ] as const)
    expect((await call(wrong, { key })).status).toBe(status);
});

it("lists and deletes them, all or by mode or digest", async () => {
  const { job } = await keep();
  await keep({ mode: "large" }, OTHER, "large");
  const { data, next_cursor } = await list();
  expect(next_cursor).toBeNull();
  expect(data.map((one: { mode: string }) => one.mode).sort()).toEqual(["base", "large"]);
  expect(data.find((one: { mode: string }) => one.mode === "base")).toEqual({
    page: 1,
    dpi: 144,
    mode: "base",
    model: MODEL,
    model_digest: DIGEST,
    dtype: "BF16",
    positions: 2,
    bytes: size,
    created_at: expect.any(String),
    layout: null,
  });
  const first = await json(call(`/v1/files/${file.id}/tokens?limit=1`, { key }));
  const next = `/v1/files/${file.id}/tokens?limit=1&cursor=${first.next_cursor}`;
  expect((await json(call(next, { key }))).data).toHaveLength(1);

  expect(await json(remove(`?mode=large&model_digest=${DIGEST}`))).toEqual({
    deleted: 0,
    bytes: 0,
  });
  expect((await json(remove("?mode=large"))).deleted).toBe(1);
  expect(await json(remove(`?model_digest=${DIGEST}`))).toEqual({ deleted: 1, bytes: size });
  expect([(await list()).data, await inBucket(), await kept()]).toEqual([[], [], 0]);
  expect((await call(`/v1/jobs/${job.id}/pages/1/tokens`, { key })).status).toBe(404);
  expect((await call(`/v1/jobs/${job.id}/result`, { key })).status, "what was read stays").toBe(
    200,
  );
  const [entry] = (await json(call("/v1/audit", { key }))).data;
  expect(entry).toMatchObject({ action: "tokens.deleted", target: file.id });
  expect((await remove("?mode=auto")).status).toBe(422);
});

it("another tenant with the same bytes gets none of them", async () => {
  const { job } = await keep();
  const [stranger, mine] = [await newKey({ scopes: ["read", "write"] }), file];
  expect((await call(`/v1/jobs/${job.id}/pages/1/tokens`, { key: stranger })).status).toBe(404);
  expect((await call(`/v1/files/${file.id}/tokens`, { key: stranger })).status).toBe(404);
  expect((await remove("", stranger)).status).toBe(404);
  file = await upload(stranger, bytes);
  await post("/v1/ocr", stranger, { file: file.id, model: MODEL, mode: "base", task: "free" });
  const prediction = await cog.demand();
  expect(prediction.input.stored_tokens).toBeUndefined();
  await cog.document(prediction, 1);
  expect((await cog.storedTokens(prediction, 1)).status).toBe(404);
  expect((await list(stranger)).data).toEqual([]);
  file = mine;
  expect((await list()).data).toHaveLength(1);
});

it("digests are never mixed", async () => {
  await keep();
  await ocr({ task: "free" });
  const old = await cog.demand();
  expect(old.input.stored_tokens).toBe("1");
  // The worker of the next shard has other weights.
  await cog.document(old, 1, OTHER);
  expect((await cog.storedTokens(old, 1, "base", OTHER)).status).toBe(404);
  expect((await cog.storedTokens(old, 1, "base", DIGEST)).status).toBe(200);
  await pushPage(old, 1, OTHER);
  await cog.close(old);
  await ocr({ task: "describe", tokens: "keep" });
  const next = await cog.demand();
  expect(next.input.stored_tokens).toBeUndefined();
  await cog.tokens(next, 1, tokensFile(1, { digest: OTHER, fill: 2 }));
  const stored = async (digest: string) =>
    new Uint8Array(await (await cog.storedTokens(next, 1, "base", digest)).arrayBuffer()).at(-1);
  expect([await stored(DIGEST), await stored(OTHER)]).toEqual([1, 2]);
  expect((await list()).data).toHaveLength(2);
});

it("only tokens of the mode and resolution that are asked for are named; any mode where it is open", async () => {
  await keep();
  const named = async (body: object) => {
    await ocr({ task: "free", ...body });
    return (await cog.demand()).input.stored_tokens;
  };
  expect(await named({ mode: "large" })).toBeUndefined();
  expect(await named({ dpi: 200 })).toBeUndefined();
  expect(await named({ mode: "auto" })).toBe("1");
  expect(await named({ mode: "base", cache: "refresh" }), "read again means from the start").toBe(
    undefined,
  );
});

it("of a text they are for the mode that was asked for, which decides its pages", async () => {
  const text = new TextEncoder().encode(`# A text ${crypto.randomUUID()}`);
  file = await json(post("/v1/files?name=a.md", key, text, { "content-type": "text/markdown" }));
  const { job } = await keep({ mode: "auto" }, DIGEST, "small");
  expect((await call(`/v1/jobs/${job.id}/pages/1/tokens`, { key })).status).toBe(200);
  expect((await list()).data).toMatchObject([{ mode: "small", layout: "auto" }]);
  const ask = async (body: object) => {
    await ocr({ task: "free", ...body });
    return cog.demand();
  };
  expect((await ask({ mode: "small" })).input.stored_tokens).toBeUndefined();
  const again = await ask({ mode: "auto" });
  expect(again.input.stored_tokens).toBe("1");
  expect((await cog.storedTokens(again, 1, "small")).status).toBe(200);
});

it("nothing is kept unless it is requested, whatever a worker pushes", async () => {
  const { job, prediction, status } = await keep({ tokens: "none" });
  expect([job.tokens, prediction.input.tokens, status]).toEqual(["none", undefined, 409]);
  expect(job.state).toBe("succeeded");
  expect([await inBucket(), (await list()).data]).toEqual([[], []]);
});

it("the tenant's setting decides if the request does not", async () => {
  const set = (keep_tokens: boolean) =>
    call("/v1/settings", { method: "PATCH", key, body: { keep_tokens } });
  expect(await json(set(true))).toMatchObject({ keep_tokens: true, token_bytes: 0 });
  expect((await keep({ tokens: undefined })).job.tokens).toBe("keep");
  expect(await kept()).toBe(size);
  expect((await keep({ tokens: "none", task: "free" })).job.tokens).toBe("none");
  await post("/v1/ocr", key, { file: file.id, model: "pp-ocr" });
  expect((await cog.demand()).input.tokens, "a reader without tokens").toBeUndefined();
  await set(false);
  expect((await keep({ tokens: undefined, task: "describe" })).job.tokens).toBe("none");
});

describe("they go with the document", () => {
  it("when it is deleted", async () => {
    const { job } = await keep();
    await call(`/v1/files/${file.id}`, { method: "DELETE", key });
    expect([await inBucket(), await kept()]).toEqual([[], 0]);
    expect((await call(`/v1/jobs/${job.id}/pages/1/tokens`, { key })).status).toBe(410);
    expect((await env.DB.prepare("SELECT * FROM kept_tokens").all()).results).not.toContainEqual(
      expect.objectContaining({ file_id: file.id }),
    );
  });

  it("when it expires", async () => {
    await keep();
    await expireFiles(env, Date.now() + 31 * 86_400_000);
    expect([await inBucket(), await kept()]).toEqual([[], 0]);
  });

  it("and none are stored if it is under zero retention or is deleted meanwhile", async () => {
    await ocr({ task: "free", zero_retention: true });
    await cog.demand();
    const { status } = await keep();
    expect(status).toBe(409);
    expect(await inBucket()).toEqual([]);

    file = await upload(key);
    await ocr({ tokens: "keep" });
    const prediction = await cog.demand();
    await call(`/v1/files/${file.id}`, { method: "DELETE", key });
    expect((await cog.tokens(prediction, 1, tokensFile(1))).status).toBe(410);
    expect(await inBucket()).toEqual([]);
  });
});

it("tokens that a worker pushed before it died are available to the next one", async () => {
  await ocr({ tokens: "keep" });
  const first = await cog.demand();
  await cog.document(first, 1);
  expect((await cog.tokens(first, 1, tokensFile(1))).status).toBe(204);
  await cog.close(first, "failed");
  const second = await cog.demand();
  expect(second.input).toMatchObject({ tokens: "keep", stored_tokens: "1" });
  expect((await cog.storedTokens(second, 1)).status).toBe(200);
});

it("the tokens of a canceled job are dropped", async () => {
  const { id } = await json(ocr({ tokens: "keep" }));
  const prediction = await cog.demand();
  await cog.document(prediction, 1);
  await call(`/v1/jobs/${id}/cancel`, { method: "POST", key });
  expect((await cog.tokens(prediction, 1, tokensFile(1))).status).toBe(410);
  expect(await inBucket()).toEqual([]);
});

describe("limits", () => {
  const setBytes = (count: number) =>
    env.DB.prepare(
      "UPDATE tenants SET token_bytes = ? WHERE id = (SELECT tenant_id FROM files WHERE id = ?)",
    )
      .bind(count, file.id)
      .run();

  it("a tenant at its limit keeps no more tokens, and can still read", async () => {
    await setBytes(10 * 1024 ** 3);
    const { prediction, job } = await keep();
    expect([prediction.input.tokens, job.state]).toEqual([undefined, "succeeded"]);
    const refused = await ocr({ task: "encode" });
    expect([refused.status, (await json(refused)).type]).toEqual([
      409,
      "urn:fovea:problem:tokens-not-kept",
    ]);
    await setBytes(10 * 1024 ** 3 - 1);
    expect((await keep({ task: "free" })).status).toBe(204);
  });

  it("a file that is too large, of another page, or not a tokens file is rejected", async () => {
    await ocr({ tokens: "keep" });
    const prediction = await cog.demand();
    await cog.document(prediction, 1);
    const status = async (body: Uint8Array) => (await cog.tokens(prediction, 1, body)).status;
    expect(await status(new Uint8Array(16 * 1024 * 1024 + 1))).toBe(413);
    expect(await status(tokensFile(2))).toBe(422);
    expect(await status(new TextEncoder().encode("tokens"))).toBe(422);
    expect(await inBucket()).toEqual([]);
    expect(await status(tokensFile(1))).toBe(204);
    expect(await status(tokensFile(1)), "a repeated push").toBe(204);
    expect(await kept()).toBe(size);
  });

  it("the address has to be signed", async () => {
    await ocr({ tokens: "keep" });
    const prediction = await cog.demand();
    const url = `${prediction.input.push_url}`.replace(/signature=[^&]+/, "signature=x");
    prediction.input.push_url = url;
    expect((await cog.tokens(prediction, 1, tokensFile(1))).status).toBe(401);
    expect((await cog.storedTokens(prediction, 1)).status).toBe(401);
  });
});

describe("the task encode", () => {
  const encoded = { blocks: [], markdown: "", text_tokens: null };

  async function encode(prediction: Prediction, stored = false) {
    await cog.document(prediction, 1);
    if (!stored) await cog.tokens(prediction, 1, tokensFile(1));
    await cog.page(prediction, 1, {
      ...encoded,
      task: "encode",
      mode: "base",
      attempts: attempt(stored),
    });
    await cog.close(prediction);
  }

  it("keeps tokens, is answered from the cache, and is deleted from it with them", async () => {
    const { id } = await json(ocr({ task: "encode" }));
    const prediction = await cog.demand();
    expect(prediction.input).toMatchObject({ task: "encode", tokens: "keep" });
    await encode(prediction);
    const job = await ended(key, id);
    expect([job.state, job.tokens]).toEqual(["succeeded", "keep"]);
    expect((await call(`/v1/jobs/${id}/pages/1/tokens`, { key })).status).toBe(200);

    const again = await ocr({ task: "encode" }, { prefer: "wait=5" });
    expect(again.headers.get("cache-status")).toBe("fovea; hit");
    await remove();
    await ocr({ task: "encode" });
    const second = await cog.demand();
    expect(second.input.stored_tokens).toBeUndefined();
    await encode(second);
    await until(async () => (await list()).data.length === 1);
  });

  it.each([
    ["with a prompt", { prompt: "x" }, "invalid-request"],
    ["of a document that is only lent", { zero_retention: true }, "invalid-request"],
    ["that keeps nothing", { tokens: "none" }, "invalid-request"],
    ["by a reader without tokens", { model: "pp-ocr" }, "unsupported-option"],
    ["and a witness", { witness: true }, "unsupported-option"],
  ])("is refused %s", async (_name, body, code) => {
    const refused = await ocr({ task: "encode", ...body });
    expect((await json(refused)).type).toBe(`urn:fovea:problem:${code}`);
  });

  it("cannot be selected in a chat", async () => {
    const refused = await post("/v1/chat/completions", key, {
      model: MODEL,
      fovea: { task: "encode" },
      messages: [{ role: "user", content: "x" }],
    });
    expect(refused.status).toBe(422);
  });
});

it("a chat can keep them for its next question", async () => {
  const ask = (words: string) =>
    post("/v1/chat/completions", key, {
      model: MODEL,
      fovea: { mode: "base", tokens: "keep" },
      messages: [
        { role: "user", content: [{ type: "file", file: { file_id: file.id } }] },
        { role: "user", content: words },
      ],
    });
  const answers = [];
  for (const [words, stored] of [
    ["markdown", undefined],
    ["What is the total?", "1"],
  ] as const) {
    const answer = ask(words);
    const prediction = await cog.demand();
    expect(prediction.input).toMatchObject({ tokens: "keep" });
    expect(prediction.input.stored_tokens).toBe(stored);
    await cog.document(prediction, 1);
    if (!stored) await cog.tokens(prediction, 1, tokensFile(1));
    await pushPage(prediction, 1, DIGEST, stored !== undefined);
    answers.push((await answer).status);
  }
  expect(answers).toEqual([200, 200]);
});

it("`tokens: keep` is refused for a reader that has none, and for a lent document", async () => {
  for (const body of [{ model: "pp-ocr" }, { zero_retention: true }])
    expect((await ocr({ tokens: "keep", ...body })).status).toBe(422);
});
