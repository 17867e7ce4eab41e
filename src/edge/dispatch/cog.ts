/**
 * A Cog server. It answers 409 when it is full and 503 while it loads its model. Cog cannot be asked which
 * predictions are running, so the slot book keeps track of them.
 */
import type { Env, Health } from "../bindings.ts";
import type { Pool } from "../domain/pools/pool.ts";
import { bearerMatches } from "../security/bearer.ts";
import { settings } from "../settings.ts";
import { log } from "../telemetry.ts";
import {
  type Closing,
  predictionInput,
  readClosing,
  type ShardRequest,
  type Started,
  type Upstream,
} from "./upstream.ts";

const TIMEOUT_MS = 10_000;

/** From a proxy or from Cloudflare: the server got the request and did not answer in time, or broke off. */
const UNANSWERED = [502, 504, 520, 524];

export class CogPool implements Upstream {
  readonly #env: Env;
  readonly #pool: Pool & { type: "cog" };

  constructor(env: Env, pool: Pool & { type: "cog" }) {
    this.#env = env;
    this.#pool = pool;
  }

  /** Asked twice with the same id, the server starts one prediction. */
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
    const status = response instanceof Response ? response.status : null;
    if (response instanceof Response) await response.body?.cancel();
    if (status === 202) return { prediction: request.id };
    if (status === 409) return "busy";
    if (status === 503) return "starting";
    const unanswered = response === "late" || UNANSWERED.includes(status ?? 0);
    log(this.#env, unanswered ? "pool.unanswered" : "pool.refused", {
      pool: this.#pool.name,
      status,
      prediction: request.id,
    });
    return unanswered ? "unanswered" : "unavailable";
  }

  async cancel(prediction: string): Promise<void> {
    const response = await this.#send(`/predictions/${prediction}/cancel`, { method: "POST" });
    if (response instanceof Response) await response.body?.cancel();
  }

  async health(): Promise<Health> {
    const response = await this.#send("/health-check", {});
    if (response === "late") return { healthy: false, state: "LATE" };
    const body: { status?: unknown } =
      response instanceof Response && response.ok
        ? await response.json<object>().catch(() => ({}))
        : {};
    const state = typeof body.status === "string" ? body.status : "UNREACHABLE";
    // BUSY is a healthy server without a free slot.
    return { healthy: state === "READY" || state === "BUSY", state };
  }

  /** @returns `late` without an answer in time, `null` without a connection */
  async #send(path: string, init: RequestInit): Promise<Response | "late" | null> {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      return await fetch(this.#pool.url + path, { ...init, redirect: "manual", signal });
    } catch (error) {
      return error instanceof Error && error.name === "TimeoutError" ? "late" : null;
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
