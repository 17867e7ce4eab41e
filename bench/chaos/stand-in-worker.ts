/**
 * A stand-in for the worker, so that thousands of pages are affordable: it speaks Cog's HTTP interface and the page
 * protocol (docs/WORKER-PROTOCOL.md), with the retries that the protocol asks for, but it reads nothing. A document is
 * the text `%PDF-1.7 owner=alpha doc=17 pages=3`, with `broken=1` if it cannot be opened, `bad=2` if page 2 cannot be
 * read, and `hold=1` if its pages wait for `release`. The result of page 2 is the text `alpha 17 2`.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Dice } from "../random.ts";
import { pageResult, pushUrl, report } from "../stub.ts";

export const WORKER_FAULTS = ["dies", "fails", "unreachable"] as const;
export type WorkerFault = (typeof WORKER_FAULTS)[number];

const HEARTBEAT_MS = 1000;
const RETRY_FOR_MS = 20_000;

export interface StandInWorker {
  url: string;
  /** From now on, `count` predictions meet this fault. */
  inject(kind: WorkerFault, count: number, seed: number): void;
  readonly left: number;
  /** From now on, pages of documents with `hold=1` wait. */
  hold(): void;
  /** Lets them go on. */
  release(): void;
  stop(): void;
}

export async function startStandInWorker(token: string): Promise<StandInWorker> {
  let kind: WorkerFault = "dies";
  let left = 0;
  let dice = new Dice(0);
  let gate = Promise.withResolvers<void>();
  gate.resolve();
  const canceled = new Set<string>();
  const stopping = new AbortController();

  const server = createServer(async (request, response) => {
    const [, , id, cancel] = (request.url as string).split("/") as [
      string,
      string,
      string,
      string?,
    ];
    if (request.method === "GET") return response.end('{"status": "READY"}');
    let body = "";
    for await (const chunk of request) body += chunk;
    if (cancel) {
      canceled.add(id);
      return response.end("{}");
    }
    const fault = left > 0 && dice.chance(0.4) ? kind : null;
    if (fault) left--;
    if (fault === "unreachable") return response.destroy();
    response.writeHead(202, { "content-type": "application/json" }).end("{}");
    const { input, webhook } = JSON.parse(body);
    predict(id, input, webhook, fault).catch((error) => {
      if (!stopping.signal.aborted) throw error;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  /** Sends like the real worker: again after 5xx, 429 or no answer. @returns the last status, or `null` */
  async function send(method: string, url: string, body?: object): Promise<Response | null> {
    const end = Date.now() + RETRY_FOR_MS;
    for (let pause = 100; ; pause = Math.min(pause * 2, 2000)) {
      const response = await fetch(url, {
        method,
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(20_000)]),
        ...(body && { body: JSON.stringify(body) }),
      }).catch(() => null);
      stopping.signal.throwIfAborted();
      if (response && response.status < 500 && response.status !== 429) return response;
      await response?.body?.cancel();
      if (Date.now() + pause > end) return response;
      await sleep(pause);
    }
  }

  async function predict(
    id: string,
    input: Record<string, string>,
    webhook: string,
    fault: WorkerFault | null,
  ): Promise<void> {
    const pages = (input.pages as string).split(",").map(Number);
    /** The number of messages after which the worker dies or fails. */
    const last = fault ? dice.int(0, pages.length) : Number.POSITIVE_INFINITY;
    let sent = 0;
    const put = async (path: string, body: object) => {
      if (sent++ >= last || canceled.has(id)) return false;
      const response = await send("PUT", pushUrl(input, path), report(body));
      await response?.body?.cancel();
      return response?.status !== 410;
    };
    const close = async (status: string) =>
      (await send("POST", webhook, { id, status }))?.body?.cancel();

    const fetched = await send("GET", input.document as string);
    const document = fetched?.ok ? await fetched.text() : null;
    const value = (name: string) => new RegExp(`${name}=(\\S+)`).exec(document as string)?.[1];
    const heart = setInterval(() => void beat(), HEARTBEAT_MS);
    const beat = async () => {
      const response = await fetch(pushUrl(input, "/heartbeat"), {
        method: "PUT",
        body: JSON.stringify({ schema: 1, page: 1 }),
      }).catch(() => null);
      await response?.body?.cancel();
    };
    try {
      if (document === null) {
        const message = "The document could not be fetched.";
        await put("/document", { error: { code: "document_unreachable", message } });
        return await close("succeeded");
      }
      if (value("broken")) {
        const message = "The document cannot be opened.";
        await put("/document", { error: { code: "document_broken", message } });
        return await close("succeeded");
      }
      let goesOn = await put("/document", {
        page_count: Number(value("pages")),
        media_type: "application/pdf",
      });
      if (value("hold")) await gate.promise;
      for (const page of pages) {
        if (!goesOn) break;
        await sleep(5);
        goesOn = await put(`/pages/${page}`, {
          ...pageResult(page, `${value("owner")} ${value("doc")} ${page}`),
          ...(value("bad") === String(page) && UNREADABLE),
        });
      }
      if (fault === "dies") return;
      await close(fault === "fails" ? "failed" : canceled.has(id) ? "canceled" : "succeeded");
    } finally {
      clearInterval(heart);
    }
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    inject(next, count, seed) {
      kind = next;
      left = count;
      dice = new Dice(seed, next);
    },
    get left() {
      return left;
    },
    hold() {
      gate = Promise.withResolvers<void>();
    },
    release() {
      gate.resolve();
    },
    stop() {
      stopping.abort();
      gate.resolve();
      server.close();
      server.closeAllConnections();
    },
  };
}

const UNREADABLE = {
  markdown: "",
  blocks: [],
  verdict: "failed",
  finish_reason: "error",
  error: { code: "page_unreadable", message: "The page cannot be rendered." },
};
