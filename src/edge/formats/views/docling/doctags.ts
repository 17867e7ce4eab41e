/**
 * DocTags: Docling's markup for models, as `DoclingDocument.export_to_doctags` writes it. Places are in 500ths of the
 * page. Text is not escaped there either.
 */
import type { StoredPageResult } from "../../../domain/pages/page-result.ts";
import type { View } from "../view.ts";
import { boxOn, type Item, itemsOf, type Size, sizeOf, type TextItem } from "./items.ts";
import { gridOf, type Table } from "./table.ts";

type Block = StoredPageResult["blocks"][number];

export const doctags = (): View => {
  let isFirst = true;
  return {
    mediaType: "text/plain; charset=utf-8",
    head: () => "<doctag>",
    page: ({ result }) => {
      const size = result && sizeOf(result);
      const items = result ? itemsOf(result).map((item) => written(item, size)) : [];
      if (items.length === 0) return "";
      const before = isFirst ? "" : "\n<page_break>\n";
      isFirst = false;
      return before + items.join("\n");
    },
    tail: () => "\n</doctag>",
  };
};

function written(item: Item, size: Size | null): string {
  const at = (block: Block) => (size ? locations(size, block.bbox) : "");
  const caption = (text: TextItem | null) =>
    text ? `<caption>${at(text.block)}${text.text}</caption>` : "";
  switch (item.kind) {
    case "text": {
      const tag = item.level ? `${item.label}_level_${item.level}` : item.label;
      const text = item.label === "code" ? `<_unknown_>${item.text}` : item.text.trim();
      return `<${tag}>${at(item.block)}${text}</${tag}>`;
    }
    case "list": {
      const tag = item.items[0]?.enumerated ? "ordered_list" : "unordered_list";
      const items = item.items.map(
        ({ text }) => `<list_item>${at(item.block)}${text}</list_item>\n`,
      );
      return `<${tag}>${items.join("")}</${tag}>`;
    }
    case "picture":
      return `<picture>${at(item.block)}${caption(item.caption)}</picture>`;
    case "table":
      return `<otsl>${at(item.block)}${otsl(item.table)}${caption(item.caption)}</otsl>`;
  }
}

function locations(size: Size, box: Block["bbox"]): string {
  const [l, t, r, b] = boxOn(size, box);
  const shares = [l / size.width, t / size.height, r / size.width, b / size.height];
  return shares.map((share) => `<loc_${Math.min(evenly(500 * share), 499)}>`).join("");
}

/** Rounds halves to the even number, as Python does. */
function evenly(n: number): number {
  const up = Math.round(n);
  return up - n === 0.5 && up % 2 === 1 ? up - 1 : up;
}

/** The Optimised Table Structure Language (arXiv:2305.03393): a token for each position of the grid. */
function otsl(table: Table): string {
  const rows = gridOf(table).map((cells, row) =>
    cells.map((cell, column) => {
      if (!cell) return "<ecel>";
      const isBelow = cell.row !== row;
      const isBeside = cell.column !== column;
      if (isBelow && isBeside) return "<xcel>";
      if (isBelow) return cell.columns === 1 ? "<ucel>" : "<xcel>";
      if (isBeside) return cell.rows === 1 ? "<lcel>" : "<xcel>";
      const text = cell.text.trim();
      if (text === "") return "<ecel>";
      if (cell.isColumnHeader) return `<ched>${text}`;
      return cell.isRowHeader ? `<rhed>${text}` : `<fcel>${text}`;
    }),
  );
  return rows.map((tokens) => `${tokens.join("")}<nl>`).join("");
}
