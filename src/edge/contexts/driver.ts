/**
 * The driver of a context: one Durable Object that holds only an alarm. So a context is aged soon after each change, and
 * however many contexts there are, none waits for another. What is to be done is in D1.
 */
import { DurableObject } from "cloudflare:workers";
import type { ContextDriverRpc, Env } from "../bindings.ts";
import { settings } from "../settings.ts";
import { bestEffort } from "../storage/fault.ts";
import { contextById } from "../storage/memory/contexts.ts";
import { advanceContext } from "./advance.ts";
import { summarise } from "./summarise.ts";

const AFTER_ERROR_MS = 60_000;

export class ContextDriver extends DurableObject<Env> implements ContextDriverRpc {
  async wake(contextId: string): Promise<void> {
    if ((await this.ctx.storage.get("context")) !== contextId)
      await this.ctx.storage.put("context", contextId);
    await this.#wakeIn(settings(this.env).AGE_AFTER_S * 1000);
  }

  override async alarm(): Promise<void> {
    const contextId = await this.ctx.storage.get<string>("context");
    if (!contextId) return;
    let wait: number | "over" | null;
    try {
      wait = await advanceContext(this.env, contextId);
      this.ctx.waitUntil(bestEffort(this.#summarise(contextId), { summaries_of: contextId }));
    } catch (error) {
      console.error(JSON.stringify({ context: contextId, error: String(error) }));
      wait = AFTER_ERROR_MS;
    }
    if (wait === "over") await this.ctx.storage.deleteAll();
    else if (wait !== null) await this.#wakeIn(wait);
  }

  /** Beside the steps of ageing, because a provider may take its time. */
  async #summarise(contextId: string): Promise<void> {
    const found = await contextById(this.env.DB, contextId);
    if (!found || found.deleted) return;
    if ((await summarise(this.env, found.context)) > 0) await this.#wakeIn(0);
  }

  async #wakeIn(ms: number): Promise<void> {
    const at = Date.now() + ms;
    const set = await this.ctx.storage.getAlarm();
    if (set === null || set > at) await this.ctx.storage.setAlarm(at);
  }
}
