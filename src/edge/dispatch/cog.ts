/**
 * A Cog server. It answers 409 when it is full and 503 while it loads its model. Cog cannot be asked which
 * predictions are running, so the slot book keeps track of them.
 */
import type { Env } from "../bindings.ts";
import type { Pool } from "../domain/pools/pool.ts";
import { bearerMatches } from "../security/bearer.ts";
import { settings } from "../settings.ts";
import { log } from "../telemetry.ts";
import {
  type Closing,
  type Health,
  predictionInput,
  readClosing,
  type ShardRequest,
  type Started,
  type Upstream,
} from "./upstream.ts";

const TIMEOUT_MS = 10_000;

export class CogPool implements Upstream {
  readonly #env: Env;
  readonly #pool: Pool & { type: "cog" };

  constructor(env: Env, pool: Pool & { type: "cog" }) {
    this.#env = env;
    this.#pool = pool;
  }

  async start(request: ShardRequest): Promise<Started> {
    const response = await this.#send(`/predictions/${request.id}`, {
      method: "PUT",
      headers: {
        "content-type": "application/json",
        prefer: "respond-async",
        ...(request.traceparent !== null && { traceparent: request.traceparent }),
      },
      body: JSON.stringify({
        input: predictionInput(request),
        webhook: request.callbackUrl,
        webhook_events_filter: ["completed"],
      }),
    });
    await response?.body?.cancel();
    if (response?.status === 202) return { prediction: request.id };
    if (response?.status === 409) return "busy";
    if (response?.status === 503) return "starting";
    log(this.#env, "pool.refused", {
      pool: this.#pool.name,
      status: response?.status ?? null,
      prediction: request.id,
    });
    return "unavailable";
  }

  async cancel(prediction: string): Promise<void> {
    const response = await this.#send(`/predictions/${prediction}/cancel`, { method: "POST" });
    await response?.body?.cancel();
  }

  async health(): Promise<Health> {
    const response = await this.#send("/health-check", {});
    const body: { status?: unknown } = response?.ok
      ? await response.json<object>().catch(() => ({}))
      : {};
    const state = typeof body.status === "string" ? body.status : "UNREACHABLE";
    // BUSY is a healthy server without a free slot.
    return { healthy: state === "READY" || state === "BUSY", state };
  }

  async #send(path: string, init: RequestInit): Promise<Response | null> {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      return await fetch(this.#pool.url + path, { ...init, redirect: "manual", signal });
    } catch {
      return null;
    }
  }
}

/** Cog does not sign its webhooks. The edge signs the callback URL, and the server also sends this bearer token. */
export async function verifyCogCallback(
  env: Env,
  request: Request,
  body: string,
): Promise<Closing | null> {
  const { WORKER_TOKEN } = settings(env);
  if (!(await bearerMatches(request.headers.get("authorization"), WORKER_TOKEN))) return null;
  return readClosing(body);
}
