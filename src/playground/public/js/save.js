/** Copying and downloading a result: a choice of format, and two buttons. */
import { h } from "./dom.js";
import { copy, download, FORMATS, fetchResult, stem } from "./formats.js";
import { problemWords } from "./problem.js";

/**
 * @typedef {object} Saved
 * @property {import("./api.js").Api} api
 * @property {string} job
 * @property {string} name of the document
 * @property {number} page the page on screen
 * @property {boolean} several whether the job has further pages
 */

export class SaveBar {
  /** @type {Saved | null} */
  #saved = null;

  /** @param {HTMLElement} place */
  constructor(place) {
    this.format = h(
      "select",
      { id: "format", ariaLabel: "Format" },
      ...Object.entries(FORMATS).map(([value, { label }]) => h("option", { value }, label)),
    );
    this.scope = h(
      "select",
      { id: "scope", ariaLabel: "Pages to save", hidden: true },
      h("option", { value: "all" }, "all pages"),
      h("option", { value: "page" }, "this page"),
    );
    this.copy = h(
      "button",
      { type: "button", onclick: () => this.#run(() => this.#copy()) },
      "Copy",
    );
    this.download = h(
      "button",
      { type: "button", onclick: () => this.#run(() => this.#download()) },
      "Download",
    );
    this.note = h("span", { class: "note", role: "status" });
    place.append(this.format, this.scope, this.copy, this.download, this.note);
    this.format.addEventListener("change", () => this.#offer());
    this.#offer();
  }

  /** @param {Saved | null} saved */
  show(saved) {
    if (saved?.job !== this.#saved?.job) this.note.textContent = "";
    this.#saved = saved;
    this.scope.hidden = !saved?.several;
    this.#offer();
  }

  /** The view on screen is what is offered first. @param {string} format */
  prefer(format) {
    this.format.value = format;
    this.#offer();
  }

  #offer() {
    this.copy.disabled = !this.#saved || !FORMATS[this.format.value]?.text;
    this.download.disabled = !this.#saved;
  }

  /** @returns {Promise<Response>} */
  #fetch() {
    const { api, job, page } = /** @type {Saved} */ (this.#saved);
    const one = !this.scope.hidden && this.scope.value === "page";
    return fetchResult(api, job, this.format.value, one ? String(page) : "");
  }

  async #copy() {
    await copy(await (await this.#fetch()).text());
    this.note.textContent = "Copied.";
  }

  async #download() {
    const { name } = /** @type {Saved} */ (this.#saved);
    const blob = await (await this.#fetch()).blob();
    download(blob, `${stem(name)}.${FORMATS[this.format.value]?.extension}`);
    this.note.textContent = "Saved.";
  }

  /** @param {() => Promise<void>} work */
  async #run(work) {
    if (!this.#saved) return;
    this.note.textContent = "One moment …";
    try {
      await work();
    } catch (error) {
      this.note.replaceChildren(...problemWords(error));
    }
  }
}
