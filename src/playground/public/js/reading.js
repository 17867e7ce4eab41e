/** A document being read: the job, its pages as they come, and the images of them. */
import { ProblemError } from "./api.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./api.js").Job} Job */
/** @typedef {import("./api.js").PageResult} PageResult */
/** @typedef {import("./api.js").PageError} PageError */
/** @typedef {import("./api.js").OcrRequest} OcrRequest */

/** The reader whose "reading" of a page is its picture. */
export const RENDERER = "fovea-render";

const OVER = ["succeeded", "partial", "failed", "canceled", "expired"];
export const isOver = (/** @type {string} */ state) => OVER.includes(state);

/**
 * @typedef {object} Page
 * @property {string} [source]
 * @property {PageResult} [result]
 * @property {PageError} [error]
 * @property {string} [image] address of its picture
 */

export class Reading {
  /** @type {Map<number, Page>} */
  pages = new Map();
  /** @type {Job | null} */
  job = null;
  #abort = new AbortController();

  /**
   * @param {Api} api
   * @param {(page?: number) => void} onChange told of each page that has changed, and of the job
   */
  constructor(api, onChange) {
    this.api = api;
    this.onChange = onChange;
  }

  /**
   * Starts the job and follows it to its end.
   * @param {OcrRequest} request
   * @param {{pictures: boolean, wait?: number}} options `wait`: seconds to hold the answer, for who may start a job and not read it
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
        detail: `The token may not follow ${this.job.id}: its end will be in the webhook, or read it with a key.`,
      });
    await this.#follow(this.job.id);
  }

  /** @param {string} id a job that somebody else has started */
  async watch(id) {
    this.job = await this.api.job(id);
    this.onChange();
    await this.#follow(id);
  }

  async cancel() {
    if (this.job && !isOver(this.job.state)) await this.api.cancel(this.job.id);
  }

  /** Stops following, and lets the pictures go. The job itself goes on. */
  close() {
    this.#abort.abort();
    for (const { image } of this.pages.values()) if (image) URL.revokeObjectURL(image);
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

  /** @param {Job} job that came with its result */
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
 * One page of a document, read to the end.
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
