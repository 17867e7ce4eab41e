/**
 * Prints HTML files as PDF, next to them, and writes their blocks in reading order as JSON.
 * `node print.mjs FILE.html …`. Chromium: `FOVEA_CHROMIUM`, or one of the usual places.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { chromium } from "playwright-core";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = process.env.FOVEA_CHROMIUM ?? PLACES.find((place) => existsSync(place));
if (!executablePath)
  throw new Error(`no Chromium at ${PLACES.join(", ")}; name one in FOVEA_CHROMIUM`);

/** Runs in the page. A block is an element with `data-k`; the order of the document is the reading order. */
function blocks() {
  const tidy = (text) => text.replace(/\s+/g, " ").trim();
  const own = (element) => {
    const copy = element.cloneNode(true);
    for (const inner of copy.querySelectorAll("[data-k], [data-skip]")) inner.remove();
    for (const br of copy.querySelectorAll("br")) br.replaceWith(" ");
    return tidy(copy.textContent);
  };
  return [...document.querySelectorAll("[data-k]")].map((element) => {
    const kind = element.dataset.k;
    if (kind === "code") return { kind, text: element.textContent.replace(/\n+$/, "") };
    if (kind !== "table") return { kind, text: own(element) };
    const rows = [...element.querySelectorAll("tr")].map((row) =>
      [...row.cells].map((cell) => [own(cell), cell.rowSpan, cell.colSpan]),
    );
    return {
      kind,
      rows,
      text: rows
        .flat()
        .map((cell) => cell[0])
        .filter(Boolean)
        .join(" "),
    };
  });
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage();
for (const path of process.argv.slice(2)) {
  const stem = path.slice(0, -".html".length);
  await page.setContent(readFileSync(path, "utf8"));
  writeFileSync(`${stem}.json`, JSON.stringify(await page.evaluate(blocks)));
  writeFileSync(`${stem}.pdf`, await page.pdf({ preferCSSPageSize: true, printBackground: true }));
}
await browser.close();
