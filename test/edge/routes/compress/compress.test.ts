/** Compress and fidelity in the Worker, with a stub that renders a text as one page and reads it back. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Eyes } from "../../eyes.ts";
import { call, env, json, newKey, post } from "../../support.ts";

let eyes: Eyes;
let key: string;
beforeEach(async () => {
  eyes = new Eyes().start();
  key = await newKey();
});
afterEach(() => {
  env.LOG_REQUESTS = "false";
  eyes.stop();
  vi.restoreAllMocks();
});

const text = "The ferry was seen at the gate by the keeper. ".repeat(20);
const compress = (body: object, headers = {}) =>
  post("/v1/compress", key, { text, ...body }, { prefer: "wait=20", ...headers });

describe("compress", () => {
  it("makes images of a text and reports their cost", async () => {
    const answer = await json(compress({ mode: "tiny" }));
    expect(answer).toMatchObject({
      state: "succeeded",
      mode: "tiny",
      text_tokens: 900,
      vision_tokens: 64,
      compression: 14.063,
      verification: null,
    });
    expect(answer.pages).toMatchObject([{ page: 1, vision_tokens: 64, measured: null }]);
    const image = await call(answer.pages[0].image, { key });
    expect([image.status, image.headers.get("content-type")]).toEqual([200, "image/png"]);
    expect((await call(answer.pages[0].image, { key: await newKey() })).status).toBe(404);
  });

  it("reads them back if requested", async () => {
    const clear = await json(compress({ mode: "base", verify: true }));
    expect(clear.verification).toMatchObject({
      model: "pp-ocr",
      state: "done",
      cer: 0,
      precision: 1,
    });
    expect(clear.pages[0].measured).toEqual({ cer: 0, wer: 0, precision: 1 });
    const faint = await json(compress({ mode: "tiny", verify: true }));
    expect(faint.verification.precision).toBeLessThan(0.9);
    expect(faint.verification.cer).toBeCloseTo(1 - faint.verification.precision, 12);
    expect(eyes.seen.map(({ model, mode }) => `${model} ${mode}`)).toEqual([
      "fovea-render base",
      "pp-ocr auto",
      "fovea-render tiny",
      "pp-ocr auto",
    ]);
  });

  it("counts as one request of the key, with one log line, however many documents it reads", async () => {
    const { key: slow } = await json(post("/v1/keys", key, { rate_per_minute: 9 }));
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((line) => void lines.push(line));
    env.LOG_REQUESTS = "true";
    const body = { text, mode: "base", verify: true };
    const response = await post("/v1/compress", slow, body, { prefer: "wait=20" });
    const { job_id, file_id, verification } = await json(response);
    expect(verification.jobs).toHaveLength(1);
    const logged = lines.map((line) => JSON.parse(line));
    expect(response.headers.get("ratelimit")).toBe('"key";r=8;t=0');
    const next = await call("/v1/models", { key: slow });
    expect(next.headers.get("ratelimit")).toBe('"key";r=7;t=0');
    expect(
      logged.filter(({ event, route }) => event === "request" && /^\/v1\//.test(route)),
    ).toMatchObject([{ route: "/v1/compress", status: 200, job_id }]);
    // The text is stored unchanged, so an upload of it is the same file.
    const headers = { "content-type": "text/markdown" };
    const same = await json(post("/v1/files", slow, new TextEncoder().encode(text), headers));
    expect(same.id).toBe(file_id);
  });

  it("uses the cheapest mode that is expected to reach the precision", async () => {
    expect((await json(compress({}))).mode).toBe("tiny");
    expect((await json(compress({ target_precision: 0.999 }))).mode).toBe("gundam");
  });

  it("reports that it is still running, and continues when asked again", async () => {
    eyes.stop();
    const response = await post("/v1/compress", key, { text });
    expect([response.status, response.headers.get("retry-after")]).toEqual([202, "2"]);
    expect(await json(response)).toMatchObject({ pages: [], text_tokens: null });
    eyes = new Eyes().start();
    // The stub that accepted the first prediction no longer exists. The page is still in flight and shared.
    const again = await post("/v1/compress", key, { text: `${text}!` }, { prefer: "wait=20" });
    expect(again.status).toBe(200);
  });

  it("rejects readers that do not read, unknown modes, and missing scopes", async () => {
    expect((await compress({ reader: "fovea-render" })).status).toBe(422);
    expect((await compress({ verify: true, reader: "nobody" })).status).toBe(422);
    expect((await compress({ mode: "huge" })).status).toBe(422);
    const reader = await newKey({ scopes: ["read"] });
    expect((await post("/v1/compress", reader, { text })).status).toBe(403);
  });
});

describe("fidelity", () => {
  const fidelity = (body: object, by = key) =>
    post("/v1/fidelity", by, { truth: text, ...body }, { prefer: "wait=20" });
  const document = async (mode: string) => {
    const { pages } = await json(compress({ mode }));
    const image = await (await call(pages[0].image, { key })).arrayBuffer();
    const headers = { "content-type": "application/octet-stream" };
    return (await json(post("/v1/files", key, new Uint8Array(image), headers))).id;
  };

  it("refuses a mode that the reader lacks, before it starts a job in any other", async () => {
    const body = { url: "https://docs.io/a.png", model: "unlimited-ocr", modes: ["base", "tiny"] };
    const answer = await fidelity(body);
    expect(answer.status).toBe(422);
    expect(await answer.text()).toContain("auto, base, gundam");
  });

  it("reports the loss of each mode", async () => {
    const file = await document("base");
    const report = await json(fidelity({ file, model: "deepseek-ocr", modes: ["tiny", "base"] }));
    expect(report).toMatchObject({ model: "deepseek-ocr", state: "done" });
    expect(report.modes).toMatchObject([
      { mode: "tiny", state: "succeeded", cer: 0, precision: 1 },
      { mode: "base", state: "succeeded", cer: 0, precision: 1 },
    ]);
  });

  it("fetches a document once for all modes", async () => {
    const bytes = await (async () => {
      const { pages } = await json(compress({ mode: "base" }));
      return (await call(pages[0].image, { key })).arrayBuffer();
    })();
    let fetched = 0;
    eyes.cog.elsewhere.set("https://docs.io/a.png", () => {
      fetched++;
      return new Response(bytes);
    });
    const body = { url: "https://docs.io/a.png", model: "deepseek-ocr", modes: ["small", "base"] };
    const report = await json(fidelity(body));
    expect(report.modes).toMatchObject([{ state: "succeeded" }, { state: "succeeded" }]);
    expect(fetched).toBe(1);
  });

  it("has one mode for a reader without vision tokens, and compares an existing job", async () => {
    const file = await document("tiny");
    const { modes } = await json(fidelity({ file }));
    expect(modes).toHaveLength(1);
    expect(modes[0].cer).toBeGreaterThan(0.05);
    const again = await json(fidelity({ job: modes[0].job_id }));
    expect(again.modes).toEqual(modes);
    expect((await fidelity({ job: modes[0].job_id }, await newKey())).status).toBe(404);
  });

  it("has no figures for failed pages", async () => {
    eyes.broken.add("pp-ocr");
    const { modes } = await json(fidelity({ file: await document("base") }));
    expect(modes[0]).toMatchObject({ state: "failed", cer: null, precision: null });
  });

  it("takes exactly one of file, url and job", async () => {
    expect((await fidelity({})).status).toBe(422);
    const both = { url: "https://example.com/a.pdf", job: `job_${"0".repeat(24)}` };
    expect((await fidelity(both)).status).toBe(422);
  });
});
