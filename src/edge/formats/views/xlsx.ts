/**
 * The tables of the document as an Excel workbook (ECMA-376, SpreadsheetML), a sheet for each. There are no formulas:
 * a cell is a number or an inline string, which no spreadsheet runs.
 */
import type { PageError } from "../../domain/pages/page-result.ts";
import { Zip } from "../zip.ts";
import { type Grid, tableGrid } from "./table-cells.ts";
import type { View } from "./view.ts";
import { escapeXml } from "./xml.ts";

/** Characters that a cell can have. */
const MAX_TEXT = 32_767;
/** Rows that a sheet can have. */
const MAX_ROWS = 1_048_576;

export const xlsx = (): View => {
  const zip = new Zip();
  const sheets: string[] = [];
  const unread: { page: number; error: PageError }[] = [];

  const sheet = (name: string, grid: Grid) => {
    sheets.push(name);
    return zip.whole(`xl/worksheets/sheet${sheets.length}.xml`, HEAD + sheetXml(grid));
  };

  return {
    mediaType: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    head: () => PARTS.flatMap(([name, xml]) => zip.whole(name, HEAD + xml)),
    page: ({ page, result, error }) => {
      if (error) unread.push({ page, error });
      return (result?.blocks ?? [])
        .filter(({ type }) => type === "table")
        .flatMap((block, i) => sheet(`Page ${page}, table ${i + 1}`, tableGrid(block)));
    },
    tail: () => {
      const rows = unread.map(({ page, error }) => [String(page), error.code, error.message]);
      return [
        ...(rows.length > 0 ? sheet("Pages without a result", { rows, merges: [] }) : []),
        ...(sheets.length === 0 ? sheet("No tables", { rows: [], merges: [] }) : []),
        ...zip.whole("[Content_Types].xml", HEAD + contentTypes(sheets.length)),
        ...zip.whole("xl/workbook.xml", HEAD + workbook(sheets)),
        ...zip.whole("xl/_rels/workbook.xml.rels", HEAD + workbookRelations(sheets.length)),
        ...zip.directory(),
      ];
    },
  };
};

function sheetXml({ rows, merges }: Grid): string {
  const data = rows
    .slice(0, MAX_ROWS)
    .map((cells, row) => {
      const filled = cells.map((text, column) => cellXml(text, `${letters(column)}${row + 1}`));
      return `<row r="${row + 1}">${filled.join("")}</row>`;
    })
    .join("");
  const ranges = merges.map(({ row, column, rows, columns }) => {
    const end = `${letters(column + columns - 1)}${row + rows}`;
    return `<mergeCell ref="${letters(column)}${row + 1}:${end}"/>`;
  });
  const merged =
    ranges.length > 0 ? `<mergeCells count="${ranges.length}">${ranges.join("")}</mergeCells>` : "";
  return `<worksheet xmlns="${MAIN}"><sheetData>${data}</sheetData>${merged}</worksheet>`;
}

function cellXml(text: string, at: string): string {
  if (text === "") return "";
  const number = unambiguousNumber(text);
  if (number) return `<c r="${at}" s="${styleOf(number)}"><v>${number.value}</v></c>`;
  const style = text.includes("\n") ? ` s="${WRAPPED}"` : "";
  // Excel reads `_x0041_` as "A".
  const words = escapeXml(text.slice(0, MAX_TEXT).replaceAll(/_(?=x[\da-f]{4}_)/gi, "_x005F_"));
  return `<c r="${at}"${style} t="inlineStr"><is><t xml:space="preserve">${words}</t></is></c>`;
}

/** The name of a column: A … Z, AA … */
function letters(column: number): string {
  const last = String.fromCharCode(65 + (column % 26));
  return column < 26 ? last : letters(Math.floor(column / 26) - 1) + last;
}

export interface CellNumber {
  /** With a point, as XML has it. */
  value: string;
  decimals: number;
  /** Whether the thousands are separated. */
  grouped: boolean;
}

const WHOLE = /^[1-9]\d{0,10}$/;
const DECIMAL = /^(0|[1-9]\d{0,10})[.,](\d{1,10})$/;
/** The sign between thousands occurs twice, or another one separates decimals. */
const GROUPED = /^([1-9]\d{0,2}(?:([.,])\d{3})(?:\2\d{3}){0,3})(?:(?!\2)[.,](\d{1,10}))?$/;

/**
 * A number that can be read in one way only, wherever the document is from. "1,234" is no such number: it may be 1234 or
 * 1.234. Neither are numbers with leading zeros or a plus sign, such as article and telephone numbers, nor numbers of more
 * digits than a spreadsheet shows.
 */
export function unambiguousNumber(text: string): CellNumber | null {
  const [, minus = "", digits = ""] = /^([-−]?)(.*)$/s.exec(text) ?? [];
  const sign = minus && "-";
  if (digits === "0" || WHOLE.test(digits))
    return { value: sign + digits, decimals: 0, grouped: false };
  const [, whole, decimals = ""] = DECIMAL.exec(digits) ?? [];
  if (whole && (decimals.length !== 3 || whole === "0" || whole.length > 3))
    return { value: `${sign}${whole}.${decimals}`, decimals: decimals.length, grouped: false };
  const [, thousands = "", separator = "", rest] = GROUPED.exec(digits) ?? [];
  const groups = thousands.split(separator || " ");
  if (!separator || (rest === undefined && groups.length < 3)) return null;
  return {
    value: sign + groups.join("") + (rest === undefined ? "" : `.${rest}`),
    decimals: rest?.length ?? 0,
    grouped: true,
  };
}

const MAX_DECIMALS = 10;
/** The styles 0 and 1 are those of texts; a style for each number of decimals follows, then those with thousands. */
const WRAPPED = 1;
const styleOf = ({ decimals, grouped }: CellNumber) =>
  2 + decimals + (grouped ? MAX_DECIMALS + 1 : 0);

const HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OPC = "http://schemas.openxmlformats.org/package/2006";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml";

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

const contentTypes = (sheets: number) =>
  `<Types xmlns="${OPC}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
  `<Override PartName="/xl/workbook.xml" ContentType="${TYPE}.sheet.main+xml"/>` +
  `<Override PartName="/xl/styles.xml" ContentType="${TYPE}.styles+xml"/>` +
  numbers(sheets)
    .map(
      (n) =>
        `<Override PartName="/xl/worksheets/sheet${n}.xml" ContentType="${TYPE}.worksheet+xml"/>`,
    )
    .join("") +
  "</Types>";

const workbook = (sheets: string[]) =>
  `<workbook xmlns="${MAIN}" xmlns:r="${OFFICE}"><sheets>${sheets
    .map((name, i) => `<sheet name="${name}" sheetId="${i + 1}" r:id="s${i + 1}"/>`)
    .join("")}</sheets></workbook>`;

const workbookRelations = (sheets: number) =>
  `<Relationships xmlns="${OPC}/relationships"><Relationship Id="styles" Type="${OFFICE}/styles" Target="styles.xml"/>${numbers(
    sheets,
  )
    .map(
      (n) =>
        `<Relationship Id="s${n}" Type="${OFFICE}/worksheet" Target="worksheets/sheet${n}.xml"/>`,
    )
    .join("")}</Relationships>`;

/** Ids below 164 are those of Excel's own formats. */
const FIRST_FORMAT = 164;
const FORMATS = ["0", "#,##0"].flatMap((whole) =>
  Array.from({ length: MAX_DECIMALS + 1 }, (_, decimals) =>
    decimals === 0 ? whole : `${whole}.${"0".repeat(decimals)}`,
  ),
);

const PARTS: [string, string][] = [
  [
    "_rels/.rels",
    `<Relationships xmlns="${OPC}/relationships"><Relationship Id="workbook" Type="${OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
  ],
  [
    "xl/styles.xml",
    `<styleSheet xmlns="${MAIN}"><numFmts count="${FORMATS.length}">` +
      FORMATS.map(
        (code, i) => `<numFmt numFmtId="${FIRST_FORMAT + i}" formatCode="${code}"/>`,
      ).join("") +
      '</numFmts><fonts count="1"><font/></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>' +
      '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>' +
      `<cellXfs count="${FORMATS.length + 2}"><xf/><xf applyAlignment="1"><alignment wrapText="1"/></xf>` +
      FORMATS.map((_, i) => `<xf numFmtId="${FIRST_FORMAT + i}" applyNumberFormat="1"/>`).join("") +
      '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
  ],
];
