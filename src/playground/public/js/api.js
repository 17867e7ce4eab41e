/** A client for the parts of the public API that the playground uses. */

/** @typedef {import("../../../client/schema.ts").Job} Job */
/** @typedef {import("../../../client/schema.ts").PageStatus} PageStatus */
/** @typedef {import("../../../client/schema.ts").PageError} PageError */
/** @typedef {import("../../../client/schema.ts").Block} Block */
/** @typedef {import("../../../client/schema.ts").StoredPageResult} PageResult */
/** @typedef {import("../../../client/schema.ts").Model} Model */
/** @typedef {import("../../../client/schema.ts").OcrRequest} OcrRequest */
/** @typedef {import("../../../client/schema.ts").Extraction} Extraction */

/** @type {Record<string, string>} by the endings of names */
const TEXT_TYPES = {
  md: "text/markdown",
  txt: "text/markdown",
  csv: "text/csv",
  htm: "text/html",
  html: "text/html",
};

/** A response with another status than 2xx, described by its problem document (RFC 9457). */
export class ProblemError extends Error {
  /**
   * @param {{type?: string, title?: string, detail?: string, request_id?: string, request?: OcrRequest}} problem
   *   `request`: of `page-images-missing`, what makes the images
   */
  constructor({ type = "", title = "The request failed", detail = "", request_id = "", request }) {
    super(detail);
    this.code = type.replace("urn:fovea:problem:", "");
    this.request = request;
    this.title = title;
    this.requestId = request_id;
  }
}

/**
 * The claims of a browser token, unverified: the service checks the signature.
 * @param {string} credential
 * @returns {{scope: string, jobId: string} | null} `null` for an API key
 */
export function tokenClaims(credential) {
  const payload = /^fov_tok_([\w-]+)\./.exec(credential)?.[1];
  if (!payload) return null;
  try {
    const [, , scope, jobId] = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    return { scope: String(scope), jobId: String(jobId) };
  } catch {
    return null;
  }
}

export class Api {
  #credential;

  /** @param {string} credential an API key or a browser token */
  constructor(credential) {
    this.#credential = credential;
  }

  /**
   * @param {string} path
   * @param {RequestInit} [init]
   * @throws ProblemError
   */
  async call(path, init = {}) {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${this.#credential}`);
    const response = await fetch(path, { ...init, headers }).catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new ProblemError({ title: "No response", detail: "The service cannot be reached." });
    });
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({ detail: `Status ${response.status}` }));
    throw new ProblemError(problem);
  }

  /** @returns {Promise<Model[]>} the default model first */
  async models() {
    return (await (await this.call("/v1/models")).json()).data;
  }

  /**
   * @param {Blob} file
   * @param {string} name
   * @returns {Promise<string>} the file's id
   */
  async upload(file, name) {
    const path = `/v1/files?name=${encodeURIComponent(name)}`;
    // Only text needs a type; the service detects all other formats by content.
    const [, ending = ""] = /\.(md|txt|csv|html?)$/i.exec(name) ?? [];
    const type = TEXT_TYPES[ending.toLowerCase()] ?? "application/octet-stream";
    const headers = { "content-type": type };
    return (await (await this.call(path, { method: "POST", headers, body: file })).json()).id;
  }

  /**
   * @param {OcrRequest} request
   * @param {{wait?: number, signal?: AbortSignal}} [options]
   * @returns {Promise<Job>}
   */
  async start(request, { wait = 0, signal } = {}) {
    const headers = { "content-type": "application/json", ...(wait && { prefer: `wait=${wait}` }) };
    const body = JSON.stringify(request);
    return (await this.call("/v1/ocr", { method: "POST", headers, body, signal })).json();
  }

  /** @param {string} id @returns {Promise<Job>} */
  async job(id) {
    return (await this.call(`/v1/jobs/${id}`)).json();
  }

  /** @returns {Promise<Job[]>} the newest ones, without their pages */
  async jobs() {
    return (await (await this.call("/v1/jobs?limit=50")).json()).data;
  }

  /** @returns {Promise<Map<string, string>>} names of the newest files by id */
  async fileNames() {
    const { data } = await (await this.call("/v1/files?limit=100")).json();
    return new Map(
      data.map((/** @type {{id: string, filename: string}} */ { id, filename }) => [id, filename]),
    );
  }

  /** @param {string} id @returns {Promise<{name: string, blob: Blob}>} a file as it was sent */
  async file(id) {
    const record = await (await this.call(`/v1/files/${id}`)).json();
    const blob = await (await this.call(`/v1/files/${id}/content`)).blob();
    return { name: record.filename, blob };
  }

  /**
   * @param {string} id
   * @param {string} format
   * @param {string} [pages] a selection; empty: all
   */
  result(id, format, pages = "") {
    const query = new URLSearchParams({ format, ...(pages && { pages }) });
    return this.call(`/v1/jobs/${id}/result?${query}`);
  }

  /**
   * @param {string} id
   * @param {object} request a schema, and instructions
   * @param {AbortSignal} signal
   * @returns {Promise<Extraction>} when it has ended
   */
  async extract(id, request, signal) {
    const headers = { "content-type": "application/json", prefer: "wait=60" };
    const body = JSON.stringify(request);
    const path = `/v1/jobs/${id}/extract`;
    for (;;) {
      // The same request again finds the extraction.
      const response = await this.call(path, { method: "POST", headers, body, signal });
      /** @type {Extraction} */
      const extraction = await response.json();
      if (extraction.finished_at) return extraction;
    }
  }

  /** @param {string} id */
  async cancel(id) {
    await this.call(`/v1/jobs/${id}/cancel`, { method: "POST" });
  }

  /**
   * @param {string} id
   * @param {number} page
   * @returns {Promise<PageResult | {page: number, error: PageError}>}
   */
  async page(id, page) {
    return (await (await this.call(`/v1/jobs/${id}/result?pages=${page}`)).json()).pages[0];
  }

  /**
   * @param {string} id
   * @param {number} page
   * @returns {Promise<string>} an object URL for `img`; the caller revokes it
   */
  async image(id, page) {
    const response = await this.call(`/v1/jobs/${id}/pages/${page}/image`);
    return URL.createObjectURL(await response.blob());
  }

  /**
   * @param {string} id
   * @param {number} page
   * @param {number} block
   * @returns {Promise<string>} an object URL for `img`; the caller revokes it
   */
  async figure(id, page, block) {
    const response = await this.call(`/v1/jobs/${id}/pages/${page}/figures/${block}`);
    return URL.createObjectURL(await response.blob());
  }

  /**
   * A job's events until it ends. `EventSource` cannot send a key, so this parses the stream itself and
   * resumes with `Last-Event-ID` after a broken connection.
   * @param {string} id
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<{type: string, data: Record<string, any>}>}
   */
  async *events(id, signal) {
    for (let last = "0", breaks = 0; breaks < 5; breaks++) {
      const headers = { "last-event-id": last };
      const { body } = await this.call(`/v1/jobs/${id}/events`, { headers, signal });
      try {
        for await (const event of serverEvents(/** @type {ReadableStream<Uint8Array>} */ (body))) {
          last = event.id;
          breaks = 0;
          yield { type: event.type, data: JSON.parse(event.data) };
          if (!["queued", "running", "page"].includes(event.type)) return;
        }
      } catch (error) {
        if (signal.aborted || !(error instanceof TypeError)) throw error;
      }
    }
    throw new ProblemError({
      title: "Connection lost",
      detail: "The event stream broke five times.",
    });
  }
}

/** @param {ReadableStream<Uint8Array>} body Server-Sent Events in the service's form, with one line of data each */
async function* serverEvents(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const events = text.split("\n\n");
      text = /** @type {string} */ (events.pop());
      for (const event of events) {
        const field = (/** @type {string} */ name) =>
          new RegExp(`^${name}: (.*)$`, "m").exec(event)?.[1];
        const [id, type, data] = [field("id"), field("event"), field("data")];
        if (id && type && data) yield { id, type, data };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
