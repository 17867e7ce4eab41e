import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DIGEST, pdf } from "../../samples.ts";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "../../support.ts";

let cog: CogStub;
let key: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const ocr = (body: object, headers = {}, caller = key) =>
  post("/v1/ocr", caller, { ...body }, headers);

describe("a document is read", () => {
  it("with the text layer as the request wants it: another choice is another reading", async () => {
    const file = await upload(key);
    const stop = cog.work(1, () => ({ text_source: "recognition" }));
    const auto = await json(ocr({ file: file.id }, { prefer: "wait=10" }));
    const never = await json(ocr({ file: file.id, text_layer: "never" }, { prefer: "wait=10" }));
    stop();
    expect([auto.text_layer, never.text_layer]).toEqual(["auto", "never"]);
    expect(never.pages[0].source).toBe("read");
    expect(never.result.pages[0].text_source).toBe("recognition");
    expect(cog.predictions.map(({ input }) => input.text_layer)).toEqual([undefined, "never"]);
  });

  it("counts the pages with the first one, then reads the rest in shards", async () => {
    const file = await upload(key);
    const stop = cog.work(6);
    const response = await ocr({ file: file.id }, { prefer: "wait=10" });
    stop();
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-status")).toContain("fovea; fwd=miss");
    const job = await json(response);
    expect(job).toMatchObject({ state: "succeeded", progress: { total: 6, done: 6, failed: 0 } });
    expect(job.result.pages.map((page: { page: number }) => page.page)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(cog.predictions.map(({ input }) => input.pages)).toEqual(["1", "2,3,4,5", "6"]);
    expect((await json(call(`/v1/files/${file.id}`, { key }))).page_count).toBe(6);
  });

  it("answers 202 with Location when it is not asked to wait", async () => {
    const file = await upload(key);
    const response = await ocr({ file: file.id, metadata: { a: "b" } });
    expect(response.status).toBe(202);
    const job = await json(response);
    expect(response.headers.get("location")).toBe(`/v1/jobs/${job.id}`);
    expect(job).toMatchObject({ state: "queued", metadata: { a: "b" }, progress: { total: null } });
  });

  it("reads only the selected pages, and fails those beyond the end", async () => {
    const file = await upload(key);
    const stop = cog.work(3);
    const job = await json(ocr({ file: file.id, pages: "2-9,40" }, { prefer: "wait=10" }));
    stop();
    expect(job.state).toBe("partial");
    expect(job.pages.map((p: { page: number; state: string }) => [p.page, p.state])).toEqual([
      [2, "done"],
      [3, "done"],
      [40, "failed"],
    ]);
    expect(job.pages[2].error.code).toBe("page_out_of_range");
  });

  it("fails as a whole when the document cannot be opened, with the worker's message", async () => {
    const file = await upload(key);
    const job = await json(ocr({ file: file.id }));
    const error = { code: "document_encrypted", message: "The PDF needs a password." };
    await cog.push(await cog.demand(), "/document", { schema: 1, model: "pp-ocr", error });
    expect(await ended(key, job.id)).toMatchObject({ state: "failed", error });
  });

  it("keeps a failed page next to the good ones, and reads it again on the next request", async () => {
    const file = await upload(key);
    const error = { code: "page_too_large", message: "The page has 200 megapixels." };
    const broken = { verdict: "failed", finish_reason: "error", error, blocks: [] } as const;
    let stop = cog.work(2, (page) => (page === 2 ? { ...broken, blocks: [] } : {}));
    const job = await json(ocr({ file: file.id }, { prefer: "wait=10" }));
    stop();
    expect(job).toMatchObject({ state: "partial", progress: { done: 1, failed: 1 } });
    expect(job.result.pages[1]).toEqual({ page: 2, error });
    cog = new CogStub().install();
    stop = cog.work(2);
    const again = await ocr({ file: file.id }, { prefer: "wait=10" });
    stop();
    expect(again.headers.get("cache-status")).toContain("fwd=partial");
    expect((await json(again)).state).toBe("succeeded");
    expect(cog.predictions.map(({ input }) => input.pages)).toEqual(["2"]);
  });
});

describe("pages are not read twice", () => {
  it("serves any subset from the cache with no worker at all", async () => {
    const file = await upload(key);
    const stop = cog.work(4);
    await ocr({ file: file.id }, { prefer: "wait=10" });
    stop();
    cog.up = false;
    const response = await ocr({ file: file.id, pages: "2,4", cache: "only" });
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-status")).toBe("fovea; hit");
    const job = await json(response);
    expect(job.result.pages.map((page: { page: number }) => page.page)).toEqual([2, 4]);
    expect(job.pages.every((page: { source: string }) => page.source === "hit")).toBe(true);
  });

  it("reads once for many identical requests at the same time", async () => {
    const file = await upload(key);
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => ocr({ file: file.id, pages: "1" })),
    );
    const statuses = responses.map((response) => response.headers.get("cache-status") ?? "");
    expect(statuses.filter((status) => status.includes("collapsed"))).toHaveLength(19);
    const stop = cog.work(1);
    for (const response of responses)
      expect((await ended(key, (await json(response)).id)).state).toBe("succeeded");
    stop();
    expect(cog.predictions).toHaveLength(1);
    const results = await env.DB.prepare("SELECT readings FROM results WHERE file_id = ?")
      .bind(file.id)
      .all();
    expect(results.results).toEqual([{ readings: 1 }]);
  });

  it("reads again on `refresh`, for other options, and under another model digest", async () => {
    const file = await upload(key);
    let stop = cog.work(1);
    await ocr({ file: file.id }, { prefer: "wait=10" });
    const refreshed = await ocr({ file: file.id, cache: "refresh" }, { prefer: "wait=10" });
    expect(refreshed.headers.get("cache-status")).toContain("fwd=request");
    await ocr({ file: file.id, dpi: 200 }, { prefer: "wait=10" });
    stop();
    expect(cog.predictions).toHaveLength(3);
    const digest = `sha256:${"b".repeat(64)}`;
    const other = await upload(key);
    stop = cog.work(1, () => ({ model_digest: digest }));
    await ocr({ file: other.id }, { prefer: "wait=10" });
    stop();
    const stale = await ocr({ file: file.id, cache: "only" });
    expect(stale.status).toBe(404);
    expect((await json(stale)).type).toBe("urn:fovea:problem:not-cached");
  });

  it("is never shared between tenants", async () => {
    const bytes = pdf();
    const file = await upload(key, bytes);
    const stop = cog.work(1);
    await ocr({ file: file.id }, { prefer: "wait=10" });
    stop();
    const stranger = await newKey();
    const theirs = await upload(stranger, bytes);
    expect(theirs.id).not.toBe(file.id);
    expect((await ocr({ file: theirs.id, cache: "only" }, {}, stranger)).status).toBe(404);
    expect((await ocr({ file: file.id }, {}, stranger)).status).toBe(404);
  });
});

describe("workers come and go", () => {
  it("dispatches only the missing pages again when the prediction ends early", async () => {
    const file = await upload(key);
    const job = await json(ocr({ file: file.id }));
    const probe = await cog.demand();
    await cog.document(probe, 4);
    await cog.page(probe, 1);
    await cog.close(probe);
    const first = await cog.demand();
    expect(first.input.pages).toBe("2,3,4");
    await cog.page(first, 2);
    await cog.close(first, "failed");
    const second = await cog.demand();
    expect(second.input.pages).toBe("3,4");
    // A late page of the first attempt is accepted and not dispatched again.
    expect((await cog.page(first, 3)).status).toBe(410);
    await cog.page(second, 4);
    await cog.close(second);
    expect(await ended(key, job.id)).toMatchObject({ state: "succeeded" });
    const pages = (await json(call(`/v1/jobs/${job.id}`, { key }))).pages;
    expect(pages.map((page: { readings: number }) => page.readings)).toEqual([1, 1, 1, 1]);
  });

  it("waits while every slot is taken, and goes on when one is free", async () => {
    cog.slots = 0;
    const file = await upload(key);
    const job = await json(ocr({ file: file.id }));
    await until(() => cog.refused > 0);
    cog.slots = 1;
    const stop = cog.work(1);
    expect((await ended(key, job.id)).state).toBe("succeeded");
    stop();
  });

  it("fails after the last attempt: the page fails and the job ends", async () => {
    const file = await upload(key);
    const job = await json(ocr({ file: file.id, pages: "1" }));
    for (let attempt = 1; attempt <= 3; attempt++) {
      const prediction = await cog.demand();
      if (attempt === 1) await cog.document(prediction, 2);
      await cog.close(prediction, "failed");
    }
    const over = await ended(key, job.id);
    expect(over).toMatchObject({ state: "failed", pages: [{ error: { code: "worker_lost" } }] });
  });
});

describe("bad requests", () => {
  const cases: [string, object, number, string][] = [
    ["neither file nor url", {}, 422, "invalid-request"],
    [
      "both file and url",
      { file: `file_${"0".repeat(24)}`, url: "https://a.io" },
      422,
      "invalid-request",
    ],
    ["an unknown field", { file: `file_${"0".repeat(24)}`, colour: 1 }, 422, "invalid-request"],
    ["a wrong type", { file: 7 }, 422, "invalid-request"],
    ["an unknown file", { file: `file_${"0".repeat(24)}` }, 404, "not-found"],
    ["an unknown model", { file: `file_${"0".repeat(24)}`, model: "gpt" }, 422, "unknown-model"],
    ["a task the model lacks", { url: "https://a.io", task: "deep" }, 422, "unsupported-option"],
    ["a backward range", { url: "https://a.io", pages: "3-1" }, 422, "invalid-page-selection"],
    [
      "a private webhook",
      { url: "https://a.io", webhook_url: "https://10.0.0.1/" },
      422,
      "url-refused",
    ],
    ["a private document", { url: "https://169.254.169.254/latest" }, 422, "url-refused"],
    ["a plain http document", { url: "http://example.com/a.pdf" }, 422, "url-refused"],
    ["a data URL that is no base64", { url: "data:application/pdf,abc" }, 422, "invalid-request"],
    ["a data URL of text", { url: `data:;base64,${btoa("hello")}` }, 415, "unsupported-media-type"],
  ];
  it.each(cases)("refuses %s", async (_name, body, status, code) => {
    const response = await ocr(body);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const problem = await json(response);
    expect([response.status, problem.type]).toEqual([status, `urn:fovea:problem:${code}`]);
    expect(problem.request_id).toBe(response.headers.get("x-request-id"));
  });

  it("refuses a body that is not JSON, and one that is too large", async () => {
    const headers = { "content-type": "application/json" };
    const broken = await post("/v1/ocr", key, "{", headers);
    expect([broken.status, (await json(broken)).type]).toEqual([
      400,
      "urn:fovea:problem:malformed-request",
    ]);
    const form = await post("/v1/ocr", key, "file=x", {
      "content-type": "application/x-www-form-urlencoded",
    });
    expect([form.status, (await json(form)).type]).toEqual([415, "urn:fovea:problem:not-json"]);
    const large = await post("/v1/ocr", key, `{"url":"${"x".repeat(21 * 1024 * 1024)}"}`, headers);
    expect(large.status).toBe(413);
  });
});

describe("documents by URL", () => {
  it("fetches them at the edge, and checks the target of every redirect", async () => {
    const bytes = pdf();
    cog.elsewhere.set("https://docs.io/a", () => Response.redirect("https://cdn.docs.io/b.pdf"));
    cog.elsewhere.set("https://cdn.docs.io/b.pdf", () => new Response(bytes));
    const job = await json(ocr({ url: "https://docs.io/a" }));
    const file = await json(call(`/v1/files/${job.file_id}`, { key }));
    expect(file).toMatchObject({
      name: "b.pdf",
      bytes: bytes.length,
      media_type: "application/pdf",
    });
  });

  it("refuses a redirect into a private network", async () => {
    cog.elsewhere.set("https://docs.io/a", () => Response.redirect("https://127.0.0.1/secret"));
    const response = await ocr({ url: "https://docs.io/a" });
    expect([response.status, (await json(response)).type]).toEqual([
      422,
      "urn:fovea:problem:url-refused",
    ]);
  });

  it("reports an address that does not answer, or answers with an error", async () => {
    expect((await json(ocr({ url: "https://nowhere.io/a" }))).type).toBe(
      "urn:fovea:problem:url-unreachable",
    );
    cog.elsewhere.set("https://docs.io/404", () => new Response(null, { status: 404 }));
    expect((await json(ocr({ url: "https://docs.io/404" }))).detail).toContain("404");
  });

  it("takes data URLs", async () => {
    const url = `data:application/pdf;base64,${btoa(String.fromCharCode(...pdf()))}`;
    expect((await ocr({ url })).status).toBe(202);
  });
});

it("keeps the model's digest with the result", async () => {
  const file = await upload(key);
  const stop = cog.work(1);
  const job = await json(ocr({ file: file.id }, { prefer: "wait=10" }));
  stop();
  await until(() => job.result.pages[0].model_digest === DIGEST);
});

describe("a token budget", () => {
  const vision = { model: "deepseek-ocr" };

  it("goes to every shard with its pages, and has separate results", async () => {
    const file = await upload(key);
    const stop = cog.work(6);
    const budgeted = { ...vision, file: file.id, pages: "1-5", token_budget: 900 };
    const job = await json(ocr(budgeted, { prefer: "wait=15" }));
    stop();
    expect(job).toMatchObject({ state: "succeeded", token_budget: 900, witness: false });
    expect(job).not.toHaveProperty("budget");
    expect(cog.predictions.map(({ input }) => input.pages)).toEqual(["1", "2,3,4,5"]);
    for (const { input } of cog.predictions)
      expect(input).toMatchObject({ token_budget: 900, budget_pages: "1-5" });
    // The same budget for the same pages is the same reading; for fewer pages it is another.
    const again = await ocr({ ...budgeted, cache: "only" });
    expect(again.headers.get("cache-status")).toBe("fovea; hit");
    expect((await ocr({ ...budgeted, pages: "1-2", cache: "only" })).status).toBe(404);
    for (const token_budget of [901, undefined])
      expect((await ocr({ ...budgeted, token_budget, cache: "only" })).status).toBe(404);
  });

  it("is ignored for a reader without vision tokens, which shares the plain reading", async () => {
    const file = await upload(key);
    const stop = cog.work(1);
    await ocr({ file: file.id }, { prefer: "wait=10" });
    stop();
    const response = await ocr({ file: file.id, token_budget: 100, cache: "only" });
    expect(response.headers.get("cache-status")).toBe("fovea; hit");
    expect((await json(response)).token_budget).toBeNull();
  });

  it("cannot be combined with a mode, and is a whole number above 0", async () => {
    const file = await upload(key);
    for (const wrong of [{ token_budget: 100, mode: "base" }, { token_budget: 0 }])
      expect((await json(ocr({ ...vision, file: file.id, ...wrong }))).type).toBe(
        "urn:fovea:problem:invalid-request",
      );
  });
});

describe("a witness", () => {
  it("is requested from the worker, is in the result, and has separate results", async () => {
    const file = await upload(key);
    const body = { model: "deepseek-ocr", file: file.id, witness: true };
    const witness = { model: "pp-ocr", model_digest: DIGEST, agreement: 0.4 };
    const stop = cog.work(1, () => ({ witness, verdict: "suspect", warnings: ["other words"] }));
    const job = await json(ocr(body, { prefer: "wait=10" }));
    stop();
    expect(job.witness).toBe(true);
    expect(job.result.pages[0]).toMatchObject({ verdict: "suspect", witness });
    expect(cog.predictions[0]?.input).toMatchObject({ witness: true });
    expect((await ocr({ ...body, witness: false, cache: "only" })).status).toBe(404);
    expect((await ocr({ ...body, cache: "only" })).status).toBe(200);
  });

  it("cannot check itself, nor what is not on the page", async () => {
    const file = await upload(key);
    for (const wrong of [{ model: "pp-ocr" }, { model: "deepseek-ocr", task: "describe" }])
      expect((await json(ocr({ file: file.id, witness: true, ...wrong }))).type).toBe(
        "urn:fovea:problem:unsupported-option",
      );
  });
});
