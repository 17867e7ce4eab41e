/** Copying and saving one table. */
import { strFromU8, strToU8, unzipSync, zipSync } from "/vendor/fflate.js";
import { h } from "./dom.js";
import { copy, download } from "./formats.js";
import { problemWords } from "./problem.js";

/**
 * Rows and cells. A cell that covers several places has its text in the first; the others are empty.
 * @param {HTMLTableElement} table
 * @returns {string[][]}
 */
export function grid(table) {
  /** @type {string[][]} */
  const rows = [...table.rows].map(() => []);
  for (const [y, row] of [...table.rows].entries()) {
    let x = 0;
    for (const cell of row.cells) {
      while (rows[y]?.[x] !== undefined) x++;
      for (let down = 0; down < cell.rowSpan && y + down < rows.length; down++)
        for (let right = 0; right < cell.colSpan; right++)
          /** @type {string[]} */ (rows[y + down])[x + right] =
            down + right === 0 ? (cell.textContent ?? "").trim() : "";
    }
  }
  return rows.map((row) => Array.from(row, (text) => text ?? ""));
}

/**
 * Marks the columns of numbers, which are set to the right. The first row may be a heading.
 * @param {HTMLTableElement} table
 */
export function markNumbers(table) {
  const cells = [...table.rows].map((row) => [...row.cells]);
  if (cells.flat().some(({ colSpan, rowSpan }) => colSpan > 1 || rowSpan > 1)) return;
  for (const [x] of (cells[0] ?? []).entries()) {
    const column = cells.flatMap((row) => row[x] ?? []);
    const texts = column.map((cell) => (cell.textContent ?? "").trim());
    const body = texts.slice(1).filter((text) => text !== "");
    if (body.length === 0 || !body.every((text) => NUMBER.test(text))) continue;
    for (const cell of column) cell.classList.add("number");
  }
}

/** With a sign, brackets, a currency or a unit of up to three letters. */
const NUMBER =
  /^[-+−(]?(?:\p{Sc}|\p{L}{1,3})?\s?[-+−]?\d[\d.,'’\s]*\)?\s?(?:%|\p{Sc}|\p{L}{1,3})?$/u;

/** Cells that a spreadsheet would run as a formula are escaped, as in the CSV of the service. @param {string} text */
const harmless = (text) =>
  /^[=@\t\r]/.test(text) || (/^[+-]/.test(text) && !/^[+-][\d\s.,]*%?$/.test(text))
    ? `'${text}`
    : text;

/** @param {string[][]} rows RFC 4180 */
export const csv = (rows) =>
  rows
    .map((cells) =>
      cells
        .map(harmless)
        .map((text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text))
        .join(","),
    )
    .map((line) => `${line}\r\n`)
    .join("");

/** Spreadsheets paste this into cells. @param {string[][]} rows */
const tabbed = (rows) =>
  rows
    .map((cells) => cells.map((text) => harmless(text).replace(/\s+/g, " ")).join("\t"))
    .join("\n");

/**
 * A workbook of the service with only one of its sheets.
 * @param {Uint8Array} workbook
 * @param {number} number from 1
 */
export function onlySheet(workbook, number) {
  const files = unzipSync(workbook);
  const others = Object.keys(files).flatMap((name) => {
    const [, sheet] = /^xl\/worksheets\/sheet(\d+)\.xml$/.exec(name) ?? [];
    return sheet && Number(sheet) !== number ? [sheet] : [];
  });
  const mentions = new RegExp(
    `<(?:Override|Relationship) [^>]*sheet(?:${others.join("|")})\\.xml"[^>]*/>|<sheet [^>]*sheetId="(?:${others.join("|")})"[^>]*/>`,
    "g",
  );
  const kept = Object.entries(files)
    .filter(([name]) => !others.some((sheet) => name === `xl/worksheets/sheet${sheet}.xml`))
    .map(([name, bytes]) =>
      /^xl\/worksheets|styles/.test(name) || others.length === 0
        ? [name, bytes]
        : [name, strToU8(strFromU8(bytes).replace(mentions, ""))],
    );
  return zipSync(Object.fromEntries(kept));
}

/**
 * @param {HTMLTableElement} table
 * @param {() => string} name of the files, without ending
 * @param {() => Promise<Uint8Array>} workbook loads the table as an Excel file
 */
export function tableTools(table, name, workbook) {
  const note = h("span", { class: "note", role: "status" });
  const button = (/** @type {string} */ label, /** @type {() => Promise<void>} */ work) =>
    h(
      "button",
      {
        type: "button",
        onclick: async () => {
          try {
            await work();
            note.textContent = label === "Copy table" ? "Copied." : "Saved.";
          } catch (error) {
            note.replaceChildren(...problemWords(error));
          }
        },
      },
      label,
    );
  return h(
    "div",
    { class: "tools" },
    button("Copy table", () => copy(tabbed(grid(table)))),
    button("CSV", async () =>
      download(new Blob([csv(grid(table))], { type: "text/csv" }), `${name()}.csv`),
    ),
    button("Excel", async () =>
      download(new Blob([/** @type {BlobPart} */ (await workbook())]), `${name()}.xlsx`),
    ),
    note,
  );
}
