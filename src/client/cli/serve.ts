/** `fovea serve`: runs the whole service locally from a checkout of the repository. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { checkout } from "./checkout.ts";
import { type Command, noArgs, wholeNumber } from "./command.ts";
import { UsageError } from "./errors.ts";

export const serve: Command = {
  name: "serve",
  summary: "Run the whole service locally from a checkout of Fovea; Ctrl-C stops it",
  options: { port: { value: "N", help: "the port to listen on (8787)" } },
  async run(input) {
    noArgs(input);
    const port = wholeNumber(input, "port");
    const folder = checkout();
    if (folder === undefined)
      throw new UsageError(
        "This package contains only the client. Run this in a checkout of Fovea, or set FOVEA_HOME to one.",
      );
    const child = spawn(process.execPath, [join(folder, "scripts/start.mjs")], {
      stdio: "inherit",
      env: { ...process.env, ...(port !== undefined && { FOVEA_PORT: String(port) }) },
    });
    // The terminal sends Ctrl-C to the child as well; other signals are passed on.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => signal !== "SIGINT" && child.kill(signal));
    return new Promise((resolve) => child.on("exit", (code) => resolve(code ?? 1)));
  },
};
