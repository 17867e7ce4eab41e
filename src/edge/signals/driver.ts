/**
 * What drivers have in common: a Durable Object that holds only the id of what it drives, and an alarm. So there are never
 * two turns at once, wake-ups that arrive together cause one turn, and a failed turn is repeated. All else is in D1.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../bindings.ts";

export abstract class Driver extends DurableObject<Env> {
  /** What it drives, and the name under which the id is stored. */
  protected abstract readonly kind: string;
  protected abstract readonly afterErrorMs: number;

  /** Milliseconds from a wake-up to the turn. */
  protected abstract delayMs(): number;

  /** One turn. @returns milliseconds until the next; `null`: when it is woken; `over`: there will be none */
  protected abstract turn(id: string): Promise<number | "over" | null>;

  async wake(id: string): Promise<void> {
    if ((await this.ctx.storage.get(this.kind)) !== id) await this.ctx.storage.put(this.kind, id);
    await this.wakeIn(this.delayMs());
  }

  override async alarm(): Promise<void> {
    const id = await this.ctx.storage.get<string>(this.kind);
    if (!id) return;
    let wait: number | "over" | null;
    try {
      wait = await this.turn(id);
    } catch (error) {
      console.error(JSON.stringify({ [this.kind]: id, error: String(error) }));
      wait = this.afterErrorMs;
    }
    if (wait === "over") await this.ctx.storage.deleteAll();
    else if (wait !== null) await this.wakeIn(wait);
  }

  protected async wakeIn(ms: number): Promise<void> {
    const at = Date.now() + ms;
    const set = await this.ctx.storage.getAlarm();
    if (set === null || set > at) await this.ctx.storage.setAlarm(at);
  }
}
