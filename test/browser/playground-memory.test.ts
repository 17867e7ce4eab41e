/** The page /memory in Chromium against the real edge and the real worker. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Locator } from "playwright-core";
import { absent, findings, open, overflow, paste, shot, stack } from "./support.ts";

const naturalWidth = (image: Locator) =>
  image.evaluate(async (element: HTMLImageElement) => {
    await element.decode();
    return element.naturalWidth;
  });

describe("memory", { skip: absent }, () => {
  test("a conversation fits into smaller and smaller budgets, is read back and searched", async () => {
    const { page, faults, close } = await open("/memory");
    await paste(page, stack?.key ?? "");
    const conversation = page.getByLabel("A conversation");
    while (!(await conversation.inputValue()).includes("glass negatives"))
      await page.waitForTimeout(50);
    await page.getByLabel("Whose tokens count").selectOption("deepseek-ocr");
    await page.getByRole("button", { name: "Remember it" }).click();
    await page.getByRole("button", { name: "In half the tokens" }).waitFor();
    const tokens = async () =>
      Number((await page.locator(".tokens strong").innerText()).replace(",", ""));
    const asText = await tokens();
    assert.equal(await page.locator(".memories img").count(), 0);
    const seen = [];
    for (const name of ["half the tokens", "a quarter", "an eighth"]) {
      await page.getByRole("button", { name: `In ${name}` }).click();
      await page
        .getByRole("button", { name, exact: true })
        .and(page.locator("[aria-pressed=true]"))
        .waitFor({ timeout: 180_000 });
      seen.push(await tokens());
      if (name !== "half the tokens") continue;
      const picture = page.locator(".memories img").first();
      assert.match((await picture.getAttribute("alt")) ?? "", /in the form/);
      assert.ok((await naturalWidth(picture)) >= 512);
      await shot(page, "memory", "#memory");
      await page.getByRole("button", { name: "Read it back" }).first().click();
      await page.getByText(/message 1, read by/).waitFor({ timeout: 180_000 });
    }
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => b - a),
    );
    assert.ok((seen[0] as number) <= asText / 2, `${asText} to ${seen}`);
    await page.getByLabel(/to look for/).fill("emulsion");
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByText(/message 2$/).waitFor();
    assert.deepEqual(await findings(page), []);
    await page.getByRole("button", { name: "all of it", exact: true }).click();
    assert.equal(await page.locator(".memories img").count(), 0);
    await page.getByRole("button", { name: "Forget it" }).click();
    await page.locator(".fading").waitFor({ state: "hidden" });
    const left = await fetch(`${stack?.origin}/v1/contexts`, {
      headers: { authorization: `Bearer ${stack?.key}` },
    });
    assert.deepEqual((await left.json()).data, []);
    assert.deepEqual(faults, []);
    await close();
  });

  test("a key is asked for; a wrong one is explained; 360 px are enough", async () => {
    const { page, close } = await open("/memory", { viewport: { width: 360, height: 740 } });
    const note = page.locator("#memory [role=status]");
    await note.getByText("Paste an API key first").waitFor();
    assert.ok(await page.getByRole("button", { name: "Remember it" }).isDisabled());
    await page.getByLabel("API key").fill("fov_live_0000000000000000000000000wrong0");
    await page.getByLabel("API key").press("Tab");
    await note.getByText("The API key is not valid").waitFor();
    assert.deepEqual(await findings(page), []);
    assert.equal(await overflow(page), 0);
    await close();
  });
});
