/** One page: its image with boxes, its text, and facts about the reading. Boxes and text blocks are linked. */
import { blockContent } from "./content.js";
import { h, rove } from "./dom.js";

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

/**
 * @param {PageResult} result
 * @param {object} given
 * @param {string | null} given.image a URL for `img`, `null` until the image is rendered
 * @param {(block: number) => Promise<string>} given.picture loads the figure of a block as a URL for `img`
 * @param {string} [given.source]
 */
export function pageView(result, { image, picture, source }) {
  const tabs = { text: "Text", markdown: "Markdown", json: "JSON" };
  const text = blockList(result, picture);
  const shown = h("div", { class: "shown" }, text);
  const views = h(
    "div",
    { class: "views", role: "group", ariaLabel: "View the page as" },
    ...Object.entries(tabs).map(([name, label]) =>
      h(
        "button",
        { type: "button", ariaPressed: String(name === "text"), "data-view": name },
        label,
      ),
    ),
  );
  views.addEventListener("click", ({ target }) => {
    const button = /** @type {HTMLElement} */ (target).closest("button");
    if (!button) return;
    for (const other of views.children) other.ariaPressed = String(other === button);
    shown.replaceChildren(
      button.dataset.view === "text" ? text : sourceView(result, button.dataset.view),
    );
  });
  const figure = pageFigure(result, image);
  const article = h(
    "article",
    { class: "page", ariaLabel: `Page ${result.page}` },
    facts(result, source),
    ...result.warnings.map((warning) => h("p", { class: "warning" }, warning)),
    h("div", { class: "sides" }, figure, h("div", { class: "text-side" }, views, shown)),
  );
  link(figure, text);
  return article;
}

/** @param {PageResult} result @param {string | undefined} view */
function sourceView(result, view) {
  const content = view === "json" ? JSON.stringify(result, null, 2) : result.markdown;
  return h(
    "pre",
    { class: "source", tabIndex: 0, ariaLabel: `Page ${result.page} as ${view}` },
    content,
  );
}

/** @param {PageResult} result @param {string} [source] */
function facts(result, source) {
  const { vision_tokens: vision, text_tokens: tokens, compression, timings_ms: t } = result;
  const seconds = (t.raster + t.encode + t.prefill + t.decode) / 1000;
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
    ["worker time", `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(0)} s`],
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

/** @param {PageResult} result @param {string | null} image */
function pageFigure(result, image) {
  const sheet = h("div", { class: "sheet" });
  sheet.style.setProperty("--ratio", String((result.width || 210) / (result.height || 297)));
  setImage(sheet, image, `Page ${result.page} as it was read`);
  const boxes = h("div", {
    class: "boxes",
    role: "group",
    ariaLabel: "Boxes on the page; use arrow keys to move between them",
  });
  for (const block of result.blocks) {
    const box = h("button", {
      type: "button",
      class: `box ${block.type}`,
      "data-block": String(block.id),
      ariaLabel: `${block.type.replaceAll("_", " ")}: ${block.text.slice(0, 80) || "no text"}`,
    });
    place(box, block.bbox);
    boxes.append(box);
  }
  if (result.blocks.length > 0) sheet.append(partBoxes(result.blocks), boxes);
  rove(boxes, ".box");
  return h("figure", { class: "page-figure" }, sheet);
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

/** @param {HTMLElement} sheet @param {string | null} address @param {string} alt */
export function setImage(sheet, address, alt) {
  const old = sheet.querySelector("img");
  if (!address) return old?.remove();
  if (old) Object.assign(old, { src: address, alt });
  else sheet.prepend(h("img", { src: address, alt }));
}

/** @param {PageResult} result @param {(block: number) => Promise<string>} picture */
function blockList(result, picture) {
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
  for (const block of result.blocks)
    list.append(h("li", { "data-block": String(block.id) }, blockContent(block, picture)));
  rove(list, "li");
  return list;
}

/**
 * Links boxes and text blocks: hover and focus highlight both; a click or Enter moves the focus to the other one.
 * @param {HTMLElement} figure
 * @param {HTMLElement} text
 */
function link(figure, text) {
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
      const id = idAt(event);
      if (id)
        /** @type {HTMLElement | null} */ (other?.querySelector(`[data-block="${id}"]`))?.focus();
    };
    side?.addEventListener("click", go);
    // Boxes are buttons, which turn Enter into a click themselves.
    if (side === text)
      side.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        // Otherwise the same key press would click the newly focused box.
        event.preventDefault();
        go(event);
      });
  }
}

/** Scrolls the element into view within its column, without scrolling the page. */
function reveal(/** @type {HTMLElement} */ element) {
  const column = /** @type {HTMLElement | null} */ (element.closest(".shown"));
  if (!column) return;
  const [top, bottom] = [element.offsetTop, element.offsetTop + element.offsetHeight];
  if (top < column.scrollTop) column.scrollTop = top - 12;
  else if (bottom > column.scrollTop + column.clientHeight)
    column.scrollTop = bottom - column.clientHeight + 12;
}
