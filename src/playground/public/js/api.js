/** The calls of the public API that the playground makes, with whatever credential was pasted. */

/** @typedef {import("../../../client/schema.ts").Job} Job */
/** @typedef {import("../../../client/schema.ts").PageStatus} PageStatus */
/** @typedef {import("../../../client/schema.ts").PageError} PageError */
/** @typedef {import("../../../client/schema.ts").StoredPageResult} PageResult */
/** @typedef {import("../../../client/schema.ts").Model} Model */
/** @typedef {import("../../../client/schema.ts").OcrRequest} OcrRequest */

/** An answer that is not 2xx, in the words of its problem document (RFC 9457). */
export class ProblemError extends Error {
  /** @param {{type?: string, title?: string, detail?: string, request_id?: string}} problem */
  constructor({ type = "", title = "The request failed", detail = "", request_id = "" }) {
    super(detail);
    this.code = type.replace("urn:fovea:problem:", "");
    this.title = title;
    this.requestId = request_id;
  }
}

/**
 * What a browser token is for. Its signature is the service's business; here it is only read.
 * @param {string} credential
 * @returns {{scope: string, jobId: string} | null} `null`: it is an API key
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
      throw new ProblemError({ title: "No answer", detail: "The service cannot be reached." });
    });
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({ detail: `Status ${response.status}` }));
    throw new ProblemError(problem);
  }

  /** @returns {Promise<Model[]>} the first is the default */
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
    // A text is one by what is said of it; everything else is recognised by its content.
    const type = /\.(md|txt)$/i.test(name) ? "text/markdown" : "application/octet-stream";
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
   * @returns {Promise<string>} an address for `img`, to be revoked when it is over
   */
  async image(id, page) {
    const response = await this.call(`/v1/jobs/${id}/pages/${page}/image`);
    return URL.createObjectURL(await response.blob());
  }

  /**
   * A job's events to its end. EventSource cannot send a key, so the stream is read by hand; where it
   * breaks it is taken up with `Last-Event-ID`.
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
      title: "The events stopped",
      detail: "The connection broke five times.",
    });
  }
}

/** @param {ReadableStream<Uint8Array>} body Server-Sent Events as the service writes them: one line of data */
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
