/** The playground in Chromium against the real edge and the real worker. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { promisify } from "node:util";
import type { Locator, Page } from "playwright-core";
import {
  absent,
  example,
  findings,
  open,
  overflow,
  paste,
  readSample,
  shot,
  stack,
  token,
} from "./support.ts";

const root = join(import.meta.dirname, "../..");
const exec = promisify(execFile);

const naturalWidth = (image: Locator) =>
  image.evaluate(async (element: HTMLImageElement) => {
    await element.decode();
    return element.naturalWidth;
  });

/** The block of the page's text, and the box, that hold these words. */
const blockOf = (page: Page, words: string) =>
  page.locator(".blocks li").filter({ hasText: words });
const boxOf = async (page: Page, words: string) =>
  page.locator(`.box[data-block="${await blockOf(page, words).getAttribute("data-block")}"]`);

describe("playground", { skip: absent }, () => {
  // Read once without a tight timeout; the tests then use the cache.
  before(async () => {
    const { page, close } = await open();
    await readSample(page, "an invoice");
    await close();
  });

  test("a sample is read end to end, with boxes, text and facts", async () => {
    const { page, faults, requests, close } = await open();
    await shot(page, "start");
    await readSample(page, "an invoice");
    await blockOf(page, "LED copy light, 5000 K").waitFor();
    await page.locator(".about summary").click();
    const facts = await page.locator("#result .facts").innerText();
    assert.match(facts, /verdict\s+ok\s+read by\s+pp-ocr/);
    assert.match(facts, /cache\s+from the cache/);
    await page.locator(".about summary").click();
    assert.equal(await page.locator(".box").count(), await page.locator(".blocks li").count());
    const picture = page.getByRole("img", { name: "Page 1 as it was read" });
    await picture.waitFor();
    assert.equal(await naturalWidth(picture), 1191);
    await blockOf(page, "LED copy light, 5000 K").hover();
    await shot(page, "read");
    await page.getByRole("tab", { name: "JSON" }).click();
    assert.match(await page.locator(".source").innerText(), /"verdict": "ok"/);
    await page.getByRole("tab", { name: "Markdown" }).click();
    assert.match(await page.locator(".source").innerText(), /<td>LED copy light, 5000 K<\/td>/);
    assert.deepEqual(faults, []);
    for (const url of requests)
      assert.ok(url.startsWith(`${stack?.origin}/`) || url.startsWith("blob:"), url);
    await close();
  });

  test("the key of the address that npm start prints is taken, and cleared", async () => {
    const { page, faults, close } = await open(`/#key=${stack?.key}`);
    await page.getByRole("option", { name: "pp-ocr (default)" }).waitFor({ state: "attached" });
    assert.equal(await page.getByLabel("API key").inputValue(), stack?.key);
    assert.equal(page.url(), `${stack?.origin}/`);
    assert.deepEqual(faults, []);
    await close();
  });

  test("a request's form: words, tables, languages, with the keyboard alone", async () => {
    const { page, faults, close } = await open();
    await readSample(page, "an invoice");
    assert.equal(await page.locator(".part").count(), 0);
    await page.getByRole("button", { name: "Change" }).press("Enter");
    const more = page.getByText("More options");
    await more.focus();
    await page.keyboard.press("Enter");
    const choose = async (label: string, key: string, times = 1) => {
      await page.keyboard.press("Tab");
      assert.ok(await page.getByLabel(label).evaluate((field) => field === document.activeElement));
      for (let i = 0; i < times; i++) await page.keyboard.press(key);
    };
    await choose("Text layer of a PDF", "ArrowDown");
    await choose("Boxes of", "ArrowDown", 2);
    await choose("Tables in the Markdown", "ArrowDown");
    await choose("Figures in the Markdown", "ArrowDown", 2);
    await choose("Languages", "e");
    await page.keyboard.type("n, de");
    assert.match(await page.locator("#languages-note").innerText(), /^It reads .*\ben\b/);
    const options = {
      text_layer: "never",
      granularity: "word",
      table_format: "markdown",
      figures: "inline",
      languages: ["en", "de"],
    };
    assert.ok(
      (await page.locator("#snippet").textContent())?.includes(JSON.stringify(options).slice(1)),
    );
    await page.keyboard.press("Enter");
    const fact = (name: string) =>
      page.locator("#result .facts div", { hasText: name }).locator("dd");
    await fact("words").waitFor({ timeout: 120_000, state: "attached" });
    await page.locator(".about summary").click();
    assert.equal(await fact("characters from").innerText(), "recognition");
    const words = Number((await fact("words").innerText()).replace(",", ""));
    assert.ok(words > 50, String(words));
    assert.equal(await page.locator(".part").count(), words);
    const box = await page.locator(".part").first().boundingBox();
    const sheet = await page.locator("#document .sheet").boundingBox();
    assert.ok(box && sheet && box.width < sheet.width / 2 && box.y >= sheet.y);
    await page.getByRole("tab", { name: "Markdown" }).click();
    assert.match(await page.locator(".source").innerText(), /\| LED copy light, 5000 K \|/);
    assert.deepEqual(await findings(page), []);
    await page.getByRole("button", { name: "Change" }).click();
    await page.getByLabel("Languages").fill("th");
    await page.getByRole("button", { name: "Read", exact: true }).click();
    await page.getByRole("alert").getByText("does not have th").waitFor();
    assert.deepEqual(
      faults.filter((fault) => !fault.includes("422")),
      [],
    );
    await close();
  });

  test("figures are shown in the text, and characters come from the text layer", async () => {
    const { page, faults, close } = await open();
    const print = await page.context().newPage();
    await print.setContent(
      `<h1>The mill in winter</h1><p>${"The river froze in the first week of January. ".repeat(9)}</p>
       <canvas width="420" height="260"></canvas><p>Figure 1: Colours of the ice.</p>
       <p>${"In March the wheel turned again, and the miller came back. ".repeat(9)}</p>`,
    );
    await print.evaluate(() => {
      const canvas = document.querySelector("canvas")?.getContext("2d");
      for (let x = 0; x < 42; x++)
        for (let y = 0; y < 26; y++) {
          if (canvas) canvas.fillStyle = `rgb(${x * 6} ${(x * y * 37) % 256} ${y * 9})`;
          canvas?.fillRect(x * 10, y * 10, 10, 10);
        }
    });
    const buffer = await print.pdf({ format: "A4" });
    await print.close();
    await paste(page, stack?.key ?? "");
    const file = { name: "mill.pdf", mimeType: "application/pdf", buffer };
    await page.getByLabel("Choose files").setInputFiles(file);
    await page.getByRole("button", { name: "Read", exact: true }).click();
    await page.getByText(/^Read: 1 page/).waitFor({ timeout: 120_000 });
    const picture = page.locator(".blocks").getByRole("img", { name: /^Figure \d/ });
    await picture.waitFor();
    assert.ok((await naturalWidth(picture)) > 300);
    assert.match((await picture.getAttribute("src")) ?? "", /^blob:/);
    await page.getByText("read by pp-ocr from the text layer").waitFor();
    assert.deepEqual(await findings(page), []);
    assert.deepEqual(faults, []);
    await page.setViewportSize({ width: 360, height: 740 });
    assert.equal(await overflow(page), 0);
    await close();
  });

  test("pages appear one by one and can be selected; a document can be dropped", async () => {
    const { page, faults, close } = await open();
    await paste(page, stack?.key ?? "");
    const sample = await page.evaluateHandle(async () => {
      const data = new DataTransfer();
      const blob = await (await fetch("/samples/report-12.pdf")).blob();
      data.items.add(new File([blob], "year.pdf"));
      return data;
    });
    await page.dispatchEvent("#drop", "drop", { dataTransfer: sample });
    await page.locator("#chosen", { hasText: "year.pdf" }).waitFor();
    await page.getByLabel("Which pages").fill("2,4");
    await page.getByRole("button", { name: "Read", exact: true }).click();
    await page.getByText(/^Read: 2 pages/).waitFor({ timeout: 180_000 });
    await page.getByRole("button", { name: "Page 4, ok" }).click();
    await blockOf(page, "4. April at Weir Bridge").waitFor();
    await page.getByRole("button", { name: "Page 2, ok" }).click();
    await blockOf(page, "2. February at Weir Bridge").waitFor();
    assert.deepEqual(faults, []);
    await close();
  });

  test("a box and its text are linked for pointer and keyboard", async () => {
    const { page, close } = await open();
    await readSample(page, "an invoice");
    const [block, box] = [blockOf(page, "LED copy light"), await boxOf(page, "LED copy light")];
    const marked = async () => [
      await block.evaluate((element) => element.classList.contains("marked")),
      await box.evaluate((element) => element.classList.contains("marked")),
    ];
    const other = page.locator(".blocks li").first();
    await box.hover();
    assert.deepEqual(await marked(), [true, true]);
    await other.hover();
    assert.deepEqual(await marked(), [false, false]);
    await block.hover();
    assert.deepEqual(await marked(), [true, true]);
    await box.click();
    assert.ok(await block.evaluate((element) => element === document.activeElement));
    await page.keyboard.press("Enter");
    assert.ok(await box.evaluate((element) => element === document.activeElement));
    await page.keyboard.press("Home");
    assert.deepEqual(await marked(), [false, false]);
    assert.equal(await page.locator(":focus").getAttribute("data-block"), "1");
    await close();
  });

  test("the slider shows the page in each mode; a model reads it when asked, and misread words are marked", async () => {
    const { page, faults, close } = await open();
    const asked: string[] = [];
    page.on("request", (request) => {
      if (/\/v1\/ocr$/.test(request.url())) asked.push(request.postDataJSON().model ?? "");
    });
    await readSample(page, "an invoice");
    await page.getByRole("tab", { name: "Sharpness" }).click();
    const slider = page.getByLabel("Vision tokens");
    const row = (mode: string) => page.locator(".seen tbody tr", { hasText: mode });
    const cell = (mode: string, column: number) => row(mode).locator("td").nth(column);
    const look = async (mode: string, key?: string) => {
      if (key) await slider.press(key);
      const picture = page.getByRole("img", { name: `in mode ${mode}` });
      await picture.waitFor({ timeout: 180_000 });
      await cell(mode, 1).getByText(/\d/).waitFor();
      const tokens = Number((await cell(mode, 1).innerText()).replace(",", ""));
      return { width: await naturalWidth(picture), tokens };
    };
    const base = await look("base");
    assert.equal(await slider.getAttribute("aria-valuetext"), "base, 1024 px");
    assert.ok(!asked.includes("fovea-nano"), "no model reads unasked");
    assert.equal(await page.locator(".still").innerText(), "");
    await page.getByRole("button", { name: "Read it in mode base" }).click();
    await cell("base", 2).getByText("%").waitFor({ timeout: 180_000 });
    assert.ok(asked.includes("fovea-nano"));
    const misread = Number(await cell("base", 3).innerText());
    assert.equal(await page.locator(".still .misread").count(), misread);
    assert.ok(misread > 0 && misread < 60, String(misread));
    await shot(page, "sharpness");
    assert.deepEqual(await findings(page), []);
    const tiny = await look("tiny", "End");
    assert.ok(tiny.tokens < base.tokens && tiny.width < base.width, JSON.stringify({ tiny, base }));
    await page.getByRole("button", { name: "New document" }).click();
    await page.getByRole("button", { name: "a notice in Chinese" }).click();
    await page.getByText("chinese.png").first().waitFor();
    await page.route(/\/v1\/ocr$/, () => {}); // It is never answered.
    await page.getByRole("button", { name: "Read", exact: true }).click();
    await page.getByRole("img", { name: "Page 1", exact: true }).waitFor();
    assert.equal(await page.getByRole("img", { name: /in mode/ }).count(), 0, "the other document");
    assert.deepEqual(faults, []);
    await close();
  });

  test("a text file is rendered as a page, and its tokens are counted", async () => {
    const { page, faults, close } = await open();
    await paste(page, stack?.key ?? "");
    const buffer = Buffer.from("# A heading\n\nSome words of a text that nobody has scanned.\n");
    const text = { name: "note.md", mimeType: "text/markdown", buffer };
    await page.getByLabel("Choose files").setInputFiles(text);
    await page.getByRole("button", { name: "Read", exact: true }).click();
    await blockOf(page, "nobody has scanned").waitFor({ timeout: 120_000 });
    await page.getByRole("img", { name: "Page 1 as it was read" }).waitFor();
    assert.deepEqual(faults, []);
    await close();
  });

  test("everything works with the keyboard: key, sample, reading, tabs", async () => {
    const { page, close } = await open();
    const tabTo = async (what: RegExp) => {
      for (let i = 0; i < 40; i++) {
        await page.keyboard.press("Tab");
        const focus = page.locator(":focus");
        const name = await focus.evaluate(
          (element: HTMLElement) =>
            element.getAttribute("aria-label") ??
            (element as HTMLInputElement).labels?.[0]?.innerText ??
            element.innerText,
        );
        const ring = await focus.evaluate((element) => getComputedStyle(element).outlineStyle);
        if (!what.test(name)) continue;
        assert.ok(
          ring !== "none" || (await focus.getAttribute("type")) === "file",
          `${name} shows no focus`,
        );
        return;
      }
      assert.fail(`Tab does not come to ${what}`);
    };
    await page.keyboard.press("Tab");
    assert.equal(await page.locator(":focus").innerText(), "To the result");
    await tabTo(/^an invoice/);
    await page.keyboard.press("Space");
    await page.getByText("24 KiB").waitFor();
    await tabTo(/^API key/);
    await page.keyboard.type(stack?.key ?? "");
    await page.keyboard.press("Enter");
    await page.getByText(/^Read: 1 page/).waitFor();
    assert.ok(
      await page.locator("#work").evaluate((element) => element === document.activeElement),
    );
    await page.locator(".blocks li").first().waitFor();
    await tabTo(/^title: Invoice/);
    await page.keyboard.press("ArrowDown");
    assert.equal(await page.locator(".blocks li.marked").getAttribute("data-block"), "2");
    await tabTo(/^Text$/);
    await page.keyboard.press("ArrowRight");
    const markdown = page.getByRole("tab", { name: "Markdown" });
    assert.equal(await markdown.getAttribute("aria-selected"), "true");
    assert.match(await page.locator("#result").innerText(), /^# Invoice/m);
    await close();
  });

  test("a wrong key, no document, an unsupported file and a missing page are explained", async () => {
    const { page, close } = await open();
    const problem = page.getByRole("alert");
    await page.getByRole("button", { name: "Read", exact: true }).click();
    assert.match(await problem.innerText(), /A key is missing/);
    await page.getByLabel("API key").fill("fov_live_0000000000000000000000000wrong0");
    await page.getByLabel("API key").press("Tab");
    await problem.getByText("The API key is not valid").waitFor();
    assert.deepEqual(await findings(page), []);
    await paste(page, stack?.key ?? "");
    assert.equal(await problem.innerText(), "");
    await page.getByRole("button", { name: "Read", exact: true }).click();
    assert.match(await problem.innerText(), /A document is missing/);
    const words = {
      name: "notes.pdf",
      mimeType: "application/pdf",
      buffer: Buffer.from("no PDF at all"),
    };
    await page.getByLabel("Choose files").setInputFiles(words);
    await page.getByRole("button", { name: "Read", exact: true }).click();
    await problem.getByText("The file type is not supported").waitFor();
    assert.match(await problem.innerText(), /req_\w+/);
    await page.getByRole("button", { name: "an invoice" }).click();
    await page.getByText("24 KiB").waitFor();
    await page.getByLabel("Which pages").fill("1-0");
    await page.getByRole("button", { name: "Read", exact: true }).click();
    await problem.getByText("The page selection is not valid").waitFor();
    await close();
  });

  test("markup in a document never runs, neither in its text nor in its tables", async () => {
    const { page, faults, close } = await open();
    // An image of markup, made here and read by the real worker.
    const words = "<img src=x onerror=alert(1)>";
    const blank = await page.context().newPage();
    await blank.setContent(`<p id="words" style="font: 44px sans-serif; margin: 60px"></p>`);
    await blank.evaluate((text) => {
      (document.getElementById("words") as HTMLElement).textContent = text;
    }, words);
    const buffer = await blank.screenshot();
    await blank.close();
    await paste(page, stack?.key ?? "");
    await page
      .getByLabel("Choose files")
      .setInputFiles({ name: "hostile.png", mimeType: "image/png", buffer });
    await page.getByRole("button", { name: "Read", exact: true }).click();
    await page.getByText(/^Read: 1 page/).waitFor({ timeout: 120_000 });
    assert.match(await page.locator(".blocks").innerText(), /<img src=x onerror/);
    assert.equal(await page.locator(".blocks img").count(), 0);
    // A response as a manipulated model could give it.
    await page.route(/\/v1\/ocr$/, async (route) => {
      const response = await route.fetch();
      const job = await response.json();
      const evil = `<img src=x onerror=alert(2)><script>alert(3)</script>`;
      job.result.pages[0].blocks = [
        {
          id: 1,
          type: "table",
          bbox: [0, 0, 1, 1],
          text: evil,
          confidence: 1,
          html: `<table onclick="alert(4)"><tr><td colspan="2" onmouseover="alert(5)">${evil}cell &lt;b&gt;</td></tr></table>`,
        },
        { id: 2, type: "text", bbox: [0, 0, 1, 0.5], text: evil, confidence: 1 },
      ];
      await route.fulfill({ response, json: job });
    });
    await page.getByRole("button", { name: "Change" }).click();
    await page.getByRole("button", { name: "Read", exact: true }).click();
    await page.locator(".blocks td").hover();
    assert.equal(await page.locator(".blocks td").innerText(), "alert(3)cell <b>");
    assert.equal(
      await page.locator(".blocks :is(img, script, [onclick], [onmouseover], b)").count(),
      0,
    );
    await page.locator(".blocks li").nth(1).click({ force: true });
    assert.deepEqual(faults, []);
    // The policy also stops a script from setting markup from a string.
    const refused = await page.evaluate(() => {
      try {
        document.body.innerHTML = "<p>x</p>";
        return false;
      } catch {
        return true;
      }
    });
    assert.ok(refused);
    await close();
  });

  test("the code snippets run: curl, TypeScript and Python print the text", async () => {
    const { page, close } = await open();
    await readSample(page, "an invoice");
    await page.getByText("This request as code").click();
    const folder = mkdtempSync(join(tmpdir(), "fovea-snippets-"));
    copyFileSync(example("invoice.pdf"), join(folder, "invoice.pdf"));
    const env = { ...process.env, FOVEA_API_KEY: stack?.key };
    const run = async (language: string, command: string, suffix: string) => {
      await page.getByRole("tab", { name: language }).click();
      const code = await page.locator("#snippet").innerText();
      assert.doesNotMatch(code, new RegExp(stack?.key ?? "no key"));
      const script = join(folder, `snippet.${suffix}`);
      const client = join(root, "src/client/index.ts");
      writeFileSync(script, code.replace('"fovea-client"', JSON.stringify(client)));
      const { stdout } = await exec(command, [script], { cwd: folder, env });
      assert.match(stdout, /LED copy light, 5000 K/, language);
    };
    await run("curl", "bash", "sh");
    await run("TypeScript", process.execPath, "mts");
    await run("Python", join(root, ".venv/bin/python"), "py");
    rmSync(folder, { recursive: true });
    await close();
  });

  test("browser tokens suffice: one starts its job, another shows it", async () => {
    const { page, close } = await open();
    const writing = await token({ scope: "write" });
    await page.getByLabel("API key").fill(writing.token);
    await page.getByRole("button", { name: "an invoice" }).click();
    await page.getByText("24 KiB").waitFor();
    await page.getByRole("button", { name: "Read", exact: true }).click();
    await blockOf(page, "LED copy light").waitFor();
    await page.getByRole("button", { name: "Change" }).click();
    await page.getByRole("button", { name: "Read", exact: true }).click();
    await page.getByRole("alert").getByText("The browser token has already been used").waitFor();
    const reading = await token({ scope: "read", job: writing.job_id });
    await page.getByLabel("API key").fill(reading.token);
    await page.getByLabel("API key").press("Tab");
    await page.getByRole("button", { name: "Show the job" }).click();
    await blockOf(page, "LED copy light").waitFor();
    assert.equal(await page.getByRole("alert").innerText(), "");
    await close();
  });

  test("the key stays in the tab: not in localStorage, cookies, URLs or markup", async () => {
    const { page, requests, close } = await open();
    await readSample(page, "an invoice");
    const key = stack?.key ?? "";
    const kept = await page.evaluate(() => ({
      local: JSON.stringify(localStorage),
      cookie: document.cookie,
      session: JSON.stringify(sessionStorage),
      markup: document.documentElement.outerHTML,
    }));
    assert.ok(kept.session.includes(key));
    for (const place of [kept.local, kept.cookie, kept.markup, page.url(), ...requests])
      assert.ok(!place.includes(key));
    await page.getByRole("button", { name: "Change" }).click();
    await page.getByLabel("API key").fill("");
    await page.getByLabel("API key").press("Tab");
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    await close();
  });

  for (const [name, options] of [
    ["light", {}],
    ["dark", { colorScheme: "dark" }],
    ["360 px", { viewport: { width: 360, height: 740 }, hasTouch: true }],
  ] as const)
    test(`${name}: axe-core has no serious finding in any state, and nothing is wider than the window`, async () => {
      const { page, close } = await open("/", options);
      const look = async (state: string) => {
        assert.deepEqual(await findings(page), [], state);
        assert.equal(await overflow(page), 0, state);
      };
      await look("start");
      await page.getByText("More options").click();
      await look("options");
      await readSample(page, "an invoice");
      await page.getByText("This request as code").click();
      await look("read");
      await page.getByText("This request as code").click();
      await page.getByRole("tab", { name: "JSON" }).click();
      await look("JSON");
      await page.getByRole("tab", { name: "Text" }).click();
      await blockOf(page, "LED copy light").hover();
      if (name !== "light") await shot(page, name === "dark" ? "dark" : "phone", "#progress");
      await close();
    });
});
