/** The newest jobs of the account, and those of documents that were sent together. */
import { h } from "./dom.js";
import { ago, count, stateWord } from "./plain.js";
import { isOver, RENDERER } from "./reading.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./api.js").Job} Job */

/** Between two looks at jobs that are still open. */
const POLL_MS = 3000;
const SHOWN = 12;

export class Recent {
  /** @type {Job[]} newest first */
  jobs = [];
  /** @type {Api | null} */
  #api = null;
  /** @type {Map<string, string>} names of files by id */
  #names = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {HTMLElement} list
   * @param {() => void} onChange
   */
  constructor(list, onChange) {
    this.list = list;
    this.onChange = onChange;
  }

  /** @param {Api | null} api `null` without a key that can list jobs */
  offer(api) {
    this.#api = api;
    this.jobs = [];
    this.#names.clear();
    this.#show();
    if (api) this.refresh();
  }

  /** @param {string} fileId @param {string} name */
  learn(fileId, name) {
    this.#names.set(fileId, name);
  }

  /** @param {string} fileId */
  nameOf(fileId) {
    return this.#names.get(fileId) ?? "A document";
  }

  /** How many documents were sent before this one and are still open. @param {Job} job */
  before(job) {
    const earlier = this.jobs.filter(
      ({ id, file_id: file, state, created_at: at }) =>
        id !== job.id && file !== job.file_id && !isOver(state) && at < job.created_at,
    );
    return new Set(earlier.map(({ file_id }) => file_id)).size;
  }

  async refresh() {
    const api = this.#api;
    clearTimeout(this.#timer);
    if (!api) return;
    try {
      const all = await api.jobs();
      if (api !== this.#api) return;
      this.jobs = all.filter(({ model }) => model !== RENDERER);
      const shown = this.jobs.slice(0, SHOWN);
      if (shown.some(({ file_id }) => !this.#names.has(file_id)))
        for (const [id, name] of await api.fileNames()) this.#names.set(id, name);
    } catch {
      // The list is a convenience: a key without the scope has none.
      return;
    }
    if (api !== this.#api) return;
    this.#show();
    this.onChange();
    clearTimeout(this.#timer);
    if (this.jobs.some(({ state }) => !isOver(state)))
      this.#timer = setTimeout(() => this.refresh(), POLL_MS);
  }

  /** Marks the job that is on screen. @param {string | null} id */
  mark(id) {
    for (const link of this.list.querySelectorAll("a"))
      if (id && link.hash === `#job=${id}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
  }

  #show() {
    const current = this.list.querySelector("[aria-current]");
    const focused = this.list.contains(document.activeElement)
      ? /** @type {HTMLAnchorElement} */ (document.activeElement).hash
      : null;
    const id =
      /** @type {HTMLAnchorElement | null} */ (current)?.hash.slice("#job=".length) ?? null;
    this.list.replaceChildren(...this.jobs.slice(0, SHOWN).map((job) => this.#row(job)));
    this.mark(id);
    if (focused)
      for (const link of this.list.querySelectorAll("a")) if (link.hash === focused) link.focus();
  }

  /** @param {Job} job */
  #row({ id, file_id: file, state, progress, model, created_at: at }) {
    const { total, done, failed } = progress;
    const pages = total === null ? "" : `, ${count(total, "page")}`;
    const so = isOver(state) || total === null ? pages : `, ${done + failed} of ${total} pages`;
    return h(
      "li",
      {},
      h("a", { href: `#job=${id}` }, this.nameOf(file)),
      h("span", { class: `state ${state}` }, stateWord(state) + so),
      h("span", { class: "note" }, `${model}, ${ago(at)}`),
    );
  }
}
