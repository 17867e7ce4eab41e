/** Starts the service, and runs a command with its address and a key: `node run.ts COMMAND…`. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startStack } from "../../scripts/stack.ts";

const [command = "", ...args] = process.argv.slice(2);
const data = mkdtempSync(join(tmpdir(), "fovea-clients-"));
const stack = await startStack({ data });
try {
  const env = { ...process.env, FOVEA_ORIGIN: stack.origin, FOVEA_KEY: stack.key };
  process.exitCode = spawnSync(command, args, { stdio: "inherit", env }).status ?? 1;
} finally {
  await stack.stop();
  rmSync(data, { recursive: true, force: true });
}
