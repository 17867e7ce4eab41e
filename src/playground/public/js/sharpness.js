/**
 * A slider through the modes: shows how a page blurs with fewer vision tokens, and what is still readable. The view of a
 * mode is cheap and follows the slider. A model reads it only when it is asked to: it may be slow, and cost something.
 */
import { plainText } from "./content.js";
import { h } from "./dom.js";
import { setImage } from "./page-view.js";
import { duration } from "./plain.js";
import { problemWords } from "./problem.js";
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
/** A reader that needs less than this reads at every step of the slider, once it has been asked to read. */
const QUICK_MS = 3000;

/** @typedef {keyof typeof SIDES} Mode */

/**
 * @typedef {object} Subject
 * @property {Api} api
 * @property {string} file
 * @property {string} [password]
 * @property {number} page
 * @property {PageResult} reference the result on screen
 */

/**
 * @typedef {object} Seen
 * @property {PageResult | null} view the result of the renderer
 * @property {{result: PageResult, ms: number} & ReturnType<typeof stillRead>} [reading]
 */

export class Sharpness {
  /** @type {Subject | null} */
  #subject = null;
  /** @type {Map<Mode, Seen>} */
  #seen = new Map();
  #abort = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {string | null} */
  #picture = null;
  #quick = false;
  #figure;

  /** @param {HTMLElement} panel */
  constructor(panel) {
    this.panel = panel;
    this.empty = h(
      "p",
      { class: "empty" },
      "When a page has been read with an API key, see it here with fewer and fewer vision tokens.",
    );
    this.slider = h("input", {
      type: "range",
      id: "sharpness",
      min: "0",
      max: String(LADDER.length - 1),
      value: "2",
      step: "1",
    });
    this.ladder = h(
      "ol",
      { class: "ladder", ariaHidden: "true" },
      ...LADDER.map((mode) => h("li", {}, mode)),
    );
    this.reader = h("select", { id: "reader" });
    this.ask = h(
      "button",
      { type: "button", class: "primary", onclick: () => this.#look(true) },
      "Read it",
    );
    this.facts = h("dl", { class: "facts" });
    this.sheet = h("div", { class: "sheet" });
    this.#figure = h("figure", { class: "page-figure" }, this.sheet);
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
        "p",
        { class: "note" },
        "How much of the page does a model see in each mode? The view is beside this.",
      ),
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
        h("p", { class: "field" }, h("label", { htmlFor: "reader" }, "Reader"), this.reader),
        this.ask,
      ),
      this.facts,
      this.note,
      this.text,
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
            ...["mode", "view", "vision tokens", "words still read", "misread"].map((name) =>
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
      this.#quick = false;
      this.#forget();
      this.#later(0);
    });
  }

  /** Stands in the pane of the document while there is a page to look at. */
  get figure() {
    return this.#subject && this.#figure;
  }

  /** @param {Model[]} models the available models */
  offer(models) {
    const readers = models.filter(({ id, fovea }) => fovea.modes.length > 0 && id !== RENDERER);
    this.pictures = models.some(({ id }) => id === RENDERER);
    this.reader.replaceChildren(...readers.map(({ id }) => h("option", { value: id }, id)));
    this.ask.disabled = readers.length === 0;
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
    this.#forget();
    this.sheet.replaceChildren();
    setImage(this.sheet, null, "");
    // Keep the page's aspect ratio, also in modes that squeeze it into a square.
    const { width, height } = subject?.reference ?? {};
    if (width && height) this.sheet.style.setProperty("--ratio", String(width / height));
    if (subject) this.#later(0);
  }

  /** Called when the tab is selected. */
  wake() {
    if (this.#subject && !this.#seen.has(this.#mode)) this.#later(0);
  }

  get #mode() {
    return /** @type {Mode} */ (LADDER[Number(this.slider.value)]);
  }

  #forget() {
    this.#seen.clear();
    this.#showSeen();
    this.facts.replaceChildren();
    this.text.replaceChildren();
    this.note.textContent = "";
  }

  #later(ms = REST_MS) {
    const mode = this.#mode;
    this.slider.setAttribute("aria-valuetext", `${mode}, ${SIDES[mode]}`);
    this.ask.textContent = `Read it in mode ${mode}`;
    for (const step of this.ladder.children)
      step.classList.toggle("here", step.textContent === mode);
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.#timer = setTimeout(() => this.#look(this.#quick), ms);
  }

  /** @param {boolean} read whether the reader reads the view */
  async #look(read) {
    const subject = this.#subject;
    // Nothing is rendered or read while the tab is hidden.
    if (!subject || this.panel.hidden) return;
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    const mode = this.#mode;
    const known = this.#seen.get(mode)?.reading;
    const reads = read && !known && this.reader.value !== "";
    this.note.textContent = reads ? `Reading page ${subject.page} in mode ${mode} …` : "";
    this.body.ariaBusy = "true";
    const [view, reading] = await Promise.allSettled([
      this.#see(subject, mode, abort.signal),
      reads ? this.#read(subject, mode, abort.signal) : known,
    ]);
    if (abort.signal.aborted) return;
    this.body.ariaBusy = "false";
    const faults = [view, reading].flatMap((one) =>
      one.status === "rejected" ? problemWords(one.reason) : [],
    );
    const seen = {
      view: view.status === "fulfilled" ? view.value : null,
      ...(reading.status === "fulfilled" && reading.value && { reading: reading.value }),
    };
    if (seen.reading) this.#quick = seen.reading.ms < QUICK_MS;
    this.#seen.set(mode, seen);
    this.note.replaceChildren(...(faults.length > 0 ? faults : [this.#advice(seen)]));
    this.#showSeen();
    this.#showFacts(mode, seen);
    this.#showText(seen);
  }

  /** @param {Seen} seen */
  #advice({ reading }) {
    if (this.reader.value === "") return "No model that sees vision tokens is available.";
    if (!reading) return `This is what the encoder sees. ${this.reader.value} has not read it yet.`;
    const time = `${this.reader.value} took ${duration(reading.ms)}`;
    return this.#quick ? `${time} and now reads at every step.` : `${time}.`;
  }

  /** @param {Subject} subject @param {Mode} mode @param {AbortSignal} signal */
  async #see({ api, file, password, page }, mode, signal) {
    if (!this.pictures) return null;
    const request = { file, password, model: RENDERER, mode };
    const { job, result } = await readPage(api, request, page, signal);
    const address = await api.image(job, page);
    if (signal.aborted) URL.revokeObjectURL(address);
    signal.throwIfAborted();
    setImage(this.sheet, address, `Page ${page} as the encoder sees it in mode ${mode}`);
    if (this.#picture) URL.revokeObjectURL(this.#picture);
    this.#picture = address;
    return result;
  }

  /** @param {Subject} subject @param {Mode} mode @param {AbortSignal} signal */
  async #read({ api, file, password, page, reference }, mode, signal) {
    const request = { file, password, model: this.reader.value, mode };
    const { result } = await readPage(api, request, page, signal);
    // Of the worker: a reading from the cache says nothing about the next one.
    const { raster, encode, prefill, decode } = result.timings_ms;
    const ms = raster + encode + prefill + decode;
    return { result, ms, ...stillRead(plainText(result), plainText(reference)) };
  }

  /** @param {Seen} seen */
  #showText({ reading }) {
    if (!reading) return this.text.replaceChildren();
    if (!plainText(reading.result).trim())
      return this.text.replaceChildren(h("p", { class: "empty" }, "Nothing is readable any more."));
    this.text.replaceChildren(h("p", {}, ...markedWords(reading.runs)));
  }

  /** @param {Mode} mode @param {Seen} seen */
  #showFacts(mode, { view, reading }) {
    const { result, share, misread } = reading ?? {};
    const precision = result?.expected_precision?.map((share) => Math.round(share * 100));
    const entries = [
      ["mode", mode],
      ["view", SIDES[mode]],
      ["vision tokens", tokensOf({ view, reading })?.toLocaleString("en")],
      ["text tokens", result?.text_tokens?.toLocaleString("en")],
      ["words still read", percent(share)],
      ["misread words", misread?.toLocaleString("en")],
      ["expected precision", precision && `${precision.join("–")} %`],
      ["compared with", reading && `the reading of ${this.#subject?.reference.model}`],
    ];
    this.facts.replaceChildren(
      ...entries.flatMap(([name, value]) =>
        value ? [h("div", {}, h("dt", {}, /** @type {string} */ (name)), h("dd", {}, value))] : [],
      ),
    );
  }

  #showSeen() {
    this.table.replaceChildren(
      ...LADDER.map((name) => {
        const mode = /** @type {Mode} */ (name);
        const seen = this.#seen.get(mode);
        const cells = [
          SIDES[mode],
          (seen && tokensOf(seen)?.toLocaleString("en")) ?? "",
          percent(seen?.reading?.share) ?? "",
          seen?.reading?.misread.toLocaleString("en") ?? "",
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

/** @param {Seen} seen */
const tokensOf = ({ view, reading }) =>
  view?.vision_tokens?.valid ?? reading?.result.vision_tokens?.valid ?? null;

const percent = (/** @type {number | null | undefined} */ share) =>
  share === null || share === undefined ? null : `${Math.round(share * 100)} %`;

/**
 * A reading with its misread words marked, and what stands on the page instead, if that is known.
 * @param {ReturnType<typeof stillRead>["runs"]} runs
 */
export const markedWords = (runs) =>
  runs.map(({ text, known, meant }) =>
    known
      ? text
      : h(
          "span",
          { class: "misread" },
          h("del", {}, text),
          meant !== undefined && h("ins", {}, meant),
        ),
  );
