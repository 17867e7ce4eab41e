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

/** The forms of all profiles by their page, the largest type first; forms of one page and name stand once. */
function pages(): Map<string, string[]> {
  const found = new Map<string, Set<string>>();
  for (const { provider, forms } of PROFILES)
    for (const { id, page } of forms) {
      const key = `${page.width} x ${page.height},${page.size}`;
      found.set(key, (found.get(key) ?? new Set()).add(`${provider} ${id}`));
    }
  return new Map([...found].map(([key, names]) => [key, [...names]]));
}

const percent = (share: string | undefined) =>
  share === undefined ? "–" : `${(100 * Number(share)).toFixed(1)} %`;

/** @returns for each form: its page, who has it, and for each reader how many pages, characters and ids */
export function readBack(folder: string): string[][] {
  const rows = READERS.map((reader) => rowsOf(join(folder, `pages-forms-${reader}.csv`)));
  return [...pages()].map(([key, names]) => {
    const [size = "", type = ""] = key.split(",");
    const [ocr, nano] = rows.map((some) =>
      some.find((row) => row.page === size && row["type px"] === type),
    );
    const ids = (row: Row | undefined) =>
      row ? `${Math.round(Number(row.ids) * Number(row["ids exact"]))} of ${row.ids}` : "–";
    return [
      `${size.replace("x", "×")}, ${type}`,
      names.join(", "),
      ocr?.["pages read"] ?? "–",
      percent(ocr?.precision),
      ids(ocr),
      percent(ocr?.["messages exact"]),
      nano?.["pages read"] ?? "–",
      percent(nano?.precision),
      ids(nano),
    ];
  });
}
