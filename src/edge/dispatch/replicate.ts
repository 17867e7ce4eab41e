/**
 * A Replicate deployment. It queues and scales by itself, so there are no slots to count; its
 * webhooks are signed (Standard Webhooks form), but their age and repetition are checked here.
 */
import Replicate, { validateWebhook } from "replicate";
import { type Env, settings } from "../env.ts";
import { firstSight } from "../storage/callbacks.ts";
import { readClosing } from "./cog.ts";
import {
  type Closing,
  type Dispatcher,
  predictionInput,
  type Readiness,
  type ShardRequest,
  type Started,
} from "./index.ts";

const TIMEOUT_MS = 15_000;

/** Standard Webhooks' advice for the age of a message, in seconds. */
const TOLERANCE_S = 5 * 60;

export class ReplicateDispatcher implements Dispatcher {
  readonly slots = 0;
  readonly #env: Env;
  readonly #owner: string;
  readonly #name: string;

  constructor(env: Env) {
    this.#env = env;
    const [owner, name] = settings(env).REPLICATE_DEPLOYMENT.split("/");
    if (!owner || !name) throw new Error("REPLICATE_DEPLOYMENT must be owner/name");
    this.#owner = owner;
    this.#name = name;
  }

  async start(request: ShardRequest): Promise<Started> {
    let busy = false;
    const client = this.#client(async (input, init) => {
      const headers = new Headers(init?.headers);
      // Ends the prediction there when nobody waits for it any more: at least 5 s, at most 24 h.
      headers.set("cancel-after", `${Math.min(Math.max(request.cancelAfterS, 5), 86_400)}s`);
      const response = await fetch(input, { ...init, headers });
      busy = response.status === 429;
      // The client answers a 429 with five retries on the spot; ours wait in the shard's driver.
      return busy ? new Response(null, { status: 409 }) : response;
    });
    try {
      const prediction = await client.deployments.predictions.create(this.#owner, this.#name, {
        input: predictionInput(request),
        webhook: request.callbackUrl,
        webhook_events_filter: ["completed"],
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return { server: "replicate", prediction: prediction.id };
    } catch (error) {
      if (busy) return "busy";
      console.error(JSON.stringify({ replicate: String(error), shard: request.id }));
      return "unavailable";
    }
  }

  async cancel(_server: string, prediction: string): Promise<void> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    await this.#client(fetch)
      .predictions.cancel(prediction, { signal })
      .catch((error) => console.error(JSON.stringify({ replicate: String(error), prediction })));
  }

  async ready(): Promise<Readiness> {
    const name = `${this.#owner}/${this.#name}`;
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    try {
      await this.#client(fetch).deployments.get(this.#owner, this.#name, { signal });
      return { ready: true, servers: [{ name, state: "READY" }] };
    } catch {
      return { ready: false, servers: [{ name, state: "UNREACHABLE" }] };
    }
  }

  async verifyCallback(request: Request, body: string): Promise<Closing | null> {
    const secret = settings(this.#env).REPLICATE_WEBHOOK_SECRET;
    const id = request.headers.get("webhook-id");
    const timestamp = Number(request.headers.get("webhook-timestamp"));
    if (!secret || !id || Math.abs(Date.now() / 1000 - timestamp) > TOLERANCE_S) return null;
    const headers = request.headers;
    const valid = await validateWebhook({ headers, body } as never, secret).catch(() => false);
    if (!valid || !(await firstSight(this.#env.DB, id, Date.now()))) return null;
    return readClosing(body);
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
