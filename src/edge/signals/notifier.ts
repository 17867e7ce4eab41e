/**
 * One Durable Object per watched job, and nothing but a bell: whoever follows a job (SSE,
 * `Prefer: wait`) sleeps here until something changes and then reads D1, where the truth is.
 * Losing the object loses a wake-up, never an event, since watchers also look when a sleep ends.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env, JobNotifierRpc } from "../bindings.ts";

export class JobNotifier extends DurableObject<Env> implements JobNotifierRpc {
  #version = 0;
  #waiters = new Set<() => void>();

  version(): number {
    return this.#version;
  }

  notify(): void {
    this.#version++;
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }

  /** Returns when the version is no longer `seen`, or after `ms` milliseconds. */
  async wait(seen: number, ms: number): Promise<void> {
    if (this.#version !== seen) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, ms);
      const waiters = this.#waiters;
      function done() {
        clearTimeout(timer);
        waiters.delete(done);
        resolve();
      }
      waiters.add(done);
    });
  }
}

export const notifierOf = (env: Env, jobId: string) =>
  env.NOTIFIERS.get(env.NOTIFIERS.idFromName(jobId));

/** Wakes whoever watches the jobs. */
export async function notifyWatchers(env: Env, jobIds: Iterable<string>): Promise<void> {
  await Promise.all(Array.from(new Set(jobIds), (id) => notifierOf(env, id).notify()));
}
