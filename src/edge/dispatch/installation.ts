/**
 * Models that are still being installed. Only a machine of one's own has them: `npm start` serves before PyTorch is there,
 * and scripts/edge.ts then binds INSTALLATION. A model that is not listed is installed.
 */
import { z } from "zod";
import type { Env } from "../bindings.ts";

export const Installation = z.object({
  state: z.enum(["installing", "failed"]),
  step: z.int(),
  steps: z.int(),
  detail: z.string(),
});
export type Installation = z.infer<typeof Installation>;

const Installations = z.record(z.string(), Installation);

/** @returns the models that are not installed, by name */
export async function installations(env: Env): Promise<Record<string, Installation>> {
  if (!env.INSTALLATION) return {};
  const response = await env.INSTALLATION.fetch("http://installation/");
  return Installations.parse(await response.json());
}

/** Models that were found installed: they stay so, and dispatching a shard need not ask again. */
const installed = new Set<string>();

/** @returns `null` if the model is installed */
export async function installationOf(env: Env, model: string): Promise<Installation | null> {
  if (!env.INSTALLATION || installed.has(model)) return null;
  const installation = (await installations(env))[model] ?? null;
  if (installation === null) installed.add(model);
  return installation;
}
