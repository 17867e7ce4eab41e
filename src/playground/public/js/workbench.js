/** The two panes: the document, and what was read from it. */
import { byId, h, tabs } from "./dom.js";
import { Extract } from "./extract.js";
import { fetchResult, stem } from "./formats.js";
import {
  blockList,
  factsOf,
  link,
  pageFigure,
  pendingText,
  setImage,
  showCited,
  sourceView,
} from "./page-view.js";
import { problemWords } from "./problem.js";
import { isRead } from "./reading.js";
import { SaveBar } from "./save.js";
import { Sharpness } from "./sharpness.js";
import { onlySheet, tableTools } from "./tables.js";

/** @typedef {import("./api.js").PageResult} PageResult */
/** @typedef {import("./preview.js").Picture} Picture */

/**
 * @typedef {object} Open
 * @property {import("./reading.js").Reading} reading
 * @property {string} name of the document
 * @property {import("./preview.js").Preview | null} preview
 * @property {string} [password]
 * @property {boolean} isSample
 * @property {boolean} isOfForm whether the form has its document and options
 */

/** What the panes show. @typedef {{page: number, result: PageResult | null, reading: object, text?: HTMLElement}} Drawn */

/** The formats that the views are. @type {Record<string, string>} */
const FORMAT_OF = { text: "md", markdown: "md", json: "json" };

export class Workbench {
  /** @type {Open | null} */
  #open = null;
  #page = 0;
  #view = "text";
  #offered = false;
  /** @type {Drawn | null} */
  #drawn = null;
  /** @type {HTMLElement | null} */
  #figure = null;
  #document = byId("document");
  #result = byId("result");

  constructor() {
    this.save = new SaveBar(byId("save"));
    this.sharpness = new Sharpness(byId("panel-sharpness"));
    this.extract = new Extract(byId("panel-data"), (page, boxes) => {
      this.#turnTo(page);
      const sheet = /** @type {HTMLElement | null} */ (this.#figure?.querySelector(".sheet"));
      if (sheet) showCited(sheet, boxes);
    });
    // The keyboard scrolls what it can reach.
    for (const panel of /** @type {NodeListOf<HTMLElement>} */ (
      document.querySelectorAll(".pane-body")
    ))
      panel.tabIndex = 0;
    const select = tabs(byId("stage"), (tab) => this.#select(tab));
    select(byId("tab-text"));
    byId("previous").addEventListener("click", () => this.#step(-1));
    byId("next").addEventListener("click", () => this.#step(1));
    const whole = byId("whole");
    const showWhole = (/** @type {boolean} */ isWhole) => {
      whole.ariaPressed = String(isWhole);
      this.#document.classList.toggle("whole", isWhole);
    };
    whole.addEventListener("click", () => showWhole(whole.ariaPressed !== "true"));
    // Where the panes stand below each other, the text starts on the first screen.
    showWhole(matchMedia("(max-width: 52rem)").matches);
  }

  /** @param {import("./api.js").Model[]} models */
  offer(models) {
    this.#offered = models.length > 0;
    this.sharpness.offer(models);
  }

  /** @param {Open} open @param {number} [changed] the page that has changed; without it, all may have */
  show(open, changed) {
    if (open.reading !== this.#open?.reading) {
      this.#page = 0;
      this.#drawn = null;
    }
    this.#open = open;
    byId("work").hidden = false;
    const { numbers } = open.reading;
    if (this.#page === 0 || (numbers.length > 0 && !numbers.includes(this.#page)))
      this.#page = numbers[0] ?? 0;
    this.#showList();
    if (changed === undefined || changed === this.#page) this.#showPage();
  }

  /** @param {HTMLElement} tab */
  #select(tab) {
    this.#view = tab.id.slice("tab-".length);
    const format = FORMAT_OF[this.#view];
    if (format) {
      byId("panel-page").setAttribute("aria-labelledby", tab.id);
      this.save.prefer(format);
    }
    if (this.#view === "data") this.extract.wake();
    if (this.#view === "sharpness") this.sharpness.wake();
    if (this.#open) this.#showPage(true);
  }

  /** @param {number} by */
  #step(by) {
    const numbers = this.#open?.reading.numbers ?? [];
    const next = numbers[numbers.indexOf(this.#page) + by];
    if (next) this.#turnTo(next);
  }

  /** @param {number} page */
  #turnTo(page) {
    if (page === this.#page) return;
    this.#page = page;
    this.#document.scrollTop = 0;
    this.#showList();
    this.#showPage();
  }

  /** Says which of the two pictures it is. */
  get #alt() {
    const image = this.#open?.reading.pages.get(this.#page)?.image;
    return `Page ${this.#page || 1}${image ? " as it was read" : ""}`;
  }

  /** @returns {Picture | null} */
  get #picture() {
    const { reading, preview } = /** @type {Open} */ (this.#open);
    const image = reading.pages.get(this.#page)?.image;
    if (image) return { url: image, ratio: 0 };
    return preview?.drawn(this.#page || 1) ?? null;
  }

  #showList() {
    const { numbers, pages } = /** @type {Open} */ (this.#open).reading;
    const list = byId("page-list");
    list.hidden = numbers.length < 2;
    const at = numbers.indexOf(this.#page);
    byId("page-number").textContent = numbers.length > 1 ? `Page ${this.#page}` : "Document";
    const [previous, next] = [byId("previous", HTMLButtonElement), byId("next", HTMLButtonElement)];
    previous.hidden = next.hidden = numbers.length < 2;
    previous.disabled = at <= 0;
    next.disabled = at < 0 || at === numbers.length - 1;
    const focused =
      document.activeElement instanceof HTMLElement && list.contains(document.activeElement)
        ? document.activeElement.dataset.page
        : undefined;
    list.replaceChildren(
      ...numbers.map((number) => {
        const { verdict, error } = pages.get(number) ?? {};
        const state = error ? "failed" : (verdict ?? "unread");
        return h(
          "button",
          {
            type: "button",
            class: `page-link ${state}`,
            "data-page": String(number),
            ariaLabel: `Page ${number}, ${state}`,
            "aria-current": number === this.#page && "page",
            onclick: () => this.#turnTo(number),
          },
          String(number),
        );
      }),
    );
    const here = /** @type {HTMLElement | null} */ (list.querySelector("[aria-current]"));
    if (here) list.scrollLeft = here.offsetLeft - list.clientWidth / 2;
    if (focused)
      /** @type {HTMLElement | null} */ (list.querySelector(`[data-page="${focused}"]`))?.focus();
  }

  /** @param {boolean} [always] whether the right pane is made anew although the result is the same */
  #showPage(always = false) {
    const open = /** @type {Open} */ (this.#open);
    const { reading, preview } = open;
    const page = reading.pages.get(this.#page);
    const result = page?.result ?? null;
    if (page && isRead(page) && !result && !page.error)
      reading.load(this.#page).catch((error) => {
        if (open !== this.#open) return;
        this.#result.replaceChildren(h("p", { class: "problem" }, ...problemWords(error)));
      });
    const number = this.#page || 1;
    const picture = this.#picture;
    if (!picture)
      preview?.page(number).then((drawn) => {
        const isLate = open !== this.#open || number !== (this.#page || 1);
        // The image of the service, which may have come first, is the better one.
        if (isLate || reading.pages.get(number)?.image) return;
        const undrawn = this.#figure?.querySelector(".undrawn");
        if (drawn) this.#showPicture(drawn);
        else if (undrawn && page?.error) undrawn.textContent = "This page cannot be drawn.";
      });
    const drawn = this.#drawn;
    const same = drawn?.page === number && drawn.result === result && drawn.reading === reading;
    // If only the image is new, replacing the rest would lose the focus.
    if (!same || !this.#figure) {
      this.#figure = pageFigure(picture, this.#alt, result);
      this.#drawn = { page: number, result, reading };
    } else if (picture) this.#showPicture(picture);
    if (!same || always || page?.error || !result) this.#showResult();
    this.#offer(result);
    this.#showDocument();
  }

  /** @param {Picture} picture */
  #showPicture({ url, ratio }) {
    const sheet = /** @type {HTMLElement | null} */ (this.#figure?.querySelector(".sheet"));
    if (!sheet) return;
    setImage(sheet, url, this.#alt);
    if (ratio && !this.#drawn?.result) sheet.style.setProperty("--ratio", String(ratio));
  }

  #showDocument() {
    const figure = (this.#view === "sharpness" && this.sharpness.figure) || this.#figure;
    if (figure && figure.parentElement !== this.#document) this.#document.replaceChildren(figure);
  }

  #showResult() {
    const { reading } = /** @type {Open} */ (this.#open);
    const page = reading.pages.get(this.#page);
    const { result } = page ?? {};
    if (page?.error)
      return this.#result.replaceChildren(
        h(
          "p",
          { class: "problem" },
          h("strong", {}, `Page ${this.#page}`),
          ` ${page.error.message}`,
        ),
      );
    if (!result) {
      const words =
        reading.job?.error || (reading.job?.finished_at && reading.read === 0)
          ? "There is no text."
          : "The text appears here as soon as the page is read.";
      if (!this.#result.querySelector(".pending") || reading.job?.error)
        this.#result.replaceChildren(reading.job?.error ? h("p", {}, words) : pendingText(words));
      return;
    }
    const facts = factsOf(result, page?.source);
    if (this.#view === "markdown" || this.#view === "json")
      return this.#result.replaceChildren(facts, sourceView(result, this.#view));
    if (this.#view === "text") this.#result.replaceChildren(facts, this.#text(result));
  }

  /** The blocks of the page, linked with their boxes once. @param {PageResult} result */
  #text(result) {
    const { reading } = /** @type {Open} */ (this.#open);
    const drawn = /** @type {Drawn} */ (this.#drawn);
    if (drawn.text) return drawn.text;
    const page = this.#page;
    drawn.text = blockList(
      result,
      (block) => reading.figure(page, block),
      (table, number) => this.#tools(table, page, number),
    );
    if (this.#figure) link(this.#figure, drawn.text);
    return drawn.text;
  }

  /** @param {HTMLTableElement} table @param {number} page @param {number} number of the table on the page */
  #tools(table, page, number) {
    const open = /** @type {Open} */ (this.#open);
    const name = () => `${stem(open.name)}-page-${page}-table-${number}`;
    return tableTools(table, name, async () => {
      const api = /** @type {import("./api.js").Api} */ (open.reading.api);
      const workbook = await fetchResult(api, open.reading.job?.id ?? "", "xlsx", String(page));
      return onlySheet(new Uint8Array(await workbook.arrayBuffer()), number);
    });
  }

  /** Tells the views of the pane what they are about. @param {PageResult | null} result */
  #offer(result) {
    const { reading, name, password, isSample } = /** @type {Open} */ (this.#open);
    const { job } = reading;
    const api = /** @type {import("./api.js").Api} */ (reading.api);
    const page = this.#page;
    this.save.show(
      job && reading.read > 0
        ? { api, job: job.id, name, page, several: reading.numbers.length > 1 }
        : null,
    );
    const asked = this.#offered && !isSample && job;
    this.extract.show(asked ? { api, job: job.id, name } : null);
    this.sharpness.show(
      asked && result ? { api, file: job.file_id, password, page, reference: result } : null,
    );
  }
}
