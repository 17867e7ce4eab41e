/** A checkout of Fovea on this machine, and the service that `npm start` runs from it. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "./errors.ts";

/**
 * FOVEA_HOME, or the nearest checkout above the working directory or above this file.
 * @throws UsageError if FOVEA_HOME is none
 */
export function checkout(): string | undefined {
  const home = process.env.FOVEA_HOME;
  if (home && !isCheckout(home))
    throw new UsageError(`FOVEA_HOME: ${home} is not a checkout of Fovea.`);
  const starts = home ? [home] : [process.cwd(), dirname(fileURLToPath(import.meta.url))];
  for (const start of starts)
    for (let folder = start; ; folder = dirname(folder)) {
      if (isCheckout(folder)) return folder;
      if (folder === dirname(folder)) break;
    }
  return undefined;
}

export interface LocalService {
  origin: string;
  key: string;
}

/** The development service that runs on this machine, from a checkout or on the data folder FOVEA_DATA. */
export function localService(): LocalService | undefined {
  const data = process.env.FOVEA_DATA || join(checkout() ?? "", ".data");
  const path = join(data, "development.json");
  try {
    const { pid, origin, key } = JSON.parse(readFileSync(path, "utf8"));
    process.kill(pid, 0); // throws if the process has ended
    return { origin, key };
  } catch {
    return undefined;
  }
}

function isCheckout(folder: string): boolean {
  const manifest = join(folder, "package.json");
  if (!existsSync(join(folder, "scripts/start.mjs")) || !existsSync(manifest)) return false;
  return JSON.parse(readFileSync(manifest, "utf8")).name === "fovea";
}
