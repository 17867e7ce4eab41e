/** A page's blocks as elements. The model's output is untrusted: it only ever becomes text nodes. */
import { h } from "./dom.js";

/** @typedef {import("../../../client/schema.ts").Block} Block */

/**
 * @param {Block} block
 * @param {(id: number) => Promise<string>} [picture] loads the figure of a block as a URL for `img`
 */
export function blockContent(block, picture) {
  if (block.html) {
    const cells = table(block.html);
    if (!cells) return h("pre", {}, block.text || block.html);
    // A wide table scrolls by itself, so the keyboard must be able to reach it.
    return h("div", { class: "scroll", tabIndex: 0, role: "group", ariaLabel: "Table" }, cells);
  }
  if (block.latex) return h("pre", { class: "math" }, block.latex);
  const text = block.text;
  switch (block.type) {
    case "title":
      return h("p", { class: "title" }, text);
    case "sub_title":
      return h("p", { class: "sub-title" }, text);
    case "code":
      return h("pre", {}, text);
    case "image":
      return block.figure && picture
        ? figure(block, block.figure, picture)
        : h("p", { class: "picture" }, text || "picture");
    default:
      return h("p", { class: block.type.replaceAll("_", "-") }, text);
  }
}

/**
 * The picture of a block, and the words in it. If the picture cannot be loaded, the words remain.
 * @param {Block} block
 * @param {NonNullable<Block["figure"]>} size
 * @param {(id: number) => Promise<string>} picture
 */
function figure({ id, text }, { width, height }, picture) {
  const image = h("img", { alt: `Figure ${id}`, width, height });
  const words = h("figcaption", { class: "picture" }, text);
  const element = h("figure", { class: "figure" }, image, text && words);
  picture(id).then(
    (url) => Object.assign(image, { src: url }),
    () => image.replaceWith(h("p", { class: "picture" }, "The picture could not be loaded.")),
  );
  return element;
}

/**
 * The text of a page without markup.
 * @param {import("../../../client/schema.ts").PageResult} result
 */
export function plainText({ blocks, markdown }) {
  if (blocks.length === 0) return markdown;
  const rows = (/** @type {string} */ html) =>
    [...(table(html)?.rows ?? [])].map(({ cells }) =>
      [...cells].map(({ textContent }) => textContent).join("   "),
    );
  return blocks.map(({ html, text }) => (html ? rows(html).join("\n") : text)).join("\n\n");
}

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", nbsp: "\u00a0" };

const decode = (/** @type {string} */ text) =>
  text.replace(
    /&(#39|\w+);/g,
    (whole, name) => ENTITIES[/** @type {keyof typeof ENTITIES} */ (name)] ?? whole,
  );

/**
 * Builds a table from HTML. Keeps rows, cells and spans; drops all other tags but not their text.
 * @param {string} html
 * @returns {HTMLTableElement | null} `null` if the HTML has no row
 */
function table(html) {
  const element = h("table");
  /** @type {HTMLTableRowElement | null} */
  let row = null;
  /** @type {HTMLTableCellElement | null} */
  let cell = null;
  for (const [, close, name, attributes = "", text] of html.matchAll(
    /<(\/?)([a-z]+)([^<>]*)>|([^<]+|<)/gi,
  )) {
    const tag = name?.toLowerCase();
    if (text) cell?.append(decode(text));
    else if (tag === "br") cell?.append("\n");
    else if (tag === "tr") {
      row = close ? null : h("tr");
      cell = null;
      if (row) element.append(row);
    } else if (tag === "td" || tag === "th") {
      cell =
        close || !row
          ? null
          : h(tag, { colSpan: span(attributes, "col"), rowSpan: span(attributes, "row") });
      if (cell) row?.append(cell);
    }
  }
  return element.rows.length > 0 ? element : null;
}

/** @param {string} attributes @param {"col" | "row"} side */
const span = (attributes, side) =>
  Math.min(
    Number(new RegExp(`${side}span\\s*=\\s*["']?(\\d+)`, "i").exec(attributes)?.[1] ?? 1) || 1,
    100,
  );
