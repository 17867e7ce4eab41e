/**
 * A Replicate deployment. It queues and scales by itself. Its webhooks are signed as Standard Webhooks; this
 * file also rejects old and repeated ones.
 */
import Replicate, { validateWebhook } from "replicate";
import type { Env, Health } from "../bindings.ts";
import type { Pool } from "../domain/pools/pool.ts";
import { settings } from "../settings.ts";
import { firstSight } from "../storage/callbacks.ts";
import { log } from "../telemetry.ts";
import {
  type Closing,
  predictionInput,
  readClosing,
  type ShardRequest,
  type Started,
  type Upstream,
} from "./upstream.ts";

const TIMEOUT_MS = 15_000;

/** Maximum age of a webhook, as Standard Webhooks recommends. */
const TOLERANCE_S = 5 * 60;

export class ReplicatePool implements Upstream {
  readonly #env: Env;
  readonly #pool: Pool;
  readonly #owner: string;
  readonly #name: string;

  constructor(env: Env, pool: Pool & { type: "replicate" }) {
    this.#env = env;
    this.#pool = pool;
    const [owner, name] = pool.deployment.split("/");
    this.#owner = owner as string;
    this.#name = name as string;
  }

  async start(request: ShardRequest): Promise<Started> {
    let busy = false;
    const client = this.#client(async (input, init) => {
      const headers = new Headers(init?.headers);
      // Replicate cancels the prediction after this time, when no job waits for it. It accepts 5 s to 24 h.
      headers.set("cancel-after", `${Math.min(Math.max(request.cancelAfterS, 5), 86_400)}s`);
      const response = await fetch(input, { ...init, headers });
      busy = response.status === 429;
      // The client would retry a 429 five times at once. Here the shard's driver waits and retries.
      return busy ? new Response(null, { status: 409 }) : response;
    });
    try {
      const prediction = await client.deployments.predictions.create(this.#owner, this.#name, {
        input: predictionInput(request),
        webhook: request.callbackUrl,
        webhook_events_filter: ["completed"],
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return { prediction: prediction.id };
    } catch (error) {
      if (busy) return "busy";
      log(this.#env, "pool.refused", {
        pool: this.#pool.name,
        error: String(error),
        prediction: request.id,
      });
      return "unavailable";
    }
  }

  async cancel(prediction: string): Promise<void> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    await this.#client(fetch)
      .predictions.cancel(prediction, { signal })
      .catch((error) =>
        log(this.#env, "pool.refused", { pool: this.#pool.name, error: String(error), prediction }),
      );
  }

  /** A deployment without instances is healthy: it starts one for the next prediction. */
  async health(): Promise<Health> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    try {
      await this.#client(fetch).deployments.get(this.#owner, this.#name, { signal });
      return { healthy: true, state: "READY" };
    } catch {
      return { healthy: false, state: "UNREACHABLE" };
    }
  }

  #client(transport: typeof fetch): Replicate {
    const { REPLICATE_API_TOKEN, REPLICATE_API_URL } = settings(this.#env);
    return new Replicate({
      auth: REPLICATE_API_TOKEN,
      ...(REPLICATE_API_URL && { baseUrl: REPLICATE_API_URL }),
      fetch: transport as never,
    });
  }
}

export async function verifyReplicateCallback(
  env: Env,
  request: Request,
  body: string,
): Promise<Closing | null> {
  const secret = settings(env).REPLICATE_WEBHOOK_SECRET;
  const { headers } = request;
  const id = headers.get("webhook-id");
  const timestamp = Number(headers.get("webhook-timestamp"));
  if (!secret || !id || Math.abs(Date.now() / 1000 - timestamp) > TOLERANCE_S) return null;
  const valid = await validateWebhook({ headers, body } as never, secret).catch(() => false);
  if (!valid || !(await firstSight(env.DB, id, Date.now()))) return null;
  return readClosing(body);
}
