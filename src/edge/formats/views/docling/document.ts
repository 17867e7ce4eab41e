/**
 * A DoclingDocument: the format of docling-core, in which Docling's chunkers and exporters take documents
 * (https://docling-project.github.io/docling/concepts/docling_document/). What is in the margins of the pages is in the
 * layer `furniture`. Pages without a result are missing.
 */
import { countCodePoints } from "../../../domain/pages/code-points.ts";
import type { StoredPageResult } from "../../../domain/pages/page-result.ts";
import type { View } from "../view.ts";
import { boxOn, type Item, itemsOf, type Size, sizeOf, type TextItem } from "./items.ts";
import { type Cell, gridOf, type Table } from "./table.ts";

type Block = StoredPageResult["blocks"][number];

/** The schema that docling-core has had since lists are `ListGroup` (2.38.2). It reads all that are not newer than its own. */
export const DOCLING_VERSION = "1.5.0";

/** The document that was read. */
export interface DoclingOrigin {
  filename: string;
  mediaType: string;
  sha256: string;
}

/** The types that docling-core accepts wherever Python runs. */
const KNOWN_TYPES = new Set([
  "application/pdf",
  "application/zip",
  "application/epub+zip",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  "image/png",
  "image/jpeg",
  "image/tiff",
  "image/gif",
  "image/bmp",
  "text/markdown",
  "text/plain",
  "text/html",
  "text/csv",
]);

/** @param origin left out: the document has the name of its file */
export const docling = (origin?: DoclingOrigin): View => {
  const writer = new Writer();
  return {
    mediaType: "application/json",
    head: ({ fileId }) => {
      const name = origin ? stem(origin.filename) : fileId;
      const head = { schema_name: "DoclingDocument", version: DOCLING_VERSION, name };
      const source = origin ? `,"origin":${originOf(origin)}` : "";
      return `${JSON.stringify(head).slice(0, -1)}${source},"texts":[`;
    },
    page: ({ result }) => (result ? writer.page(result) : ""),
    tail: () => writer.tail(),
  };
};

/** A file's name without its ending. */
export const stem = (name: string) => name.replace(/(?<=.)\.[^.]{1,10}$/, "");

/** Docling's hash is the last 64 bits of the SHA-256, a number that JavaScript cannot represent. */
function originOf({ filename, mediaType, sha256 }: DoclingOrigin): string {
  const mimetype = KNOWN_TYPES.has(mediaType) ? mediaType : "application/octet-stream";
  const hash = BigInt(`0x${sha256.slice(-16)}`);
  return `{"mimetype":${JSON.stringify(mimetype)},"binary_hash":${hash},"filename":${JSON.stringify(filename)}}`;
}

interface Ref {
  $ref: string;
}

const BODY: Ref = { $ref: "#/body" };
const ref = (kind: string, index: number): Ref => ({ $ref: `#/${kind}/${index}` });

/** Writes texts at once and holds the rest, since each kind of item is a list of its own. */
class Writer {
  #texts = 0;
  #written = "";
  #links: StoredPageResult["hyperlinks"] = [];
  readonly #body: Ref[] = [];
  readonly #groups: string[] = [];
  readonly #pictures: string[] = [];
  readonly #tables: string[] = [];
  readonly #pages: string[] = [];

  /** @returns the page's texts, as the next members of their list */
  page(result: StoredPageResult): string {
    const { page } = result;
    const size = sizeOf(result);
    if (size) this.#pages.push(`"${page}":${JSON.stringify({ size, page_no: page })}`);
    this.#written = "";
    this.#links = result.hyperlinks;
    for (const item of itemsOf(result)) this.#body.push(this.#add(item, result, size));
    return this.#written;
  }

  tail(): string {
    const root = (name: string, children: Ref[], layer: string) =>
      JSON.stringify({
        self_ref: `#/${name}`,
        children,
        content_layer: layer,
        name: "_root_",
        label: "unspecified",
      });
    return [
      `],"pictures":[${this.#pictures.join()}]`,
      `"tables":[${this.#tables.join()}]`,
      `"groups":[${this.#groups.join()}]`,
      `"key_value_items":[],"form_items":[]`,
      `"furniture":${root("furniture", [], "furniture")}`,
      `"body":${root("body", this.#body, "body")}`,
      `"pages":{${this.#pages.join()}}}`,
    ].join();
  }

  #add(item: Item, result: StoredPageResult, size: Size | null): Ref {
    const at = (block: Block, text = "") => provenance(result.page, size, block, text);
    switch (item.kind) {
      case "text":
        return this.#text(item, BODY, at);
      case "list": {
        const group = ref("groups", this.#groups.length);
        const children = item.items.map(({ text, marker, enumerated }) =>
          this.#push(
            { label: "list_item", prov: at(item.block, text), orig: text, text },
            { enumerated, marker, ...this.#linked(item.block, text) },
            group,
          ),
        );
        this.#groups.push(node(group, BODY, children, { name: "list", label: "list" }));
        return group;
      }
      case "picture": {
        const self = ref("pictures", this.#pictures.length);
        // Its place is taken before its parts are written.
        this.#pictures.push("");
        const captions = item.caption ? [this.#text(item.caption, self, at)] : [];
        const words = item.words ? [this.#text(item.words, self, at)] : [];
        const floating = { label: "picture", prov: at(item.block), ...parts(captions) };
        const image = imageOf(item.block, result.dpi);
        this.#pictures[this.#pictures.length - 1] = node(self, BODY, [...captions, ...words], {
          ...floating,
          ...(image && { image }),
          annotations: [],
        });
        return self;
      }
      case "table": {
        const self = ref("tables", this.#tables.length);
        const captions = item.caption ? [this.#text(item.caption, self, at)] : [];
        const floating = { label: "table", prov: at(item.block), ...parts(captions) };
        const data = dataOf(item.table, size);
        this.#tables.push(node(self, BODY, captions, { ...floating, data, annotations: [] }));
        return self;
      }
    }
  }

  #text(item: TextItem, parent: Ref, at: (block: Block, text: string) => object[]): Ref {
    const { label, text, orig, level, furniture, block } = item;
    return this.#push(
      { label, prov: at(block, orig), orig, text },
      {
        ...(level !== undefined && { level }),
        ...(label === "code" && { ...parts([]), code_language: "unknown" }),
        ...this.#linked(block, orig),
      },
      parent,
      furniture ? "furniture" : "body",
    );
  }

  /** The link of an item, if all its words are one. Docling has no place for others. */
  #linked(block: Block, words: string): { hyperlink?: string } {
    const link = this.#links?.find(({ block: id, text }) => id === block.id && text === words);
    return link ? { hyperlink: link.url } : {};
  }

  #push(item: object, more: object, parent: Ref, layer = "body"): Ref {
    const self = ref("texts", this.#texts);
    this.#written += `${this.#texts === 0 ? "" : ","}${node(self, parent, [], { ...item, ...more }, layer)}`;
    this.#texts++;
    return self;
  }
}

const node = (self: Ref, parent: Ref, children: Ref[], more: object, layer = "body") =>
  JSON.stringify({ self_ref: self.$ref, parent, children, content_layer: layer, ...more });

/** Of an item that may float: its captions; nothing refers to it. */
const parts = (captions: Ref[]) => ({ captions, references: [], footnotes: [] });

/** Where an item stands, and which characters of its own text stand there. */
const provenance = (page: number, size: Size | null, { bbox }: Block, text: string): object[] =>
  size ? [{ page_no: page, bbox: boxOf(size, bbox), charspan: [0, countCodePoints(text)] }] : [];

function boxOf(size: Size, box: Block["bbox"]) {
  const [l, t, r, b] = boxOn(size, box);
  return { l, t, r, b, coord_origin: "TOPLEFT" };
}

function imageOf({ figure }: Block, dpi: number | null): object | null {
  if (!figure?.url) return null;
  const { media_type: mimetype, width, height, url: uri } = figure;
  // An image file has no resolution of its own: one pixel is one point, as in `pages`.
  return { mimetype, dpi: Math.round(dpi ?? 72), size: { width, height }, uri };
}

function dataOf(table: Table, size: Size | null): object {
  const cellOf = (cell: Cell) => ({
    ...(cell.bbox && size && { bbox: boxOf(size, cell.bbox) }),
    row_span: cell.rows,
    col_span: cell.columns,
    start_row_offset_idx: cell.row,
    end_row_offset_idx: cell.row + cell.rows,
    start_col_offset_idx: cell.column,
    end_col_offset_idx: cell.column + cell.columns,
    text: cell.text,
    column_header: cell.isColumnHeader,
    row_header: cell.isRowHeader,
    row_section: false,
  });
  return {
    table_cells: table.cells.map(cellOf),
    num_rows: table.rows,
    num_cols: table.columns,
    grid: gridOf(table).map((cells, row) =>
      cells.map((cell, column) => cellOf(cell ?? emptyCell(row, column))),
    ),
  };
}

const emptyCell = (row: number, column: number): Cell => ({
  row,
  column,
  rows: 1,
  columns: 1,
  text: "",
  bbox: null,
  isColumnHeader: false,
  isRowHeader: false,
});
