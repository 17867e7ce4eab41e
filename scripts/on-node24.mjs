/**
 * on-node24.mjs SCRIPT [ARGUMENT…]: installs the npm packages of `npm start` if they are missing, never others, since it may
 * be serving; and runs a script of this folder on a Node that runs TypeScript. Plain Node ≥ 20 without a package.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root, SetupError, setUp, startNode } from "./setup.mjs";

const [script, ...args] = process.argv.slice(2);
try {
  await setUp({ only: ["npm"] });
  const child = spawn(
    startNode(),
    ["--no-warnings", join(root, "scripts", /** @type {string} */ (script)), ...args],
    { stdio: "inherit" },
  );
  // Ctrl-C reaches the child by itself; a signal to this process alone is passed on.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("exit", (code) => process.exit(code ?? 1));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
