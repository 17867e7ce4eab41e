/** `fovea serve`: runs the whole service locally from a checkout of the repository. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Command, noArgs, UsageError, wholeNumber } from "./command.ts";

export const serve: Command = {
  name: "serve",
  summary: "Run the whole service locally from a checkout of Fovea; Ctrl-C stops it",
  options: { port: { value: "N", help: "the port to listen on (8787)" } },
  async run(input) {
    noArgs(input);
    const port = wholeNumber(input, "port");
    const child = spawn(process.execPath, [join(checkout(), "scripts/start.mjs")], {
      stdio: "inherit",
      env: { ...process.env, ...(port !== undefined && { FOVEA_PORT: String(port) }) },
    });
    // The terminal sends Ctrl-C to the child as well; other signals are passed on.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => signal !== "SIGINT" && child.kill(signal));
    return new Promise((resolve) => child.on("exit", (code) => resolve(code ?? 1)));
  },
};

/** FOVEA_HOME, or the nearest checkout above the working directory or above this file. */
function checkout(): string {
  const home = process.env.FOVEA_HOME;
  if (home && !isCheckout(home))
    throw new UsageError(`FOVEA_HOME: ${home} is not a checkout of Fovea.`);
  const starts = home ? [home] : [process.cwd(), dirname(fileURLToPath(import.meta.url))];
  for (const start of starts)
    for (let folder = start; ; folder = dirname(folder)) {
      if (isCheckout(folder)) return folder;
      if (folder === dirname(folder)) break;
    }
  throw new UsageError(
    "This package contains only the client. Run this in a checkout of Fovea, or set FOVEA_HOME to one.",
  );
}

function isCheckout(folder: string): boolean {
  const manifest = join(folder, "package.json");
  if (!existsSync(join(folder, "scripts/start.mjs")) || !existsSync(manifest)) return false;
  return JSON.parse(readFileSync(manifest, "utf8")).name === "fovea";
}
