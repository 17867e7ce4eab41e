/** A worker that dies in the middle costs time, not pages. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { api, dispatches, pageNumbers, stack, unseen } from "./support.ts";

describe("recovery", () => {
  test("kill -9 of the Cog server after page 4 of 12: every page comes, none is read twice", async (t) => {
    const file = await api.upload(unseen("report-12.pdf"), "report-12.pdf");
    const job = await api.start({ file });
    const pushed: number[] = [];
    let killedAt = 0;
    let killed = 0;
    for await (const { type, data } of api.events(job.id)) {
      if (type !== "page" || killed) continue;
      pushed.push(data.page as number);
      if (pushed.length === 4) {
        killed = stack.worker.cogPid();
        killedAt = dispatches.length;
        process.kill(killed, "SIGKILL");
      }
    }
    assert.ok(killed, "the server was killed while the job ran");
    assert.notEqual(stack.worker.cogPid(), killed, "the supervisor started another");

    const end = await api.job(job.id);
    assert.equal(end.state, "succeeded");
    assert.deepEqual(
      end.pages.map(({ page, state, readings }) => ({ page, state, readings })),
      Array.from({ length: 12 }, (_, i) => ({ page: i + 1, state: "done", readings: 1 })),
    );
    const askedAgain = dispatches.slice(killedAt).flatMap(({ pages }) => pageNumbers(pages));
    assert.ok(askedAgain.length > 0 && askedAgain.length <= 8, `${askedAgain}`);
    for (const page of pushed) assert.ok(!askedAgain.includes(page), `page ${page} asked again`);
    t.diagnostic(`pushed before: ${pushed}; asked for afterwards: ${askedAgain}; 12 × 1 reading`);
  });

  test("a canceled job stays canceled, and the worker is free for the next one", async () => {
    const file = await api.upload(unseen("report-12.pdf"), "report-12.pdf");
    const job = await api.start({ file });
    for await (const { type } of api.events(job.id)) if (type === "page") break;
    const response = await api.call(`/v1/jobs/${job.id}/cancel`, { method: "POST" });
    assert.equal(((await response.json()) as { state: string }).state, "canceled");

    const next = await api.ocr({ file: await api.upload(unseen("photo.jpg"), "photo.jpg") }, 60);
    assert.equal(next.status, 200);
    assert.equal((await api.job(job.id)).state, "canceled");
    const again = await api.fetch(`/v1/jobs/${job.id}/cancel`, { method: "POST" });
    assert.equal(again.status, 409);
  });
});
