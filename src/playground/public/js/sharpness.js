/** A slider through the modes: shows how a page blurs with fewer vision tokens, and what is still readable. */
import { ProblemError } from "./api.js";
import { plainText } from "./content.js";
import { h } from "./dom.js";
import { setImage } from "./page-view.js";
import { RENDERER, readPage } from "./reading.js";
import { stillRead } from "./words.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./api.js").Model} Model */
/** @typedef {import("./api.js").PageResult} PageResult */

/** The modes from sharp to blurred. */
const LADDER = ["gundam", "large", "base", "small", "tiny"];
const SIDES = {
  gundam: "1024 px and tiles of 640",
  large: "1280 px",
  base: "1024 px",
  small: "640 px",
  tiny: "512 px",
};

/** Requests wait until the slider has not moved for this long. */
const REST_MS = 300;

/**
 * @typedef {object} Subject
 * @property {Api} api
 * @property {string} file
 * @property {number} page
 * @property {PageResult} reference the result in the "Pages" tab
 */

export class Sharpness {
  /** @type {Subject | null} */
  #subject = null;
  /** @type {Map<string, {tokens: number | null, share: number | null}>} by mode */
  #seen = new Map();
  #abort = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {string | null} */
  #picture = null;

  /** @param {HTMLElement} panel */
  constructor(panel) {
    this.empty = h(
      "p",
      { class: "empty" },
      "Read a document first, then see its pages with fewer and fewer vision tokens.",
    );
    this.slider = h("input", {
      type: "range",
      id: "sharpness",
      min: "0",
      max: String(LADDER.length - 1),
      value: "2",
      step: "1",
    });
    this.slider.setAttribute("list", "ladder");
    this.ladder = h(
      "ol",
      { class: "ladder", ariaHidden: "true" },
      ...LADDER.map((mode) => h("li", {}, mode)),
    );
    this.reader = h("select", { id: "reader" });
    this.facts = h("dl", { class: "facts" });
    this.sheet = h("div", { class: "sheet" });
    this.text = h("div", {
      class: "still",
      tabIndex: 0,
      role: "group",
      ariaLabel: "Text that is still readable",
    });
    this.note = h("p", { class: "note", role: "status" });
    this.table = h("tbody");
    this.body = h(
      "div",
      { class: "sharpness", hidden: true },
      h(
        "div",
        { class: "controls" },
        h(
          "div",
          { class: "slider" },
          h("label", { htmlFor: "sharpness" }, "Vision tokens, from many to few"),
          this.slider,
          this.ladder,
        ),
        h("p", { class: "field" }, h("label", { htmlFor: "reader" }, "Read by"), this.reader),
      ),
      this.facts,
      this.note,
      h("div", { class: "sides" }, h("figure", { class: "page-figure" }, this.sheet), this.text),
      h(
        "table",
        { class: "seen" },
        h("caption", {}, "Modes tried so far"),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ...["mode", "view", "vision tokens", "words still read"].map((name) =>
              h("th", { scope: "col" }, name),
            ),
          ),
        ),
        this.table,
      ),
    );
    panel.append(this.empty, this.body);
    this.slider.addEventListener("input", () => this.#later());
    this.reader.addEventListener("change", () => {
      this.#seen.clear();
      this.#later(0);
    });
  }

  /** @param {Model[]} models the available models */
  offer(models) {
    const readers = models.filter(({ id, fovea }) => fovea.modes.length > 0 && id !== RENDERER);
    this.pictures = models.some(({ id }) => id === RENDERER);
    this.reader.replaceChildren(...readers.map(({ id }) => h("option", { value: id }, id)));
  }

  /** @param {Subject | null} subject */
  show(subject) {
    const same =
      subject?.file === this.#subject?.file &&
      subject?.page === this.#subject?.page &&
      subject?.reference === this.#subject?.reference;
    this.#subject = subject;
    this.body.hidden = !subject;
    this.empty.hidden = Boolean(subject);
    if (same) return;
    this.#seen.clear();
    this.#showSeen();
    this.sheet.replaceChildren();
    // Keep the page's aspect ratio, also in modes that squeeze it into a square.
    const { width, height } = subject?.reference ?? {};
    if (width && height) this.sheet.style.setProperty("--ratio", String(width / height));
    this.text.replaceChildren();
    if (subject) this.#later(0);
  }

  /** Called when the tab is selected. */
  wake() {
    if (this.#subject && !this.#seen.has(this.#mode)) this.#later(0);
  }

  get #mode() {
    return /** @type {keyof typeof SIDES} */ (LADDER[Number(this.slider.value)]);
  }

  #later(ms = REST_MS) {
    const mode = this.#mode;
    this.slider.setAttribute("aria-valuetext", `${mode}, ${SIDES[mode]}`);
    for (const step of this.ladder.children)
      step.classList.toggle("here", step.textContent === mode);
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  async #look() {
    const subject = this.#subject;
    // Do not read pages while the tab is hidden.
    if (!subject || !this.body.checkVisibility()) return;
    const abort = new AbortController();
    this.#abort = abort;
    const mode = this.#mode;
    this.note.textContent = `Reading page ${subject.page} in mode ${mode} …`;
    this.body.ariaBusy = "true";
    const [picture, reading] = await Promise.allSettled([
      this.#see(subject, mode, abort.signal),
      this.#read(subject, mode, abort.signal),
    ]);
    if (abort.signal.aborted) return;
    this.body.ariaBusy = "false";
    const faults = [picture, reading].flatMap((one) =>
      one.status === "rejected"
        ? [
            one.reason instanceof ProblemError
              ? `${one.reason.title}. ${one.reason.message}`
              : String(one.reason),
          ]
        : [],
    );
    this.note.textContent = faults.join(" ");
    const seen = reading.status === "fulfilled" ? reading.value : null;
    const view = picture.status === "fulfilled" ? picture.value : null;
    const tokens = view?.vision_tokens?.valid ?? seen?.result.vision_tokens?.valid ?? null;
    this.#seen.set(mode, { tokens, share: seen?.share ?? null });
    this.#showSeen();
    this.#showFacts(mode, tokens, seen);
  }

  /** @param {Subject} subject @param {string} mode @param {AbortSignal} signal */
  async #see({ api, file, page }, mode, signal) {
    if (!this.pictures) return null;
    const { job, result } = await readPage(
      api,
      { file, model: RENDERER, mode: /** @type {any} */ (mode) },
      page,
      signal,
    );
    const address = await api.image(job, page);
    signal.throwIfAborted();
    setImage(this.sheet, address, `Page ${page} as the encoder sees it in mode ${mode}`);
    if (this.#picture) URL.revokeObjectURL(this.#picture);
    this.#picture = address;
    return result;
  }

  /** @param {Subject} subject @param {string} mode @param {AbortSignal} signal */
  async #read({ api, file, page, reference }, mode, signal) {
    if (!this.reader.value) return null;
    const request = { file, model: this.reader.value, mode: /** @type {any} */ (mode) };
    const { result } = await readPage(api, request, page, signal);
    signal.throwIfAborted();
    const text = plainText(result);
    const { runs, share } = stillRead(text, plainText(reference));
    this.text.replaceChildren(
      text.trim()
        ? h(
            "p",
            {},
            ...runs.map(({ text, known }) => (known ? text : h("span", { class: "lost" }, text))),
          )
        : h("p", { class: "empty" }, "Nothing is readable any more."),
    );
    return { result, share };
  }

  /** @param {keyof typeof SIDES} mode @param {number | null} tokens @param {{result: PageResult, share: number | null} | null} seen */
  #showFacts(mode, tokens, seen) {
    const precision = seen?.result.expected_precision?.map((share) => Math.round(share * 100));
    const entries = [
      ["mode", mode],
      ["view", SIDES[mode]],
      ["vision tokens", tokens?.toLocaleString("en")],
      ["text tokens", seen?.result.text_tokens?.toLocaleString("en")],
      ["words still read", percent(seen?.share)],
      ["expected precision", precision && `${precision.join("–")} %`],
      ["compared with", `${this.#subject?.reference.model} in “Pages”`],
    ];
    this.facts.replaceChildren(
      ...entries.flatMap(([name, value]) =>
        value ? [h("div", {}, h("dt", {}, /** @type {string} */ (name)), h("dd", {}, value))] : [],
      ),
    );
  }

  #showSeen() {
    this.table.replaceChildren(
      ...LADDER.map((mode) => {
        const seen = this.#seen.get(mode);
        const cells = [
          SIDES[/** @type {keyof typeof SIDES} */ (mode)],
          seen?.tokens?.toLocaleString("en") ?? "",
          percent(seen?.share) ?? "",
        ];
        return h(
          "tr",
          {},
          h("th", { scope: "row" }, mode),
          ...cells.map((text) => h("td", {}, text)),
        );
      }),
    );
  }
}

const percent = (/** @type {number | null | undefined} */ share) =>
  share === null || share === undefined ? null : `${Math.round(share * 100)} %`;
