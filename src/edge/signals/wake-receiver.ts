/** Wakes the drivers of webhook receivers. If a wake-up is lost, the sweep finds the deliveries that are due. */
import type { Env, Receiver } from "../bindings.ts";
import { hex } from "../domain/encoding.ts";
import { dueReceivers, insertNotices } from "../storage/deliveries.ts";
import type { Notice } from "../storage/endpoints.ts";
import { bestEffort } from "../storage/fault.ts";

/** Wakes the receivers that have deliveries due. */
export async function wakeReceivers(env: Env): Promise<void> {
  await wakeAll(env, await dueReceivers(env.DB, Date.now()));
}

/** Delivers an event without a job to every active endpoint of the tenant that subscribes to it. */
export async function deliverNotice(
  env: Env,
  tenantId: string,
  event: Notice,
  data: Record<string, unknown>,
): Promise<void> {
  await wakeAll(env, await insertNotices(env.DB, tenantId, event, data, Date.now()));
}

export async function wakeAll(env: Env, receivers: Receiver[]): Promise<void> {
  await Promise.all(
    receivers.map((receiver) => bestEffort(wake(env, receiver), { receiver: receiver.url })),
  );
}

async function wake(env: Env, { tenantId, url }: Receiver): Promise<void> {
  // A hash, because a URL may be longer than the name of a Durable Object.
  const name = new TextEncoder().encode(`${tenantId} ${url}`);
  const id = env.RECEIVERS.idFromName(hex(await crypto.subtle.digest("SHA-256", name)));
  await env.RECEIVERS.get(id).wake({ tenantId, url });
}
