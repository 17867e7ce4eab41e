/**
 * Any number of Cog servers, each with so many slots. Cog answers 409 when it is full and keeps no
 * record of a prediction to ask for, so what runs where is counted from the edge's own shards.
 */
import type { Settings } from "../env.ts";
import { bearerMatches } from "../http/bearer.ts";
import {
  type Closing,
  type Dispatcher,
  predictionInput,
  type Readiness,
  type ShardRequest,
  type Started,
} from "./index.ts";

const TIMEOUT_MS = 10_000;

export class CogDispatcher implements Dispatcher {
  readonly slots: number;
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.slots = settings.COG_SERVERS.reduce((sum, server) => sum + server.slots, 0);
  }

  async start(request: ShardRequest, load: Map<string, number>): Promise<Started> {
    const free = this.#settings.COG_SERVERS.map((server) => ({
      ...server,
      left: server.slots - (load.get(server.url) ?? 0),
    }))
      .filter((server) => server.left > 0)
      .sort((a, b) => b.left - a.left);

    let answered = free.length === 0;
    for (const server of free) {
      const response = await send(`${server.url}/predictions/${request.id}`, {
        method: "PUT",
        headers: { "content-type": "application/json", prefer: "respond-async" },
        body: JSON.stringify({
          input: predictionInput(request),
          webhook: request.callbackUrl,
          webhook_events_filter: ["completed"],
        }),
      });
      if (response?.status === 202) return { server: server.url, prediction: request.id };
      answered ||= response?.status === 409;
      if (response && response.status !== 409) {
        console.error(
          JSON.stringify({ cog: server.url, status: response.status, shard: request.id }),
        );
      }
    }
    return answered ? "busy" : "unavailable";
  }

  async cancel(server: string, prediction: string): Promise<void> {
    await send(`${server}/predictions/${prediction}/cancel`, { method: "POST" });
  }

  async ready(): Promise<Readiness> {
    const servers = await Promise.all(
      this.#settings.COG_SERVERS.map(async ({ url }) => {
        const response = await send(`${url}/health-check`, {});
        const health: { status?: unknown } = response?.ok ? await response.json() : {};
        return {
          name: url,
          state: typeof health.status === "string" ? health.status : "UNREACHABLE",
        };
      }),
    );
    // BUSY is a healthy server without a free slot.
    return { ready: servers.some(({ state }) => state === "READY" || state === "BUSY"), servers };
  }

  /** Cog does not sign: the callback URL is signed by the edge, and this Bearer comes on top. */
  async verifyCallback(request: Request, body: string): Promise<Closing | null> {
    if (!(await bearerMatches(request.headers.get("authorization"), this.#settings.WORKER_TOKEN)))
      return null;
    return readClosing(body);
  }
}

/** @returns the prediction's id and end, or `null` when the body is not a terminal prediction. */
export function readClosing(body: string): Closing | null {
  try {
    const { id, status } = JSON.parse(body) as { id?: unknown; status?: unknown };
    if (typeof id !== "string") return null;
    if (status === "aborted") return { prediction: id, status: "canceled" };
    if (status === "succeeded" || status === "failed" || status === "canceled")
      return { prediction: id, status };
  } catch {}
  return null;
}

async function send(url: string, init: RequestInit): Promise<Response | null> {
  try {
    return await fetch(url, {
      ...init,
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    return null;
  }
}
