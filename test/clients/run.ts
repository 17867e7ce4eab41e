/** Starts the service, with a stand-in for a model, and runs a command with its address and a key: `node run.ts COMMAND…`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startStack } from "../../scripts/stack.ts";
import { startExtractor } from "../extractor.ts";

const [command = "", ...args] = process.argv.slice(2);
const data = mkdtempSync(join(tmpdir(), "fovea-clients-"));
const extractor = await startExtractor();
const stack = await startStack({
  data,
  env: { edge: { EXTRACT_URL: extractor.url, EXTRACT_MODEL: "stand-in" } },
});
try {
  const env = { ...process.env, FOVEA_ORIGIN: stack.origin, FOVEA_KEY: stack.key };
  // The stand-in answers meanwhile, so this process must not be blocked.
  const [status] = await once(spawn(command, args, { stdio: "inherit", env }), "close");
  process.exitCode = status ?? 1;
} finally {
  extractor.close();
  await stack.stop();
  rmSync(data, { recursive: true, force: true });
}
