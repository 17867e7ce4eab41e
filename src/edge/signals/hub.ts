/**
 * One Durable Object per watched job, and nothing but a bell: whoever follows a job (SSE,
 * `Prefer: wait`) sleeps here until something changes and then reads D1, where the truth is.
 * Losing the object loses a wake-up, never an event, since watchers also look when a sleep ends.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env, Hub } from "../bindings.ts";

export class JobHub extends DurableObject<Env> implements Hub {
  #version = 0;
  #sleepers = new Set<() => void>();

  version(): number {
    return this.#version;
  }

  ring(): void {
    this.#version++;
    for (const wake of this.#sleepers) wake();
    this.#sleepers.clear();
  }

  /** Returns when the version is no longer `seen`, or after `ms` milliseconds. */
  async wait(seen: number, ms: number): Promise<void> {
    if (this.#version !== seen) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, ms);
      const sleepers = this.#sleepers;
      function done() {
        clearTimeout(timer);
        sleepers.delete(done);
        resolve();
      }
      sleepers.add(done);
    });
  }
}

export const hubOf = (env: Env, jobId: string) => env.HUBS.get(env.HUBS.idFromName(jobId));

/** Wakes whoever watches the jobs. */
export async function ring(env: Env, jobIds: Iterable<string>): Promise<void> {
  await Promise.all(Array.from(new Set(jobIds), (id) => hubOf(env, id).ring()));
}
