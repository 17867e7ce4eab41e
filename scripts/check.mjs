/**
 * `npm run check`: runs type checks, linters and the fast tests in parallel, in under a minute, and prints the
 * output of those that fail. Runs on Node ≥ 20 without packages.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { node24, root, SetupError, setUp, venvBin } from "./setup.mjs";

const tool = (/** @type {string} */ path) => join(root, "node_modules", path);
const python = join(venvBin, "python");
const ruff = join(venvBin, "ruff");
const importLinter = join(venvBin, "lint-imports");
const pyproject = "src/gpu-worker/pyproject.toml";
const PYTHON = ["src", "scripts", "test", "bench", "examples"];

/** The folders of the worker's tests that need no model. */
const WORKER_RULES = ["language", "output", "pages", "result", "service", "vision"].map(
  (folder) => `test/worker/${folder}`,
);
const PYTHON_CLIENT = "test/client-python";

const CHECKS = {
  types: [node24, tool("typescript/bin/tsc"), "--noEmit"],
  "client types": [node24, tool("typescript/bin/tsc"), "--noEmit", "-p", "src/client"],
  "command line types": [node24, tool("typescript/bin/tsc"), "--noEmit", "-p", "src/client/cli"],
  "playground types": [node24, tool("typescript/bin/tsc"), "-p", "src/playground"],
  "browser test types": [node24, tool("typescript/bin/tsc"), "--noEmit", "-p", "test/browser"],
  "client types and schemas": [node24, "scripts/client-types.ts", "--check"],
  docs: [node24, "scripts/check-docs.ts"],
  contract: [node24, "scripts/contract.ts", "--check"],
  "Python client types": [
    python,
    "-m",
    "mypy",
    "--config-file",
    "src/client-python/pyproject.toml",
    "src/client-python/fovea_client",
  ],
  "settings table": [node24, "scripts/settings-table.ts", "--check"],
  biome: [node24, tool("@biomejs/biome/bin/biome"), "check"],
  ruff: [ruff, "check", "--config", pyproject, ...PYTHON],
  "ruff format": [ruff, "format", "--config", pyproject, "--check", ...PYTHON],
  "edge rules": [node24, tool("vitest/vitest.mjs"), "run", "--project", "rules"],
  "edge architecture": [
    node24,
    tool("dependency-cruiser/bin/dependency-cruiser.mjs"),
    "src/edge",
    "--output-type",
    "err-long",
  ],
  "worker architecture": [importLinter, "--no-logo", "--no-cache", pyproject],
  "worker rules and Python client": [
    python,
    "-m",
    "pytest",
    "-c",
    pyproject,
    "--rootdir",
    ".",
    "-m",
    "not slow",
    ...WORKER_RULES,
    PYTHON_CLIENT,
  ],
};

/** @returns {Promise<boolean>} */
function check(/** @type {string} */ name, /** @type {string[]} */ [command, ...args]) {
  const began = Date.now();
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, PYTHONPATH: join(root, "src/gpu-worker") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
  return new Promise((resolve) =>
    child.on("close", (code) => {
      const seconds = ((Date.now() - began) / 1000).toFixed(1);
      console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
      if (code !== 0) console.log(said);
      resolve(code === 0);
    }),
  );
}

try {
  await setUp({ tests: true });
  const results = await Promise.all(
    Object.entries(CHECKS).map(([name, command]) => check(name, command)),
  );
  process.exitCode = results.every(Boolean) ? 0 : 1;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
