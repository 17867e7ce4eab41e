/**
 * The driver of a webhook receiver: one Durable Object for each tenant and URL, which makes the attempts that are due
 * there. So a slow receiver delays only its own deliveries. The deliveries and their schedule are in D1; the object
 * holds an alarm and knows which attempts are running, so that none is made twice at the same time. After a crash, the
 * alarm or the sweep continues, and an attempt whose outcome was not recorded is made again.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env, Receiver, WebhookReceiverRpc } from "../bindings.ts";
import { type Delivery, dueDeliveries, nextDue } from "../storage/deliveries.ts";
import { deliver } from "./deliver.ts";

/** Attempts that run at once. A Worker may wait for six connections. */
const MAX_RUNNING = 4;
/** Longer than an attempt takes. */
const ALARM_WHILE_RUNNING_MS = 60_000;
const AFTER_ERROR_MS = 5000;

export class WebhookReceiver extends DurableObject<Env> implements WebhookReceiverRpc {
  readonly #running = new Set<string>();
  /** Attempts that have ended: what was read from D1 before that is out of date. */
  #ended = 0;
  #pausedUntil = 0;

  async wake(receiver: Receiver): Promise<void> {
    await this.#work(receiver);
  }

  override async alarm(): Promise<void> {
    const receiver = await this.ctx.storage.get<Receiver>("receiver");
    if (receiver) await this.#work(receiver);
  }

  /** Starts the attempts that are due, without waiting for them, and sets the alarm. */
  async #work(receiver: Receiver): Promise<void> {
    const { DB } = this.env;
    const now = Date.now();
    if (now < this.#pausedUntil) return this.#workAgainAt(this.#pausedUntil, receiver);
    const ended = this.#ended;
    const due = await dueDeliveries(DB, receiver, now, MAX_RUNNING + this.#running.size);
    if (ended !== this.#ended) return this.#work(receiver);
    for (const delivery of due) {
      if (this.#running.size === MAX_RUNNING) break;
      if (this.#running.has(delivery.id)) continue;
      this.#running.add(delivery.id);
      this.ctx.waitUntil(this.#attempt(receiver, delivery));
    }
    const next = await nextDue(DB, receiver, now);
    if (this.#running.size > 0) {
      const latest = now + ALARM_WHILE_RUNNING_MS;
      await this.#workAgainAt(next === null ? latest : Math.min(next, latest), receiver);
    } else if (next !== null) await this.#workAgainAt(next, receiver);
    else {
      await this.ctx.storage.deleteAlarm();
      await this.ctx.storage.deleteAll();
    }
  }

  async #workAgainAt(at: number, receiver: Receiver): Promise<void> {
    // Stored each time, because another turn may have deleted it when nothing was due.
    await this.ctx.storage.put("receiver", receiver);
    await this.ctx.storage.setAlarm(at);
  }

  async #attempt(receiver: Receiver, delivery: Delivery): Promise<void> {
    try {
      await deliver(this.env, delivery);
    } catch (error) {
      // The outcome is not recorded, so the delivery is still due. D1 may be back after a pause.
      console.error(JSON.stringify({ delivery: delivery.id, error: String(error) }));
      this.#pausedUntil = Date.now() + AFTER_ERROR_MS;
    }
    this.#running.delete(delivery.id);
    this.#ended++;
    await this.#work(receiver);
  }
}
