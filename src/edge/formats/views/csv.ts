import { tableCells } from "./table-cells.ts";
import type { View } from "./view.ts";

/** The tables (RFC 4180), one after the other with an empty line between; everything else is left out. */
export const csv = (): View => {
  let tables = 0;
  return {
    mediaType: "text/csv; charset=utf-8; header=absent",
    head: () => "",
    page: ({ result }) =>
      (result?.blocks ?? [])
        .filter(({ type }) => type === "table")
        .map((block) => (tables++ === 0 ? "" : "\r\n") + tableCells(block).map(line).join(""))
        .join(""),
    tail: () => "",
  };
};

const line = (cells: string[]) => `${cells.map(field).join(",")}\r\n`;

function field(text: string): string {
  const safe = isFormula(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** A document's maker is not to have formulas run in its reader's spreadsheet. Numbers are none. */
const isFormula = (text: string) =>
  /^[=@\t\r]/.test(text) || (/^[+-]/.test(text) && !/^[+-][\d\s.,]*%?$/.test(text));
