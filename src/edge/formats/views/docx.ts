/** A Word document (ECMA-376) with headings, paragraphs, lists, tables and page breaks. */
import type { PageResult } from "../../domain/pages/page-result.ts";
import { Zip } from "../zip.ts";
import { tableCells } from "./table-cells.ts";
import type { View } from "./view.ts";
import { escapeXml } from "./xml.ts";

type Block = PageResult["blocks"][number];

export const docx = (): View => {
  const zip = new Zip();
  return {
    mediaType: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    head: () => [
      ...PARTS.flatMap(([name, xml]) => zip.whole(name, HEAD + xml)),
      ...zip.begin("word/document.xml"),
      ...zip.write(`${HEAD}<w:document ${W}><w:body>`),
    ],
    page: ({ page, result, error }, first) => {
      const gap = first ? "" : '<w:p><w:r><w:br w:type="page"/></w:r></w:p>';
      const body = error
        ? paragraph(`Page ${page}: ${error.code}: ${error.message}`, "Note")
        : result.blocks.length > 0
          ? result.blocks.map(blockXml).join("")
          : paragraph(result.markdown.trim());
      return zip.write(gap + body);
    },
    tail: () => [
      ...zip.write("<w:sectPr/></w:body></w:document>"),
      ...zip.end(),
      ...zip.directory(),
    ],
  };
};

function blockXml(block: Block): string {
  const { type, text } = block;
  switch (type) {
    case "title":
      return paragraph(text, "Heading1");
    case "sub_title":
      return paragraph(text, "Heading2");
    case "table":
      return tableXml(tableCells(block));
    case "list":
      return text
        .split("\n")
        .map((line) => paragraph(line, "ListParagraph"))
        .join("");
    case "table_caption":
    case "image_caption":
      return paragraph(text, "Caption");
    case "equation":
      return paragraph(text || (block.latex ?? ""));
    default:
      return text.trim() === "" ? "" : paragraph(text);
  }
}

function paragraph(text: string, style?: string): string {
  const runs = text
    .split("\n")
    .map((line) => `<w:t xml:space="preserve">${escapeXml(line)}</w:t>`)
    .join("<w:br/>");
  const properties = style ? `<w:pPr><w:pStyle w:val="${style}"/></w:pPr>` : "";
  return `<w:p>${properties}<w:r>${runs}</w:r></w:p>`;
}

function tableXml(rows: string[][]): string {
  const columns = Math.max(1, ...rows.map(({ length }) => length));
  const cells = (row: string[]) =>
    Array.from({ length: columns }, (_, i) => `<w:tc>${paragraph(row[i] ?? "")}</w:tc>`).join("");
  const grid = "<w:gridCol/>".repeat(columns);
  // The empty paragraph keeps Word from merging adjacent tables.
  return `<w:tbl><w:tblPr><w:tblStyle w:val="TableGrid"/></w:tblPr><w:tblGrid>${grid}</w:tblGrid>${rows
    .map((row) => `<w:tr>${cells(row)}</w:tr>`)
    .join("")}</w:tbl><w:p/>`;
}

const HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"';
const OPC = "http://schemas.openxmlformats.org/package/2006";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml";

const relationship = (type: string, target: string) =>
  `<Relationships xmlns="${OPC}/relationships"><Relationship Id="r1" Type="${OFFICE}/${type}" Target="${target}"/></Relationships>`;

const style = (id: string, name: string, properties: string) =>
  `<w:style w:type="paragraph" w:styleId="${id}"><w:name w:val="${name}"/>${properties}</w:style>`;
const heading = (level: number, halfPoints: number) =>
  style(
    `Heading${level}`,
    `heading ${level}`,
    `<w:pPr><w:keepNext/><w:spacing w:before="240" w:after="120"/><w:outlineLvl w:val="${level - 1}"/></w:pPr><w:rPr><w:b/><w:sz w:val="${halfPoints}"/></w:rPr>`,
  );
const border = (side: string) => `<w:${side} w:val="single" w:sz="4" w:color="auto"/>`;

const PARTS: [string, string][] = [
  [
    "[Content_Types].xml",
    `<Types xmlns="${OPC}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
      `<Override PartName="/word/document.xml" ContentType="${WORD}.document.main+xml"/>` +
      `<Override PartName="/word/styles.xml" ContentType="${WORD}.styles+xml"/></Types>`,
  ],
  ["_rels/.rels", relationship("officeDocument", "word/document.xml")],
  ["word/_rels/document.xml.rels", relationship("styles", "styles.xml")],
  [
    "word/styles.xml",
    `<w:styles ${W}><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>` +
      heading(1, 32) +
      heading(2, 26) +
      style("ListParagraph", "List Paragraph", '<w:pPr><w:ind w:left="720"/></w:pPr>') +
      style("Caption", "caption", "<w:rPr><w:i/></w:rPr>") +
      style("Note", "Note", '<w:rPr><w:i/><w:color w:val="B00000"/></w:rPr>') +
      '<w:style w:type="table" w:styleId="TableGrid"><w:name w:val="Table Grid"/><w:tblPr><w:tblBorders>' +
      ["top", "left", "bottom", "right", "insideH", "insideV"].map(border).join("") +
      "</w:tblBorders></w:tblPr></w:style></w:styles>",
  ],
];
