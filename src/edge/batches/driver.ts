/**
 * One Durable Object for each batch, and nothing in it but an alarm: there is one driver of a batch in the
 * world, pokes that come together make one turn, and a turn that fails is repeated. The truth is in D1.
 */
import { DurableObject } from "cloudflare:workers";
import type { BatchDriverRpc, Env } from "../bindings.ts";
import { advanceBatch } from "./advance.ts";

/** Pokes come in bursts, when shards end together. */
const DEBOUNCE_MS = 50;
const AFTER_ERROR_MS = 5000;

export class BatchDriver extends DurableObject<Env> implements BatchDriverRpc {
  async wake(batchId: string): Promise<void> {
    await this.ctx.storage.put("batch", batchId);
    await this.#wakeIn(DEBOUNCE_MS);
  }

  override async alarm(): Promise<void> {
    const batchId = await this.ctx.storage.get<string>("batch");
    if (!batchId) return;
    let wait: number | "over" | null;
    try {
      wait = await advanceBatch(this.env, batchId);
    } catch (error) {
      console.error(JSON.stringify({ batch: batchId, error: String(error) }));
      wait = AFTER_ERROR_MS;
    }
    if (wait === "over") await this.ctx.storage.deleteAll();
    else if (wait !== null) await this.#wakeIn(wait);
  }

  async #wakeIn(ms: number): Promise<void> {
    const at = Date.now() + ms;
    const set = await this.ctx.storage.getAlarm();
    if (set === null || set > at) await this.ctx.storage.setAlarm(at);
  }
}
