/**
 * The driver of a context. So a context is aged soon after each change, and however many contexts there are, none waits for
 * another.
 */
import type { ContextDriverRpc } from "../bindings.ts";
import { settings } from "../settings.ts";
import { Driver } from "../signals/driver.ts";
import { bestEffort } from "../storage/fault.ts";
import type { Context } from "../storage/memory/contexts.ts";
import { advanceContext } from "./advance.ts";
import { summarise } from "./summarise.ts";

export class ContextDriver extends Driver implements ContextDriverRpc {
  protected readonly kind = "context";
  protected readonly afterErrorMs = 60_000;

  protected delayMs(): number {
    return settings(this.env).AGE_AFTER_S * 1000;
  }

  protected async turn(contextId: string): Promise<number | "over" | null> {
    const { wait, context } = await advanceContext(this.env, contextId);
    if (context)
      this.ctx.waitUntil(bestEffort(this.#summarise(context), { summaries_of: contextId }));
    return wait;
  }

  /** Beside the steps of ageing, because a provider may take its time. */
  async #summarise(context: Context): Promise<void> {
    if ((await summarise(this.env, context)) > 0) await this.wakeIn(0);
  }
}
