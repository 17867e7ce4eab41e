/** A finished job to look at without a key: what the service answered for the sample invoice (samples/invoice.json). */
import { ProblemError } from "./api.js";

/** @typedef {import("./api.js").Job} Job */
/** @typedef {import("./api.js").PageResult} PageResult */

const NO_KEY = { title: "This needs an API key", detail: "The sample is a stored page." };

/** Stands in for `Api`. */
export class SampleApi {
  /** @param {Job} job with its result */
  constructor(job) {
    this.stored = job;
  }

  static async load() {
    const [job, document] = await Promise.all(
      ["invoice.json", "invoice.pdf"].map((name) => fetch(`/samples/${name}`)),
    );
    if (!job?.ok || !document?.ok)
      throw new ProblemError({ title: "The sample is not available", detail: "Try it again." });
    return { api: new SampleApi(await job.json()), blob: await document.blob() };
  }

  async job() {
    return this.stored;
  }

  async page(/** @type {string} */ _, /** @type {number} */ number) {
    const page = this.stored.result?.pages.find(({ page }) => page === number);
    return /** @type {PageResult} */ (page);
  }

  /** @param {string} _ @param {string} format */
  async result(_, format) {
    const pages = /** @type {PageResult[]} */ (this.stored.result?.pages);
    if (format === "json") return Response.json(this.stored.result);
    if (format === "md") return new Response(pages.map(({ markdown }) => markdown).join("\n\n"));
    throw new ProblemError({
      title: NO_KEY.title,
      detail: "Without one, the sample is there as Markdown and JSON.",
    });
  }

  async *events() {}

  /** @returns {Promise<never>} */
  async start() {
    throw new ProblemError(NO_KEY);
  }

  figure = this.start;
  image = this.start;

  async cancel() {}
}
