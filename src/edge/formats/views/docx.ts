/** A Word document (ECMA-376) with headings, paragraphs, lists, tables, links, figures and page breaks. */
import { headingLevel } from "../../domain/pages/headings.ts";
import type { FigureType, StoredPageResult } from "../../domain/pages/page-result.ts";
import { roomForFigures } from "../../domain/pages/presentation.ts";
import { Zip } from "../zip.ts";
import { altText, type Block, type FigureBlock, type Group, grouped } from "./figures.ts";
import { cellPieces, type Link, type Piece, pieceLines, pieces } from "./linked.ts";
import { tableCells } from "./table-cells.ts";
import type { View } from "./view.ts";
import { escapeXml } from "./xml.ts";

/** A picture in the document, in order. */
interface Picture {
  page: number;
  block: number;
  mediaType: FigureType;
}

export const docx = (): View => {
  const zip = new Zip();
  const pictures: Picture[] = [];
  const addresses = new Addresses();
  const fits = roomForFigures();

  const figureXml = (result: StoredPageResult, block: FigureBlock): string => {
    const { url, media_type, bytes } = block.figure;
    // The document says where the picture is.
    if (!fits(bytes)) return plain(`${altText(block)} (${url})`, "Note");
    pictures.push({ page: result.page, block: block.id, mediaType: media_type });
    return drawing(pictures.length, altText(block), sizeOf(result, block));
  };
  const groupXml = (result: StoredPageResult, { figure, blocks }: Group): string =>
    blocks
      .map((block) =>
        block === figure
          ? figureXml(result, figure)
          : blockXml(block, result.hyperlinks, addresses),
      )
      .join("");

  return {
    mediaType: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    head: () => [
      ...PARTS.flatMap(([name, xml]) => zip.whole(name, HEAD + xml)),
      ...zip.begin("word/document.xml"),
      ...zip.write(`${HEAD}<w:document ${W} ${DRAWING}><w:body>`),
    ],
    page: ({ page, result, error }, first) => {
      const gap = first ? "" : '<w:p><w:r><w:br w:type="page"/></w:r></w:p>';
      const body = error
        ? plain(`Page ${page}: ${error.code}: ${error.message}`, "Note")
        : result.blocks.length > 0
          ? grouped(result.blocks)
              .map((group) => groupXml(result, group))
              .join("")
          : plain(result.markdown.trim());
      return zip.write(gap + body);
    },
    async *figures(load) {
      yield [...zip.write("<w:sectPr/></w:body></w:document>"), ...zip.end()];
      for (const [i, picture] of pictures.entries()) {
        const bytes = await load(picture.page, picture.block);
        if (!bytes) picture.mediaType = "image/png";
        yield zip.stored(`word/${partOf(picture, i)}`, bytes ?? NOTHING);
      }
    },
    tail: () => [
      ...zip.whole("word/_rels/document.xml.rels", HEAD + relationships(pictures, addresses)),
      ...zip.directory(),
    ],
  };
};

/** The addresses of the document's links. Each is a relation, which the text names by its id. */
class Addresses {
  readonly #ids = new Map<string, string>();

  idOf(url: string): string {
    const known = this.#ids.get(url) ?? `l${this.#ids.size + 1}`;
    this.#ids.set(url, known);
    return known;
  }

  get relationships(): string[] {
    return Array.from(this.#ids, ([url, id]) =>
      relationship(id, "hyperlink", escapeXml(url), ' TargetMode="External"'),
    );
  }
}

function blockXml(block: Block, links: Link[] | undefined, addresses: Addresses): string {
  const { type, text } = block;
  const parts = pieces(block, links);
  const write = (style?: string) => paragraph(parts, addresses, style);
  switch (type) {
    case "title":
    case "sub_title":
      return write(`Heading${headingLevel(block)}`);
    case "table":
      return tableXml(cellPieces(block, tableCells(block), links), addresses);
    case "list":
      return pieceLines(parts)
        .map((line) => paragraph(line, addresses, "ListParagraph"))
        .join("");
    case "table_caption":
    case "image_caption":
      return write("Caption");
    case "equation":
      return text ? write() : plain(block.latex ?? "");
    default:
      return text.trim() === "" ? "" : write();
  }
}

const plain = (text: string, style?: string) => paragraph([{ text }], new Addresses(), style);

function paragraph(parts: Piece[], addresses: Addresses, style?: string): string {
  const runs = parts.map(({ text, url }) => {
    const words = text
      .split("\n")
      .map((line) => `<w:t xml:space="preserve">${escapeXml(line)}</w:t>`)
      .join("<w:br/>");
    if (!url) return `<w:r>${words}</w:r>`;
    const look = '<w:rPr><w:rStyle w:val="Hyperlink"/></w:rPr>';
    return `<w:hyperlink r:id="${addresses.idOf(url)}"><w:r>${look}${words}</w:r></w:hyperlink>`;
  });
  const properties = style ? `<w:pPr><w:pStyle w:val="${style}"/></w:pPr>` : "";
  return `<w:p>${properties}${runs.join("")}</w:p>`;
}

function tableXml(rows: Piece[][][], addresses: Addresses): string {
  const columns = Math.max(1, ...rows.map(({ length }) => length));
  const cells = (row: Piece[][]) =>
    Array.from(
      { length: columns },
      (_, i) => `<w:tc>${paragraph(row[i] ?? [], addresses)}</w:tc>`,
    ).join("");
  const grid = "<w:gridCol/>".repeat(columns);
  // The empty paragraph keeps Word from merging adjacent tables.
  return `<w:tbl><w:tblPr><w:tblStyle w:val="TableGrid"/></w:tblPr><w:tblGrid>${grid}</w:tblGrid>${rows
    .map((row) => `<w:tr>${cells(row)}</w:tr>`)
    .join("")}</w:tbl><w:p/>`;
}

const EMU_PER_INCH = 914_400;
/** Room between the margins of a page, in inches. */
const ROOM = { width: 6, height: 8 };
/** For pages without a resolution. */
const DPI = 144;

/** Width and height of a figure as on the page, in EMU, but no larger than the room. */
function sizeOf({ width: pixels, dpi }: StoredPageResult, { bbox, figure }: FigureBlock) {
  const asPrinted = ((bbox[2] - bbox[0]) * pixels) / (dpi ?? DPI);
  const ratio = figure.height / figure.width;
  const width = Math.min(asPrinted || ROOM.width, ROOM.width, ROOM.height / ratio);
  const emu = (inches: number) => Math.max(1, Math.round(inches * EMU_PER_INCH));
  return `cx="${emu(width)}" cy="${emu(width * ratio)}"`;
}

function drawing(number: number, alt: string, size: string): string {
  const name = `Figure ${number}`;
  const properties = `id="${number}" name="${name}" descr="${escapeXml(alt)}"`;
  return (
    `<w:p><w:r><w:drawing><wp:inline><wp:extent ${size}/><wp:docPr ${properties}/>` +
    `<a:graphic><a:graphicData uri="${PICTURE}"><pic:pic>` +
    `<pic:nvPicPr><pic:cNvPr id="${number}" name="${name}"/><pic:cNvPicPr/></pic:nvPicPr>` +
    `<pic:blipFill><a:blip r:embed="${figureId(number)}"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>` +
    `<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext ${size}/></a:xfrm>` +
    '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr>' +
    "</pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
  );
}

const figureId = (number: number) => `f${number}`;
const partOf = ({ mediaType }: Picture, i: number) =>
  `media/${i + 1}.${mediaType === "image/png" ? "png" : "jpeg"}`;

/** A transparent pixel in the place of a picture that was deleted: Word refuses a document that lacks a part. */
const NOTHING = Uint8Array.from(
  atob(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  ),
  (character) => character.charCodeAt(0),
);

const HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"';
const PICTURE = "http://schemas.openxmlformats.org/drawingml/2006/picture";
const DRAWING =
  'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" ' +
  'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" ' +
  `xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:pic="${PICTURE}"`;
const OPC = "http://schemas.openxmlformats.org/package/2006";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml";

const relationship = (id: string, type: string, target: string, more = "") =>
  `<Relationship Id="${id}" Type="${OFFICE}/${type}" Target="${target}"${more}/>`;
const relationshipsPart = (...all: string[]) =>
  `<Relationships xmlns="${OPC}/relationships">${all.join("")}</Relationships>`;
const relationships = (pictures: Picture[], addresses: Addresses) =>
  relationshipsPart(
    relationship("styles", "styles", "styles.xml"),
    ...pictures.map((picture, i) => relationship(figureId(i + 1), "image", partOf(picture, i))),
    ...addresses.relationships,
  );

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
      '<Default Extension="png" ContentType="image/png"/><Default Extension="jpeg" ContentType="image/jpeg"/>' +
      `<Override PartName="/word/document.xml" ContentType="${WORD}.document.main+xml"/>` +
      `<Override PartName="/word/styles.xml" ContentType="${WORD}.styles+xml"/></Types>`,
  ],
  [
    "_rels/.rels",
    relationshipsPart(relationship("document", "officeDocument", "word/document.xml")),
  ],
  [
    "word/styles.xml",
    `<w:styles ${W}><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>` +
      [32, 26, 24, 23, 22, 22].map((halfPoints, i) => heading(i + 1, halfPoints)).join("") +
      style("ListParagraph", "List Paragraph", '<w:pPr><w:ind w:left="720"/></w:pPr>') +
      style("Caption", "caption", "<w:rPr><w:i/></w:rPr>") +
      '<w:style w:type="character" w:styleId="Hyperlink"><w:name w:val="Hyperlink"/>' +
      '<w:rPr><w:color w:val="0563C1"/><w:u w:val="single"/></w:rPr></w:style>' +
      style("Note", "Note", '<w:rPr><w:i/><w:color w:val="B00000"/></w:rPr>') +
      '<w:style w:type="table" w:styleId="TableGrid"><w:name w:val="Table Grid"/><w:tblPr><w:tblBorders>' +
      ["top", "left", "bottom", "right", "insideH", "insideV"].map(border).join("") +
      "</w:tblBorders></w:tblPr></w:style></w:styles>",
  ],
];
