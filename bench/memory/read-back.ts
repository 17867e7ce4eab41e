/** What readers read back of the pages that the profiles' forms make (bench/memory_pages.py), as a table. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PROFILES } from "../../src/edge/domain/memory/profiles.ts";

type Row = Record<string, string>;

const READERS = ["pp-ocr", "fovea-nano"];

function rowsOf(path: string): Row[] {
  if (!existsSync(path)) return [];
  const [head = "", ...lines] = readFileSync(path, "utf8").trim().split(/\r?\n/);
  const names = head.split(",");
  return lines.map((line) => {
    const cells = line.split(",");
    return Object.fromEntries(names.map((name, i) => [name, cells[i] ?? ""]));
  });
}

/** The forms of all profiles by their page. */
function pages(): Map<string, string[]> {
  const found = new Map<string, Set<string>>();
  for (const { provider, forms } of PROFILES)
    for (const { id, page } of forms) {
      const key = `${page.width} x ${page.height},${page.size}`;
      found.set(key, (found.get(key) ?? new Set()).add(`${provider} ${id}`));
    }
  return new Map([...found].map(([key, names]) => [key, [...names]]));
}

/** The section of the report. */
export function readBack(folder: string): string {
  const rows = READERS.map((reader) => rowsOf(join(folder, `pages-forms-${reader}.csv`)));
  const cells = [...pages()].map(([key, names]) => {
    const [size = "", type = ""] = key.split(",");
    const read = rows.map((some) =>
      some.find((row) => row.page === size && row["type px"] === type),
    );
    const [ocr, nano] = read.map(shares) as [string[], string[]];
    return [`${size.replace("x", "×")}, ${type}`, names.join(", "), ...ocr, ...nano];
  });
  const head = ["page, type in px", "forms"].concat(
    ...READERS.map((reader) => [`pages, ${reader}`, "characters", "ids exact", "messages exact"]),
  );
  const lines = [head, head.map(() => "---"), ...cells].map((row) => `| ${row.join(" | ")} |`);
  return `${TEXT}\n\n${lines.join("\n")}\n`;
}

function shares(row: Row | undefined): string[] {
  if (!row) return ["–", "–", "–", "–"];
  const exact = Math.round(Number(row.ids) * Number(row["ids exact"]));
  return [
    row["pages read"] ?? "",
    percent(row.precision),
    `${exact} of ${row.ids}`,
    percent(row["messages exact"]),
  ];
}

const percent = (share: string | undefined) => `${(100 * Number(share)).toFixed(1)} %`;

const TEXT = `## Read back, form by form

Full pages of short messages with ids, in the forms of the profiles, read by \`pp-ocr\`, which sees pixels, and by
\`fovea-nano\`, which sees vision tokens only. Each message is found by its boxes and compared with what was drawn, as
[PAGES.md](PAGES.md) describes. \`pp-ocr\` reads up to five pages of a form, and none after 25,000 letters; messages
that are read without one wrong character are *exact*. All numbers are in [pages-forms-pp-ocr.csv](pages-forms-pp-ocr.csv)
and [pages-forms-fovea-nano.csv](pages-forms-fovea-nano.csv).

\`\`\`sh
.venv/bin/python bench/memory_pages.py --forms profiles --kinds chat --count 5 --read 5 --letters 25000 --out pages-forms-pp-ocr.csv
.venv/bin/python bench/memory_pages.py --reader fovea-nano --forms 512x512@16 512x512@12 512x512@9 640x640@13 --kinds chat --count 1 --read 1 --out pages-forms-fovea-nano.csv
\`\`\``;
