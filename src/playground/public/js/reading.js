/** A document being read: its job, pages and page images. */
import { ProblemError } from "./api.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./api.js").Job} Job */
/** @typedef {import("./api.js").PageResult} PageResult */
/** @typedef {import("./api.js").PageError} PageError */
/** @typedef {import("./api.js").OcrRequest} OcrRequest */

/** The model that renders page images instead of reading text. */
export const RENDERER = "fovea-render";

const OVER = ["succeeded", "partial", "failed", "canceled", "expired"];
export const isOver = (/** @type {string} */ state) => OVER.includes(state);

/**
 * @typedef {object} Page
 * @property {string} [source]
 * @property {PageResult} [result]
 * @property {PageError} [error]
 * @property {string} [image] object URL of the page image
 */

export class Reading {
  /** @type {Map<number, Page>} */
  pages = new Map();
  /** @type {Job | null} */
  job = null;
  #abort = new AbortController();
  /** @type {Map<string, Promise<string>>} object URLs of figures */
  #figures = new Map();

  /**
   * @param {Api} api
   * @param {(page?: number) => void} onChange called when a page (its number) or the job (no argument) has changed
   */
  constructor(api, onChange) {
    this.api = api;
    this.onChange = onChange;
  }

  /**
   * Starts the job and follows it until it ends.
   * @param {OcrRequest} request
   * @param {{pictures: boolean, wait?: number}} options `wait`: seconds to wait for the result, for tokens that cannot read a job
   */
  async start(request, { pictures, wait = 0 }) {
    const { signal } = this.#abort;
    this.job = await this.api.start(request, { wait, signal });
    this.onChange();
    if (pictures) this.#followPictures(request).catch(() => {});
    if (this.job.result) return this.#take(this.job);
    if (wait > 0)
      throw new ProblemError({
        title: "Still being read",
        detail: `This token cannot follow ${this.job.id}. Wait for the webhook, or use an API key to read the job.`,
      });
    await this.#follow(this.job.id);
  }

  /** @param {string} id an existing job */
  async watch(id) {
    this.job = await this.api.job(id);
    this.onChange();
    await this.#follow(id);
  }

  async cancel() {
    if (this.job && !isOver(this.job.state)) await this.api.cancel(this.job.id);
  }

  /**
   * @param {number} page
   * @param {number} block
   * @returns {Promise<string>} the figure as an object URL
   * @throws ProblemError
   */
  figure(page, block) {
    const name = `${page}/${block}`;
    const known = this.#figures.get(name);
    if (known) return known;
    const url = this.api.figure(this.job?.id ?? "", page, block);
    this.#figures.set(name, url);
    return url;
  }

  /** Stops following the job, which continues, and releases the images. */
  close() {
    this.#abort.abort();
    for (const { image } of this.pages.values()) if (image) URL.revokeObjectURL(image);
    for (const figure of this.#figures.values()) figure.then(URL.revokeObjectURL, () => {});
  }

  /** @param {string} id */
  async #follow(id) {
    for await (const { type, data } of this.api.events(id, this.#abort.signal)) {
      if (type === "page") await this.#page(id, data);
      if (type === "running" || this.job?.progress.total === null) {
        this.job = await this.api.job(id);
        this.onChange();
      }
    }
    this.job = await this.api.job(id);
    this.onChange();
  }

  /** @param {string} id @param {Record<string, any>} event */
  async #page(id, event) {
    const entry = event.error ? { error: event.error } : await this.api.page(id, event.page);
    const page = { ...this.pages.get(event.page), source: event.source };
    this.pages.set(
      event.page,
      "markdown" in entry ? { ...page, result: entry } : { ...page, error: entry.error },
    );
    this.onChange(event.page);
  }

  /** @param {Job} job with its result */
  #take(job) {
    const sources = new Map(job.pages?.map(({ page, source }) => [page, source]));
    for (const entry of job.result?.pages ?? []) {
      const source = sources.get(entry.page);
      this.pages.set(
        entry.page,
        "markdown" in entry ? { source, result: entry } : { source, error: entry.error },
      );
      this.onChange(entry.page);
    }
    this.onChange();
  }

  /** @param {OcrRequest} request */
  async #followPictures({ file, pages }) {
    const { signal } = this.#abort;
    const job = await this.api.start({ file, pages, model: RENDERER }, { signal });
    for await (const { type, data } of this.api.events(job.id, signal))
      if (type === "page" && !data.error) {
        const image = await this.api.image(job.id, data.page);
        this.pages.set(data.page, { ...this.pages.get(data.page), image });
        this.onChange(data.page);
      }
  }
}

/**
 * Reads one page of a document.
 * @param {Api} api
 * @param {OcrRequest} request
 * @param {number} page
 * @param {AbortSignal} signal
 * @returns {Promise<{job: string, result: PageResult}>}
 * @throws ProblemError with the page's error
 */
export async function readPage(api, request, page, signal) {
  const job = await api.start({ ...request, pages: String(page) }, { wait: 60, signal });
  if (!isOver(job.state)) for await (const _ of api.events(job.id, signal));
  const entry = await api.page(job.id, page);
  if ("markdown" in entry) return { job: job.id, result: entry };
  throw new ProblemError({ title: "The page could not be read", detail: entry.error.message });
}
