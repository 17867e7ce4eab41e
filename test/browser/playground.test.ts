/** The playground in a real Chromium, against the real edge and the real worker. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { absent, findings, open, readSample, shot } from "./support.ts";

describe("playground", { skip: absent }, () => {
  test("a sample is read end to end: picture, boxes, text, and what it cost", async () => {
    const { page, faults, close } = await open();
    assert.deepEqual(await findings(page), []);
    await shot(page, "empty");
    await readSample(page, "an invoice");
    await page.getByText("LED copy light, 5000 K").first().waitFor();
    await shot(page, "read");
    assert.deepEqual(await findings(page), []);
    assert.deepEqual(faults, []);
    await close();
  });
});
