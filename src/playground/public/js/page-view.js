/** One page: its image with boxes, its text, and facts about the reading. Boxes and text blocks are linked. */
import { blockContent } from "./content.js";
import { h, prose, rove } from "./dom.js";
import { duration } from "./plain.js";
import { markNumbers } from "./tables.js";

/** @typedef {import("./api.js").PageResult} PageResult */
/** @typedef {import("./api.js").PageStatus} PageStatus */

/** @typedef {import("./api.js").Block} Block */

const ORIGINS = {
  text_layer: "the text layer",
  file: "the file",
  recognition: "recognition",
  mixed: "the text layer and recognition",
};
const SOURCES = { hit: "from the cache", read: "read now", shared: "shared with another job" };

/** @param {PageResult} result @param {string} [source] whether it is from the cache */
export function factsOf(result, source) {
  const { timings_ms: t } = result;
  const by = `read by ${result.model}`;
  const time = duration(t.raster + t.encode + t.prefill + t.decode);
  const from = result.text_source && ` from ${ORIGINS[result.text_source]}`;
  return h(
    "div",
    { class: "about" },
    h(
      "details",
      {},
      h(
        "summary",
        {},
        h("span", { class: `verdict ${result.verdict}` }, result.verdict),
        `, ${by}${from ?? ""} in ${time}`,
      ),
      facts(result, source),
    ),
    ...result.warnings.map((warning) => h("p", { class: "warning" }, ...prose(warning))),
  );
}

/** @param {PageResult} result @param {"markdown" | "json"} view */
export function sourceView(result, view) {
  const content = view === "json" ? JSON.stringify(result, null, 2) : result.markdown;
  return h(
    "pre",
    { class: "source", tabIndex: 0, role: "group", ariaLabel: `Page ${result.page} as ${view}` },
    content,
  );
}

/** What stands in the place of a text that is not there yet. @param {string} words */
export const pendingText = (words) =>
  h(
    "div",
    { class: "pending" },
    h("p", {}, words),
    h("div", { class: "bones", ariaHidden: "true" }, ...Array.from({ length: 7 }, () => h("i"))),
  );

/** @param {PageResult} result @param {string} [source] */
function facts(result, source) {
  const { vision_tokens: vision, text_tokens: tokens, compression, timings_ms: t } = result;
  const precision = result.expected_precision
    ?.map((share) => `${Math.round(share * 100)}`)
    .join("–");
  const tiles = vision?.tiles ? ` (${vision.tiles.join(" × ")} tiles and an overview)` : "";
  const lines = result.blocks.flatMap((block) => block.lines ?? []);
  const words = lines.flatMap((line) => line.words ?? []);
  const entries = [
    ["verdict", h("span", { class: `verdict ${result.verdict}` }, result.verdict)],
    ["read by", result.model],
    ["characters from", result.text_source && ORIGINS[result.text_source]],
    ["lines", lines.length > 0 && lines.length.toLocaleString("en")],
    ["words", words.length > 0 && words.length.toLocaleString("en")],
    ["mode", result.mode + tiles],
    ["vision tokens", vision?.valid.toLocaleString("en")],
    ["text tokens", tokens?.toLocaleString("en")],
    ["compression", compression !== null && `${compression.toFixed(1)} ×`],
    ["expected precision", precision && `${precision} %`],
    ["worker time", duration(t.raster + t.encode + t.prefill + t.decode)],
    ["cache", source && (SOURCES[/** @type {keyof typeof SOURCES} */ (source)] ?? source)],
  ];
  return h(
    "dl",
    { class: "facts" },
    ...entries.map(
      ([name, value]) =>
        value && h("div", {}, h("dt", {}, /** @type {string} */ (name)), h("dd", {}, value)),
    ),
  );
}

/**
 * @param {{url: string, ratio: number} | null} picture
 * @param {string} alt
 * @param {PageResult | null} result
 */
export function pageFigure(picture, alt, result) {
  const sheet = h("div", { class: "sheet" });
  const ratio = result?.width ? result.width / result.height : picture?.ratio || 210 / 297;
  sheet.style.setProperty("--ratio", String(ratio));
  setImage(sheet, picture?.url ?? null, alt);
  const boxes = h("div", {
    class: "boxes",
    role: "group",
    ariaLabel: "Boxes on the page; use arrow keys to move between them",
  });
  for (const block of result?.blocks ?? []) {
    const box = h("button", {
      type: "button",
      class: `box ${block.type}`,
      "data-block": String(block.id),
      ariaLabel: `${block.type.replaceAll("_", " ")}: ${block.text.slice(0, 80) || "no text"}`,
    });
    place(box, block.bbox);
    boxes.append(box);
  }
  if (result && result.blocks.length > 0) sheet.append(partBoxes(result.blocks), boxes);
  rove(boxes, ".box");
  return h("figure", { class: "page-figure" }, sheet);
}

/** Shows boxes that are not those of blocks, such as citations. @param {HTMLElement} sheet @param {Block["bbox"][]} boxes */
export function showCited(sheet, boxes) {
  sheet.querySelector(".cited")?.remove();
  if (boxes.length === 0) return;
  const marks = boxes.map((box) => {
    const mark = h("span", { class: "cite" });
    place(mark, box);
    return mark;
  });
  sheet.append(h("div", { class: "boxes cited", ariaHidden: "true" }, ...marks));
  reveal(/** @type {HTMLElement} */ (marks[0]));
}

/** @param {HTMLElement} element @param {Block["bbox"]} box */
function place(element, [x0, y0, x1, y1]) {
  Object.assign(element.style, {
    left: `${x0 * 100}%`,
    top: `${y0 * 100}%`,
    width: `${(x1 - x0) * 100}%`,
    height: `${(y1 - y0) * 100}%`,
  });
}

/** The boxes of the words, or of the lines where no words are known. They are only seen. @param {Block[]} blocks */
function partBoxes(blocks) {
  const parts = blocks
    .flatMap(({ lines = [] }) => lines)
    .flatMap((line) => (line.words?.length ? line.words : [line]));
  const boxes = parts.map(({ bbox }) => {
    const box = h("span", { class: "part" });
    place(box, bbox);
    return box;
  });
  return h("div", { class: "boxes", ariaHidden: "true" }, ...boxes);
}

/** Without a picture, words stand in its place. @param {HTMLElement} sheet @param {string | null} address @param {string} alt */
export function setImage(sheet, address, alt) {
  const old = sheet.querySelector("img");
  if (!address) {
    if (!old && !sheet.querySelector(".undrawn"))
      sheet.prepend(h("p", { class: "undrawn" }, "The page appears here when it has been drawn."));
    return;
  }
  sheet.querySelector(".undrawn")?.remove();
  if (old) Object.assign(old, { src: address, alt });
  else sheet.prepend(h("img", { src: address, alt }));
}

/**
 * @param {PageResult} result
 * @param {(block: number) => Promise<string>} picture loads the figure of a block as a URL for `img`
 * @param {(table: HTMLTableElement, number: number) => HTMLElement} tools buttons for the page's table of this number, from 1
 */
export function blockList(result, picture, tools) {
  if (result.blocks.length === 0) {
    const nothing =
      result.verdict === "blank" ? "The page is blank." : "No text was found on the page.";
    return result.markdown
      ? h("pre", { class: "source", tabIndex: 0, ariaLabel: "Text" }, result.markdown)
      : h("p", { class: "empty" }, nothing);
  }
  const list = h("ol", {
    class: "blocks",
    ariaLabel: "Text of the page; use arrow keys to move between blocks",
  });
  let tables = 0;
  for (const block of result.blocks) {
    const content = blockContent(block, picture);
    if (block.type === "table") tables++;
    const table = content.querySelector("table");
    if (table) markNumbers(table);
    list.append(
      h("li", { "data-block": String(block.id) }, table && tools(table, tables), content),
    );
  }
  rove(list, "li");
  return list;
}

/**
 * Links boxes and text blocks: hover and focus highlight both; a click or Enter moves the focus to the other one.
 * @param {HTMLElement} figure
 * @param {HTMLElement} text
 */
export function link(figure, text) {
  const twins = (/** @type {string} */ id) => [
    .../** @type {NodeListOf<HTMLElement>} */ (figure.querySelectorAll(`[data-block="${id}"]`)),
    .../** @type {NodeListOf<HTMLElement>} */ (text.querySelectorAll(`[data-block="${id}"]`)),
  ];
  for (const [side, other] of [
    [figure, text],
    [text, figure],
  ]) {
    const idAt = (/** @type {Event} */ event) =>
      /** @type {HTMLElement | null} */ (
        /** @type {Element} */ (event.target).closest("[data-block]")
      )?.dataset.block;
    const mark = (/** @type {Event} */ event) => {
      const id = idAt(event);
      if (!id) return;
      for (const marked of [
        ...figure.querySelectorAll(".marked"),
        ...text.querySelectorAll(".marked"),
      ])
        marked.classList.remove("marked");
      for (const element of twins(id)) element.classList.add("marked");
      // Scroll only the other side, not the one in use.
      const twin = other?.querySelector(`[data-block="${id}"]`);
      if (twin && event.type === "focusin") reveal(/** @type {HTMLElement} */ (twin));
    };
    side?.addEventListener("pointerover", mark);
    side?.addEventListener("focusin", mark);
    const go = (/** @type {Event} */ event) => {
      if (/** @type {Element} */ (event.target).closest(".tools")) return;
      const id = idAt(event);
      if (id)
        /** @type {HTMLElement | null} */ (other?.querySelector(`[data-block="${id}"]`))?.focus();
    };
    side?.addEventListener("click", go);
    // Boxes are buttons, which turn Enter into a click themselves.
    if (side === text)
      side.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || /** @type {Element} */ (event.target).closest(".tools"))
          return;
        // Otherwise the same key press would click the newly focused box.
        event.preventDefault();
        go(event);
      });
  }
}

/** Scrolls the element into view within its pane, without scrolling the page. */
function reveal(/** @type {HTMLElement} */ element) {
  const pane = element.closest(".pane-body");
  if (!pane) return;
  const [inner, outer] = [element.getBoundingClientRect(), pane.getBoundingClientRect()];
  if (inner.top < outer.top) pane.scrollTop += inner.top - outer.top - 12;
  else if (inner.bottom > outer.bottom)
    pane.scrollTop += Math.min(inner.bottom - outer.bottom + 12, inner.top - outer.top - 12);
}
