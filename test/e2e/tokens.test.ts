/** Vision tokens outlive their page: a small random model of the official make, and everything else real. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Api } from "../../scripts/api.ts";
import { freePort, type Stack, startStack } from "../../scripts/stack.ts";

const root = join(import.meta.dirname, "../..");
const MODEL = "deepseek-ocr";

interface Page {
  mode: string;
  markdown: string;
  blocks: unknown[];
  text_tokens: number;
  model_digest: string;
  timings_ms: { encode: number };
  attempts: { encoded?: string }[];
}

describe("kept vision tokens", () => {
  const data = mkdtempSync(join(tmpdir(), "fovea-tokens-"));
  const checkpoint = join(data, "checkpoint");
  let stack: Stack;
  let api: Api;
  let metricsPort: number;
  let file: string;

  before(async () => {
    mkdirSync(checkpoint);
    execFileSync(join(root, ".venv/bin/python"), ["test/worker/tiny_checkpoint.py", checkpoint], {
      cwd: root,
      env: { ...process.env, PYTHONPATH: join(root, "src/gpu-worker") },
    });
    metricsPort = await freePort();
    stack = await startStack({
      data,
      models: MODEL,
      env: {
        worker: {
          FOVEA_MODELS: MODEL,
          FOVEA_GOLDEN_PAGE: "off",
          FOVEA_DEEPSEEK_DIR: checkpoint,
          FOVEA_THREADS: "1",
          FOVEA_MAX_NEW_TOKENS: "60",
          FOVEA_METRICS_PORT: String(metricsPort),
        },
      },
    });
    api = new Api(stack.origin, stack.key);
    const bytes = new Uint8Array(readFileSync(join(root, "examples/invoice.pdf")));
    file = await api.upload(bytes, "invoice.pdf");
  });

  after(async () => {
    await stack?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  /** How many views the worker's encoder has seen. */
  async function views(): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    return Number(/^fovea_engine_views_total\{.*\} (\S+)$/m.exec(text)?.[1]);
  }

  /** A reading of page 1: what was answered, and how many views were encoded for it. */
  async function ask(request: Record<string, unknown>) {
    const seen = await views();
    const response = await api.ocr({ file, pages: "1", model: MODEL, ...request }, 60);
    assert.equal(response.status, 200, await response.clone().text());
    const { id, result } = (await response.json()) as { id: string; result: { pages: Page[] } };
    const page = result.pages[0] as Page;
    const cache = response.headers.get("cache-status") as string;
    return { id, page, cache, encoded: (await views()) - seen };
  }

  const answer = ({ markdown, blocks, text_tokens, mode }: Page) => ({
    markdown,
    blocks,
    text_tokens,
    mode,
  });

  for (const mode of ["base", "gundam"]) {
    test(`another question in ${mode} mode skips the encoder and is answered as by a fresh reading`, async (t) => {
      const first = await ask({ mode, tokens: "keep" });
      assert.ok(first.encoded >= (mode === "gundam" ? 3 : 1), `${first.encoded} views`);
      const second = await ask({ mode, task: "describe" });
      assert.equal(second.encoded, 0);
      assert.match(second.cache, /^fovea-tokens; hit; detail="pages=1", fovea; fwd=miss/);
      assert.deepEqual(
        second.page.attempts.map(({ encoded }) => encoded),
        ["stored"],
      );
      const fresh = await ask({ mode, task: "describe", cache: "refresh" });
      assert.equal(fresh.encoded, first.encoded);
      assert.doesNotMatch(fresh.cache, /fovea-tokens/);
      assert.deepEqual(answer(second.page), answer(fresh.page));
      assert.ok(fresh.page.text_tokens > 0, JSON.stringify(fresh.page).slice(0, 2000));
      const [kept, made] = [second, fresh].map(({ page }) => page.timings_ms.encode.toFixed(0));
      t.diagnostic(
        `${mode}: ${first.encoded} views; tokens after ${kept} ms kept, ${made} ms made`,
      );
    });
  }

  test("encode makes tokens for the questions that come, and the client can have the file", async () => {
    const made = await ask({ mode: "small", task: "encode" });
    assert.deepEqual([made.encoded, made.page.markdown, made.page.blocks], [1, "", []]);
    const asked = await ask({ mode: "small", task: "free" });
    assert.deepEqual([asked.encoded, asked.page.attempts[0]?.encoded], [0, "stored"]);

    const response = await api.call(`/v1/jobs/${made.id}/pages/1/tokens`);
    const bytes = Buffer.from(await response.arrayBuffer());
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString());
    assert.equal(header.__metadata__.model_digest, made.page.model_digest);
    assert.deepEqual(header.vision_tokens.shape, [111, 48]);
    const { data } = (await (await api.call(`/v1/files/${file}/tokens`)).json()) as {
      data: { mode: string }[];
    };
    assert.deepEqual(data.map(({ mode }) => mode).sort(), ["base", "gundam", "small"]);
  });

  test("a model with another digest encodes for itself", async () => {
    await stack.worker.stop();
    appendFileSync(join(checkpoint, "sizes.json"), "\n");
    await stack.worker.start();
    const other = await ask({ mode: "base", task: "free", tokens: "keep" });
    assert.equal(other.encoded, 1);
    assert.doesNotMatch(other.cache, /fovea-tokens/);
    const digests = async () => {
      const list = await (await api.call(`/v1/files/${file}/tokens`)).json();
      const { data } = list as { data: { mode: string; model_digest: string }[] };
      return new Set(data.filter(({ mode }) => mode === "base").map((one) => one.model_digest));
    };
    assert.equal((await digests()).size, 2);
    const next = await ask({ mode: "base", task: "figure" });
    assert.equal(next.encoded, 0);
    assert.equal(next.page.model_digest, other.page.model_digest);

    const path = `/v1/files/${file}/tokens?model_digest=${other.page.model_digest}`;
    const gone = (await (await api.call(path, { method: "DELETE" })).json()) as { deleted: number };
    assert.deepEqual([gone.deleted, (await digests()).size], [1, 1]);
  });
});
