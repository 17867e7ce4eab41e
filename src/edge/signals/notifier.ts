/**
 * The notifier of a job: a Durable Object that wakes the job's watchers (SSE, `Prefer: wait`) when something
 * changes. Watchers then read D1. The object stores nothing: if it is lost, a watcher misses a notification
 * but no event, because it also reads D1 when its wait times out.
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

export async function notifyWatchers(env: Env, jobIds: Iterable<string>): Promise<void> {
  await Promise.all(Array.from(new Set(jobIds), (id) => notifierOf(env, id).notify()));
}
