/** A document being read: its job, pages and page images. */
import { ProblemError } from "./api.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./api.js").Job} Job */
/** @typedef {import("./api.js").PageResult} PageResult */
/** @typedef {import("./api.js").PageError} PageError */
/** @typedef {import("./api.js").OcrRequest} OcrRequest */

/** The model that renders page images instead of reading text. */
export const RENDERER = "fovea-render";

/** Between two looks at a job whose first page is still unread. */
const POLL_MS = 2000;

const OVER = ["succeeded", "partial", "failed", "canceled", "expired"];
export const isOver = (/** @type {string} */ state) => OVER.includes(state);

/**
 * @typedef {object} Page
 * @property {string} [source]
 * @property {string} [verdict] known before the result is loaded
 * @property {PageResult} [result]
 * @property {PageError} [error]
 * @property {string} [image] object URL of the page image
 */

/** What the service has of a job. The sample has the same methods (sample.js). @typedef {Pick<Api, "job" | "page" | "events" | "figure" | "start" | "image" | "cancel">} Source */

export class Reading {
  /** @type {Map<number, Page>} pages that have a result or an error, or an image */
  pages = new Map();
  /** @type {Job | null} */
  job = null;
  #abort = new AbortController();
  /** @type {Set<number>} results that are being loaded */
  #loading = new Set();
  /** @type {Map<string, Promise<string>>} object URLs of figures */
  #figures = new Map();

  /**
   * @param {Source} api
   * @param {(page?: number) => void} onChange called when a page (its number) or the job (no argument) has changed
   */
  constructor(api, onChange) {
    this.api = api;
    this.onChange = onChange;
  }

  /** The numbers of the pages that the job has, read or not; none until they are known. */
  get numbers() {
    const planned = this.job?.pages?.map(({ page }) => page) ?? [];
    return [...new Set([...planned, ...this.pages.keys()])].sort((a, b) => a - b);
  }

  /** How many pages have a result or an error. */
  get read() {
    return [...this.pages.values()].filter(isRead).length;
  }

  /**
   * Starts the job.
   * @param {OcrRequest} request
   * @param {{wait?: number}} [options] `wait`: seconds to wait for the result, for tokens that cannot read a job
   */
  async start(request, { wait = 0 } = {}) {
    this.job = await this.api.start(request, { wait, signal: this.#abort.signal });
    if (this.job.result) this.#take(this.job);
    this.onChange();
    if (wait > 0 && !this.job.result)
      throw new ProblemError({
        title: "Still being read",
        detail: `This token cannot follow ${this.job.id}. Wait for the webhook, or use an API key to read the job.`,
      });
  }

  /** Follows the job until it ends. @param {string} id */
  async watch(id) {
    const { signal } = this.#abort;
    await this.#look(id);
    if (!this.job || isOver(this.job.state)) return;
    const poll = setInterval(() => this.read === 0 && this.#look(id).catch(() => {}), POLL_MS);
    signal.addEventListener("abort", () => clearInterval(poll));
    try {
      for await (const { type, data } of this.api.events(id, signal)) {
        if (type === "page") this.#page(data);
        if (type === "running" || this.job.progress.total === null) await this.#look(id);
      }
    } finally {
      clearInterval(poll);
    }
    await this.#look(id);
  }

  /** Has the page images made, as the reader sees them. @param {OcrRequest} request */
  async follow({ file, pages, password }) {
    const { signal } = this.#abort;
    const job = await this.api.start({ file, pages, password, model: RENDERER }, { signal });
    for await (const { type, data } of this.api.events(job.id, signal))
      if (type === "page" && !data.error) {
        const image = await this.api.image(job.id, data.page);
        if (signal.aborted) return URL.revokeObjectURL(image);
        this.#set(data.page, { image });
      }
  }

  /** Loads the result of a page that has been read. @param {number} number */
  async load(number) {
    const page = this.pages.get(number);
    if (!this.job || !page || !isRead(page) || page.result || page.error) return;
    if (this.#loading.has(number)) return;
    this.#loading.add(number);
    try {
      const entry = await this.api.page(this.job.id, number);
      this.#set(number, "markdown" in entry ? { result: entry } : { error: entry.error });
    } finally {
      this.#loading.delete(number);
    }
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
  async #look(id) {
    const job = await this.api.job(id);
    if (this.#abort.signal.aborted) return;
    this.job = job;
    for (const page of job.pages ?? [])
      if (page.state === "done" || page.error) this.#note(page.page, page);
    this.onChange();
  }

  /** @param {Record<string, any>} event */
  #page(event) {
    this.#note(event.page, event);
    this.onChange(event.page);
  }

  /** @param {number} number @param {{source?: string, verdict?: string | null, error?: PageError | null}} entry */
  #note(number, { source, verdict, error }) {
    this.pages.set(number, {
      ...this.pages.get(number),
      ...(source && { source }),
      ...(error ? { error } : { verdict: verdict ?? "ok" }),
    });
  }

  /** @param {number} number @param {Page} more */
  #set(number, more) {
    this.pages.set(number, { ...this.pages.get(number), ...more });
    this.onChange(number);
  }

  /** @param {Job} job with its result */
  #take(job) {
    for (const page of job.pages ?? []) this.#note(page.page, page);
    for (const entry of job.result?.pages ?? [])
      this.pages.set(entry.page, {
        ...this.pages.get(entry.page),
        ...("markdown" in entry ? { verdict: entry.verdict, result: entry } : entry),
      });
  }
}

/** @param {Page} page */
export const isRead = ({ verdict, error }) => Boolean(verdict ?? error);

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
