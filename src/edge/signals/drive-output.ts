/** Starts the drivers of deliveries. If that fails, the sweep does it. */
import type { Env } from "../bindings.ts";
import { newDeliveries } from "../storage/output-deliveries.ts";

/** Starts drivers for the deliveries of a batch or job that were not tried yet. */
export async function driveDeliveries(env: Env, owner: string): Promise<void> {
  for (const { id, dueAt } of await newDeliveries(env.DB, owner))
    await driveDelivery(env, id, dueAt);
}

/** @param time makes the name of the driver. While one with this name exists, nothing happens */
export async function driveDelivery(env: Env, id: string, time: number): Promise<void> {
  try {
    await env.OUTPUTS.create({ id: `${id}-${time}`, params: { deliveryId: id } });
  } catch (error) {
    if (/already/i.test(String(error))) return;
    const event = "output.not_driven";
    console.error(JSON.stringify({ event, delivery: id, error: String(error) }));
  }
}
