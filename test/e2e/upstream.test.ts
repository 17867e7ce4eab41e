/**
 * A second service whose worker has no model: it asks the first one's `/v1/chat/completions`, as it would ask
 * a vLLM server. Everything in between is real.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Api } from "../../scripts/api.ts";
import { startStack } from "../../scripts/stack.ts";
import { characterErrorRate } from "./cer.ts";
import { api, stack, truthOf, unseen } from "./support.ts";

const MODEL = "deepseek-ocr-upstream";

test("pages are read by another service, and parsed here", async () => {
  const data = mkdtempSync(join(tmpdir(), "fovea-upstream-"));
  const second = await startStack({
    data,
    models: MODEL,
    env: {
      worker: {
        FOVEA_MODELS: MODEL,
        FOVEA_GOLDEN_PAGE: "off",
        FOVEA_UPSTREAM_URL: `${stack.origin}/v1`,
        FOVEA_UPSTREAM_MODEL: "pp-ocr",
        FOVEA_UPSTREAM_KEY: stack.key,
      },
    },
  });
  try {
    const near = new Api(second.origin, second.key);
    const file = await near.upload(unseen("invoice.pdf"), "invoice.pdf");
    const { id } = await near.start({ file });
    for await (const _ of near.events(id));
    const job = await near.job(id);
    assert.deepEqual([job.state, job.pages[0]?.verdict], ["succeeded", "ok"]);
    assert.ok(characterErrorRate(await near.result(id, "txt"), truthOf("invoice")) < 0.05);
    const [page] = JSON.parse(await near.result(id, "json")).pages;
    assert.deepEqual([page.model, page.blocks.length > 3], [MODEL, true]);
    // The other service was asked about one image, and read it with a model of its own.
    const asked = (await (await api.call("/v1/jobs?limit=1")).json()) as {
      data: { model: string; progress: { done: number } }[];
    };
    assert.deepEqual([asked.data[0]?.model, asked.data[0]?.progress.done], ["pp-ocr", 1]);
  } finally {
    await second.stop();
    rmSync(data, { recursive: true, force: true });
  }
});
