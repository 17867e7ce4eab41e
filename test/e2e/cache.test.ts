/** A page is read once; after that nobody needs the worker for it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Job } from "../../scripts/api.ts";
import { api, dispatches, finished, read, stack, unseen } from "./support.ts";

describe("cache", () => {
  test("50 identical requests at once share one reading", async (t) => {
    const file = await api.upload(unseen("photo.jpg"), "photo.jpg");
    const before = dispatches.length;
    const responses = await Promise.all(Array.from({ length: 50 }, () => api.ocr({ file })));
    assert.deepEqual([...new Set(responses.map(({ status }) => status))], [202]);
    const states = responses.map(({ headers }) => headers.get("cache-status"));
    const collapsed = states.filter((state) => state?.includes("collapsed")).length;
    const jobs = await Promise.all(responses.map(async (r) => finished((await r.json()) as Job)));

    assert.deepEqual([...new Set(jobs.map(({ state }) => state))], ["succeeded"]);
    assert.equal(dispatches.length - before, 1, "one prediction");
    assert.equal(jobs.filter(({ pages }) => pages[0]?.source === "read").length, 1);
    for (const { pages } of jobs) assert.equal(pages[0]?.readings, 1);
    t.diagnostic(`50 requests: ${dispatches.length - before} reading, ${collapsed} collapsed`);
  });

  test("cache: only is refused with 404 for a page that was never read", async () => {
    const file = await api.upload(unseen("invoice.pdf"), "invoice.pdf");
    const response = await api.ocr({ file, cache: "only" });
    assert.equal(response.status, 404);
    const { type } = (await response.json()) as { type: string };
    assert.equal(type, "urn:fovea:problem:not-cached");
  });

  test("cache: refresh reads again", async () => {
    const job = await read(unseen("invoice.pdf"));
    const again = await finished(await api.start({ file: job.file_id, cache: "refresh" }));
    assert.equal(again.state, "succeeded");
    assert.equal(again.pages[0]?.source, "read");
    assert.equal(again.pages[0]?.readings, 2);
  });

  test("other options are another reading", async () => {
    const job = await read(unseen("invoice.pdf"));
    const response = await api.ocr({ file: job.file_id, dpi: 100 }, 60);
    assert.match(response.headers.get("cache-status") ?? "", /fwd=miss/);
  });

  test("with the worker stopped, what was read is served in every format and for any pages", async (t) => {
    const job = await read(unseen("report-12.pdf"), { pages: "1-4" });
    assert.equal(job.state, "succeeded");
    await stack.worker.stop();
    try {
      const ready = await fetch(`${stack.origin}/ready`);
      assert.equal(ready.status, 503, "the worker is really gone");

      const began = performance.now();
      const response = await api.ocr({ file: job.file_id, pages: "2,4" }, 10);
      t.diagnostic(
        `worker stopped: ${response.status}, ${response.headers.get("cache-status")}, ${(performance.now() - began).toFixed(0)} ms`,
      );
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("cache-status"), "fovea; hit");
      const again = (await response.json()) as Job;
      assert.deepEqual(
        again.result?.pages.map(({ page }) => page),
        [2, 4],
      );
      for (const format of ["json", "md", "html", "txt"] as const) {
        const text = await api.result(again.id, format, "4");
        assert.match(text, /4\. April at Weir Bridge/);
        assert.doesNotMatch(text, /February/);
      }
      const only = await api.ocr({ file: job.file_id, pages: "1-4", cache: "only" }, 10);
      assert.equal(only.status, 200);
    } finally {
      await stack.worker.start();
    }
  });
});
