/** Jobs in the playground: the address, several documents, what is refused, saving, the sample without a key. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { strFromU8, unzipSync } from "fflate";
import type { Page } from "playwright-core";
import { absent, example, findings, open, overflow, paste, readSample, stack } from "./support.ts";

const root = join(import.meta.dirname, "../..");
const python = join(root, ".venv/bin/python");

const firstBlock = (page: Page) => page.locator(".blocks li").first();
const read = (page: Page) => page.getByRole("button", { name: "Read", exact: true }).click();

/** Drops samples under their names, and files with other contents. */
async function drop(page: Page, samples: string[], others: Record<string, string> = {}) {
  const data = await page.evaluateHandle(
    async ([samples, others]) => {
      const data = new DataTransfer();
      for (const name of samples)
        data.items.add(new File([await (await fetch(`/samples/${name}`)).blob()], name));
      for (const [name, content] of Object.entries(others))
        data.items.add(new File([content], name));
      return data;
    },
    [samples, others] as const,
  );
  await page.dispatchEvent("#drop", "drop", { dataTransfer: data });
}

/**
 * A page, the upper half black. Pillow writes fax and JPEG 2000. A generic region of JBIG2 may hold the data of a fax, so
 * two segments around that make a stream of it: the page, and the region.
 */
const SCAN = `import io, struct, sys
from PIL import Image, ImageChops
page = Image.new("RGBA" if sys.argv[1] == "JPXDecode" else "1", (600, 800), "white")
page.paste("black", (0, 0, 600, 400))
out = io.BytesIO()
page.save(out, "pdf")
pdf = out.getvalue()
if sys.argv[1] == "JBIG2Decode":
    fax = io.BytesIO()
    # In fax data of a TIFF by Pillow, black is white.
    ImageChops.invert(page).save(fax, "tiff", compression="group4")
    tags = Image.open(fax).tag_v2
    size = struct.pack(">II", 600, 800)
    data = b"".join(fax.getvalue()[at : at + length] for at, length in zip(tags[273], tags[279]))
    region = size + struct.pack(">IIBB", 0, 0, 0, 1) + data
    jbig2 = struct.pack(">IBBBI", 0, 48, 0, 1, 19) + size + struct.pack(">IIBH", 0, 0, 0, 0)
    jbig2 += struct.pack(">IBBBI", 1, 38, 0, 1, len(region)) + region
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</XObject<</i 5 0 R>>>>>>",
        b"<</Length 23>>stream\\n600 0 0 800 0 0 cm /i Do\\nendstream",
        b"<</Type/XObject/Subtype/Image/Width 600/Height 800/BitsPerComponent 1/ColorSpace/DeviceGray/Filter/JBIG2Decode"
        b"/Length %d>>stream\\n%s\\nendstream" % (len(jbig2), jbig2),
    ]
    pdf = b"%PDF-1.7\\n" + b"".join(b"%d 0 obj%s endobj\\n" % (n, o) for n, o in enumerate(objects, 1))
    pdf += b"trailer<</Root 1 0 R/Size 6>>\\n"
sys.stdout.buffer.write(pdf)`;

describe("playground: jobs", { skip: absent }, () => {
  test("the browser draws the document before the service does, and after it", async () => {
    const { page, faults, close } = await open();
    await paste(page, stack?.key ?? "");
    await page.getByRole("button", { name: "an invoice" }).click();
    await page.getByRole("img", { name: "First page" }).waitFor();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    await page.route(/\/v1\/ocr$/, async (route) => {
      if (route.request().postDataJSON().model === "fovea-render") return route.abort();
      await held;
      await route.continue();
    });
    await read(page);
    const drawn = page.getByRole("img", { name: "Page 1", exact: true });
    await drawn.waitFor();
    assert.equal(await drawn.evaluate((image: HTMLImageElement) => image.naturalWidth), 1400);
    await page.getByText("The text appears here as soon as the page is read.").waitFor();
    assert.deepEqual(await findings(page), []);
    release();
    await firstBlock(page).waitFor({ timeout: 120_000 });
    assert.ok(await drawn.isVisible());
    assert.deepEqual(
      faults.filter((fault) => !fault.includes("ERR_FAILED")),
      [],
    );
    await close();
  });

  test("both panes are as high as the window, and the text scrolls in its own", async () => {
    const { page, close } = await open();
    await readSample(page, "a paper");
    await firstBlock(page).waitFor();
    const scrolled = await page.evaluate(() => document.documentElement.scrollHeight - innerHeight);
    assert.equal(scrolled, 0);
    const [panes, text] = [page.locator(".pane"), page.locator("#panel-page")];
    for (const pane of await panes.all()) {
      const box = await pane.boundingBox();
      assert.ok(box && box.y < 200 && box.height > 550, JSON.stringify(box));
    }
    await page.locator(".blocks li").last().focus();
    assert.ok(await text.evaluate((element) => element.scrollTop > 0));
    await close();
  });

  test("the job is in the address: reload, Back and Forward keep it", async () => {
    const { page, faults, close } = await open();
    await readSample(page, "an invoice");
    await firstBlock(page).waitFor();
    const address = page.url();
    assert.match(address, /\/#job=job_\w+$/);
    await page.reload();
    await firstBlock(page).waitFor();
    await page.getByRole("img", { name: "Page 1" }).waitFor();
    await page.getByText("invoice.pdf", { exact: true }).first().waitFor();
    await page.goBack();
    await page.getByRole("button", { name: "Read", exact: true }).waitFor();
    assert.equal(new URL(page.url()).hash, "");
    await page.goForward();
    await firstBlock(page).waitFor();
    assert.equal(page.url(), address);
    // Another tab has no key yet, and is told so.
    const other = await page.context().newPage();
    await other.goto(address);
    await other.getByRole("alert").getByText("A key is missing").waitFor();
    await paste(other, stack?.key ?? "");
    await firstBlock(other).waitFor();
    await other.goto(`/#job=job_${"0".repeat(24)}`);
    await other.getByRole("alert").getByText("No such job").waitFor();
    assert.deepEqual(faults, []);
    await close();
  });

  test("several documents become several jobs; others are refused in words; recent jobs are listed", async () => {
    const { page, close } = await open();
    await paste(page, stack?.key ?? "");
    await drop(page, ["invoice.pdf", "chinese.png"], { "old.zip": "PK", "letter.doc": "x" });
    const problem = page.getByRole("alert");
    await problem.getByText("old.zip is of a type that is not read. Unpack it").waitFor();
    assert.match(await problem.innerText(), /letter\.doc .* Save it as \.docx\./);
    assert.match(await page.locator("#chosen").innerText(), /^invoice\.pdf .*\s+chinese\.png /);
    await read(page);
    const sent = page.getByRole("navigation", { name: "Documents sent together" });
    await sent.getByRole("link", { name: "chinese.png Read" }).waitFor({ timeout: 180_000 });
    const invoice = page.url();
    await sent.getByRole("link", { name: "chinese.png" }).click();
    await page.locator("#document-name", { hasText: "chinese.png" }).waitFor();
    await firstBlock(page).waitFor();
    assert.notEqual(page.url(), invoice);
    await page.getByText("Recent jobs").click();
    const recent = page.locator("#jobs");
    assert.match(await recent.innerText(), /invoice\.pdf\s+Read, 1 page\s+pp-ocr, /);
    assert.equal(await recent.getByText("fovea-render").count(), 0);
    assert.deepEqual(await findings(page), []);
    await page.keyboard.press("Escape");
    assert.ok(!(await recent.isVisible()));
    await page.getByRole("button", { name: "New document" }).click();
    await page.getByText("No document yet.").waitFor();
    await recent.getByRole("link", { name: "chinese.png" }).first().click();
    await firstBlock(page).waitFor();
    await close();
  });

  test("scans in a PDF are drawn: fax, JBIG2 and JPEG 2000, without WebAssembly", async () => {
    const { page, faults, close } = await open();
    for (const filter of ["CCITTFaxDecode", "JBIG2Decode", "JPXDecode"]) {
      const buffer = execFileSync(python, ["-c", SCAN, filter]);
      assert.ok(buffer.toString("latin1").includes(filter));
      const name = `scan-${filter}.pdf`;
      const scan = { name, mimeType: "application/pdf", buffer };
      await page.getByLabel("Choose files").setInputFiles(scan);
      await page.locator("#chosen", { hasText: name }).waitFor();
      const thumb = page.getByRole("img", { name: "First page" });
      await thumb.waitFor();
      const [upper, lower] = await thumb.evaluate(async (image: HTMLImageElement) => {
        await image.decode();
        const canvas = new OffscreenCanvas(2, 2).getContext("2d");
        canvas?.drawImage(image, 0, 0, 2, 2);
        return [canvas?.getImageData(0, 0, 1, 1).data[0], canvas?.getImageData(0, 1, 1, 1).data[0]];
      });
      // Scaling softens the edge between the halves.
      assert.ok(Number(upper) < 64 && Number(lower) > 190, `${filter}: ${upper}, ${lower}`);
    }
    assert.deepEqual(faults, []);
    await close();
  });

  test("a pasted picture is a document", async () => {
    const { page, close } = await open();
    await paste(page, stack?.key ?? "");
    await page.evaluate(async () => {
      const blob = await (await fetch("/samples/chinese.png")).blob();
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([blob], "image.png", { type: "image/png" }));
      dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
    });
    await page.locator("#chosen", { hasText: "image.png" }).waitFor();
    await read(page);
    await firstBlock(page).waitFor({ timeout: 120_000 });
    await close();
  });

  test("a protected PDF asks for its password, and is drawn and read with it", async () => {
    const script = `import io, sys, pypdf
writer = pypdf.PdfWriter(clone_from=sys.argv[1])
writer.encrypt("secret words", algorithm="RC4-128")
out = io.BytesIO()
writer.write(out)
sys.stdout.buffer.write(out.getvalue())`;
    const buffer = execFileSync(python, ["-c", script, example("invoice.pdf")]);
    const { page, close } = await open();
    await paste(page, stack?.key ?? "");
    const file = { name: "protected.pdf", mimeType: "application/pdf", buffer };
    await page.getByLabel("Choose files").setInputFiles(file);
    await page.getByText("This PDF is protected.").waitFor();
    // Without it the service says the same, and the field has the focus.
    await read(page);
    await page
      .getByRole("alert")
      .getByText("protected by a password")
      .waitFor({ timeout: 120_000 });
    const field = page.getByLabel("Password of the PDF");
    assert.ok(await field.evaluate((element) => element === document.activeElement));
    await field.fill("wrong");
    await field.press("Tab");
    await page.getByText("This password does not open it.").waitFor();
    await field.fill("secret words");
    await field.press("Tab");
    await page.getByRole("img", { name: "First page" }).waitFor();
    assert.doesNotMatch((await page.locator("#snippet").textContent()) ?? "", /secret words/);
    await read(page);
    await page.locator(".blocks li", { hasText: "LED copy light" }).waitFor({ timeout: 120_000 });
    await page.getByRole("img", { name: "Page 1" }).waitFor();
    assert.ok(!page.url().includes("secret"));
    await close();
  });

  test("every format of the API is downloaded, and those of text are copied", async () => {
    const { page, faults, close } = await open("/", {
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await readSample(page, "an invoice");
    await firstBlock(page).waitFor();
    const spec = await (await fetch(`${stack?.origin}/openapi.json`)).json();
    const format = page.getByLabel("Format");
    const offered = await format
      .locator("option")
      .evaluateAll((all) => all.map((option) => (option as HTMLOptionElement).value));
    assert.deepEqual(offered.toSorted(), spec.components.schemas.ResultFormat.enum.toSorted());
    const heads: Record<string, string> = {
      pdf: "%PDF",
      overlay: "%PDF",
      docx: "PK",
      xlsx: "PK",
      mdzip: "PK",
    };
    for (const name of offered) {
      await format.selectOption(name);
      const waiting = page.waitForEvent("download", { timeout: 120_000 });
      await page.getByRole("button", { name: "Download" }).click();
      const file = await waiting;
      assert.match(file.suggestedFilename(), /^invoice\.[a-z.]+$/);
      const bytes = readFileSync(await file.path());
      assert.ok(bytes.length > 50, name);
      assert.ok(bytes.toString("latin1").startsWith(heads[name] ?? ""), name);
      const copy = page.getByRole("button", { name: "Copy", exact: true });
      assert.equal(await copy.isDisabled(), name in heads, name);
      if (name in heads) continue;
      await copy.click();
      await page.locator("#save").getByText("Copied.").waitFor();
      const copied = await page.evaluate(() => navigator.clipboard.readText());
      assert.equal(copied.replaceAll("\r\n", "\n"), bytes.toString().replaceAll("\r\n", "\n"));
    }
    assert.deepEqual(
      faults.filter((fault) => !fault.includes("409")),
      [],
    );
    await close();
  });

  test("a table is copied, and saved as CSV and Excel", async () => {
    const { page, close } = await open("/", { permissions: ["clipboard-read", "clipboard-write"] });
    await readSample(page, "an invoice");
    await page.getByRole("button", { name: "Copy table" }).click();
    await page.locator(".tools").getByText("Copied.").waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(copied, /^No\.\tDescription\tQuantity\tUnit price\tAmount\n1\tMicrofilm scanner/);
    const saved = async (name: string) => {
      const waiting = page.waitForEvent("download");
      await page.getByRole("button", { name, exact: true }).click();
      const file = await waiting;
      return { name: file.suggestedFilename(), path: await file.path() };
    };
    const csv = await saved("CSV");
    assert.equal(csv.name, "invoice-page-1-table-1.csv");
    assert.match(
      readFileSync(csv.path, "utf8"),
      /^1,"Microfilm scanner, refurbished",1,"1,840\.00"/m,
    );
    const excel = await saved("Excel");
    assert.equal(excel.name, "invoice-page-1-table-1.xlsx");
    const parts = unzipSync(readFileSync(excel.path));
    assert.match(strFromU8(parts["xl/workbook.xml"] as Uint8Array), /name="Page 1, table 1"/);
    const sheet = strFromU8(parts["xl/worksheets/sheet1.xml"] as Uint8Array);
    assert.match(sheet, /Microfilm scanner, refurbished.*<v>1840\.00<\/v>/);
    await close();
  });

  test("tables with merged cells and formulas; one sheet of several", async () => {
    const { page, faults, close } = await open();
    const { rows, text, sheets } = await page.evaluate(async () => {
      const { grid, csv, onlySheet } = await import("/js/tables.js" as string);
      const { strFromU8, strToU8, unzipSync, zipSync } = await import(
        "/vendor/fflate.js" as string
      );
      const table = document.createElement("table");
      const add = (cells: [string, number, number][]) => {
        const row = table.insertRow();
        for (const [text, columns, rows] of cells)
          Object.assign(row.insertCell(), { textContent: text, colSpan: columns, rowSpan: rows });
      };
      add([
        ["a", 1, 2],
        ["b, c", 2, 1],
      ]);
      add([
        ["=1+1", 1, 1],
        ["-5", 1, 1],
      ]);
      const part = (i: number) => [`xl/worksheets/sheet${i}.xml`, strToU8(`sheet ${i}`)];
      const lines = (make: (i: number) => string) => strToU8([1, 2, 11].map(make).join(""));
      const workbook = zipSync({
        ...Object.fromEntries([1, 2, 11].map(part)),
        "xl/workbook.xml": lines((i) => `<sheet name="t" sheetId="${i}" r:id="s${i}"/>`),
        "[Content_Types].xml": lines(
          (i) => `<Override PartName="/xl/worksheets/sheet${i}.xml" ContentType="x"/>`,
        ),
      });
      const files = unzipSync(onlySheet(workbook, 1)) as Record<string, Uint8Array>;
      return {
        rows: grid(table) as string[][],
        text: csv(grid(table)) as string,
        sheets: Object.entries(files).map(([name, bytes]) => `${name}: ${strFromU8(bytes)}`),
      };
    });
    assert.deepEqual(rows, [
      ["a", "b, c", ""],
      ["", "=1+1", "-5"],
    ]);
    assert.equal(text, `a,"b, c",\r\n,'=1+1,-5\r\n`);
    assert.deepEqual(sheets, [
      "xl/worksheets/sheet1.xml: sheet 1",
      'xl/workbook.xml: <sheet name="t" sheetId="1" r:id="s1"/>',
      '[Content_Types].xml: <Override PartName="/xl/worksheets/sheet1.xml" ContentType="x"/>',
    ]);
    assert.deepEqual(faults, []);
    await close();
  });

  test("data by a schema: values lead to their places on the page", async () => {
    const { page, faults, close } = await open();
    await readSample(page, "an invoice");
    await page.getByRole("tab", { name: "Data" }).click();
    const schema = page.getByLabel("JSON Schema of the data");
    await page.getByRole("button", { name: "Extract" }).waitFor();
    while (!(await schema.inputValue()).includes("amount_due")) await page.waitForTimeout(50);
    await page.getByRole("button", { name: "Extract" }).click();
    const value = page.getByRole("button", { name: "4399.49 page 1: 4,399.49" });
    await value.click({ timeout: 60_000 });
    const cited = await page.locator(".cite").boundingBox();
    const sheet = await page.locator("#document .sheet").boundingBox();
    assert.ok(cited && sheet);
    const middle = (cited.x + cited.width / 2 - sheet.x) / sheet.width;
    assert.ok(Math.abs(middle - 0.85) < 0.02, String(middle));
    assert.deepEqual(await findings(page), []);
    assert.ok(!(await schema.isVisible()), "the schema makes room for the values");
    await page.getByText("Schema and instructions").click();
    await schema.fill("{");
    await page.getByRole("button", { name: "Extract" }).click();
    await page.getByText("The schema is not JSON").waitFor();
    assert.deepEqual(faults, []);
    await close();
  });

  test("the sample is there without a key, and is what the service reads", async () => {
    const { page, faults, requests, close } = await open();
    await page.getByRole("link", { name: "Look at a finished result" }).click();
    await page.locator(".blocks li", { hasText: "LED copy light" }).waitFor();
    await page.getByRole("img", { name: "Page 1", exact: true }).waitFor();
    assert.ok(requests.every((url) => !url.includes("/v1/")));
    assert.deepEqual(await findings(page), []);
    await page.getByLabel("Format").selectOption("docx");
    await page.getByRole("button", { name: "Download" }).click();
    await page.locator("#save").getByText("This needs an API key").waitFor();
    const stored = JSON.parse(
      readFileSync(join(root, "src/playground/public/samples/invoice.json"), "utf8"),
    );
    const response = await fetch(`${stack?.origin}/v1/ocr`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${stack?.key}`,
        "content-type": "application/pdf",
        prefer: "wait=60",
      },
      body: readFileSync(example("invoice.pdf")),
    });
    const { pages } = (await response.json()).result;
    const said = ({ blocks, markdown }: { blocks: object[]; markdown: string }) => ({
      blocks,
      markdown,
    });
    assert.deepEqual(
      said(stored.result.pages[0]),
      said(pages[0]),
      "node scripts/sample.ts ORIGIN KEY makes the sample anew",
    );
    assert.deepEqual(faults, []);
    await page.goBack();
    await page.getByText("No document yet.").waitFor();
    await close();
  });

  test("what a job waits for, and how many of the account's documents are before it, in words", async () => {
    const { page, close } = await open();
    const words = await page.evaluate(async () => {
      const { waitingWords, duration, ago, endWords } = await import("/js/plain.js" as string);
      const queued = { state: "queued", waiting_for: "slot" };
      const now = Date.parse("2026-03-12T12:00:00Z");
      const ended = {
        state: "partial",
        progress: { total: 12, done: 11, failed: 1 },
        created_at: "2026-03-12T12:00:00Z",
        finished_at: "2026-03-12T12:02:10Z",
      };
      return [
        waitingWords(queued, 0),
        waitingWords(queued, 1),
        waitingWords(queued, 2),
        waitingWords({ state: "running", waiting_for: "cold_start" }, 2),
        duration(40),
        duration(1260),
        duration(200_000),
        ago("2026-03-12T11:58:00Z", now),
        endWords(ended, 12, false),
      ] as string[];
    });
    assert.deepEqual(words, [
      "waiting for a free worker",
      "waiting for a free worker; 1 of your other documents is before it",
      "waiting for a free worker; 2 of your other documents are before it",
      "a worker is starting, which takes longest for the first document",
      "less than 0.1 seconds",
      "1.3 seconds",
      "3 minutes",
      "2 minutes ago",
      "Partly read: 12 pages, in 2 minutes.",
    ]);
    await close();
  });

  test("360 px: the result starts on the first screen, and no state shows backticks", async () => {
    const { page, close } = await open("/", { viewport: { width: 360, height: 740 } });
    const look = async () => {
      assert.doesNotMatch(await page.locator("body").innerText(), /`/);
      assert.equal(await overflow(page), 0);
    };
    await read(page);
    await page.getByRole("alert").getByText("A key is missing").waitFor();
    await look();
    await readSample(page, "an invoice");
    await firstBlock(page).waitFor();
    await look();
    const tabs = await page.locator("#stage").boundingBox();
    assert.ok(tabs && tabs.y < 740, JSON.stringify(tabs));
    for (const name of ["Markdown", "Data", "Sharpness"]) {
      await page.getByRole("tab", { name }).click();
      await look();
      assert.deepEqual(await findings(page), [], name);
    }
    await close();
  });
});
