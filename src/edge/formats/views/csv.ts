import { tableCells } from "./table-cells.ts";
import type { View } from "./view.ts";

/** The tables of the document as CSV (RFC 4180), separated by empty lines. */
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

/** Cells that a spreadsheet would run as a formula are escaped, because the document is untrusted. Numbers are safe. */
const isFormula = (text: string) =>
  /^[=@\t\r]/.test(text) || (/^[+-]/.test(text) && !/^[+-][\d\s.,]*%?$/.test(text));
