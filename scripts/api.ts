/** The few calls of the public API that `npm start` and the end-to-end tests make. */
export interface PageStatus {
  page: number;
  state: string;
  source: string;
  verdict: string | null;
  readings: number;
  error: { code: string; message: string } | null;
}

export interface Job {
  id: string;
  state: string;
  file_id: string;
  progress: { total: number | null; done: number; failed: number };
  pages: PageStatus[];
  error: { code: string; message: string } | null;
  result?: { pages: { page: number; markdown: string; verdict: string }[] };
}

export interface JobEvent {
  id: string;
  type: string;
  data: Record<string, unknown>;
}

/** An answer that is not 2xx, with the problem document's words. */
export class ApiError extends Error {
  readonly status: number;

  constructor(
    status: number,
    problem: { title?: string; detail?: string; errors?: { message: string }[] },
  ) {
    const faults = problem.errors?.map(({ message }) => message) ?? [];
    super([`${problem.title}:`, problem.detail, ...faults].filter(Boolean).join(" "));
    this.status = status;
  }
}

export class Api {
  readonly origin: string;
  readonly key: string;

  constructor(origin: string, key: string) {
    this.origin = origin;
    this.key = key;
  }

  /** Any request, whatever its answer. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${this.key}`);
    return fetch(this.origin + path, { ...init, headers });
  }

  /** A request that has to succeed. @throws ApiError */
  async call(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await this.fetch(path, init);
    if (!response.ok) throw new ApiError(response.status, (await response.json()) as object);
    return response;
  }

  /**
   * @param type `text/markdown` or `text/plain` of a text; of all else the content decides
   * @returns the file's id
   */
  async upload(bytes: Uint8Array<ArrayBuffer>, name: string, type = ""): Promise<string> {
    const path = `/v1/files?name=${encodeURIComponent(name)}`;
    const headers: Record<string, string> = type === "" ? {} : { "content-type": type };
    const response = await this.call(path, { method: "POST", body: bytes, headers });
    return ((await response.json()) as { id: string }).id;
  }

  /** POST /v1/ocr; `waitS` seconds for the end, 0 to be answered at once. */
  ocr(request: Record<string, unknown>, waitS = 0): Promise<Response> {
    return this.fetch("/v1/ocr", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(waitS > 0 && { prefer: `wait=${waitS}` }),
      },
      body: JSON.stringify(request),
    });
  }

  async start(request: Record<string, unknown>): Promise<Job> {
    const response = await this.ocr(request);
    if (!response.ok) throw new ApiError(response.status, (await response.json()) as object);
    return (await response.json()) as Job;
  }

  async job(id: string): Promise<Job> {
    return (await (await this.call(`/v1/jobs/${id}`)).json()) as Job;
  }

  async result(id: string, format: "json" | "md" | "html" | "txt", pages = ""): Promise<string> {
    const response = await this.call(`/v1/jobs/${id}/result?format=${format}&pages=${pages}`);
    return response.text();
  }

  /** The job's events until it ends; a connection that breaks is taken up where it broke. */
  async *events(id: string): AsyncGenerator<JobEvent> {
    for (let last = "0"; ; ) {
      const headers = { "last-event-id": last };
      const { body } = await this.call(`/v1/jobs/${id}/events`, { headers });
      try {
        for await (const event of parseEvents(body as ReadableStream<Uint8Array>)) {
          last = event.id;
          yield event;
          if (isEnd(event.type)) return;
        }
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
    }
  }
}

const isEnd = (type: string) => !["queued", "running", "page"].includes(type);

/** Server-Sent Events as this API writes them: `id`, `event` and one line of JSON as `data`. */
async function* parseEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<JobEvent> {
  let text = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const [id, type, data] = [field("id"), field("event"), field("data")];
      if (id && type && data) yield { id, type, data: JSON.parse(data) };
    }
  }
}
