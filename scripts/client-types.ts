/**
 * Generates what the clients share with the edge: the schemas of the OpenAPI document as TypeScript types and as Python
 * classes, and the synchronous Python client from the asynchronous one. With `--check`, only tests whether the files are
 * current.
 */
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { openApi } from "./types/openapi.ts";
import { pythonModels, pythonParams, synchronous } from "./types/python.ts";
import { typescript } from "./types/typescript.ts";

const root = join(import.meta.dirname, "..");
const python = "src/client-python/fovea_client";

const document = await openApi();
const files: Record<string, string> = {
  "src/client/schema.ts": typescript(document),
  [`${python}/models.py`]: formatted(pythonModels(document)),
  [`${python}/params.py`]: formatted(pythonParams(document)),
};
for (const path of globSync(`${python}/_async/*.py`, { cwd: root })) {
  const source = readFileSync(join(root, path), "utf8");
  files[`${python}/_sync/${basename(path)}`] = formatted(synchronous(source));
}

for (const [path, text] of Object.entries(files)) {
  const target = join(root, path);
  if (!process.argv.includes("--check")) {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  } else if (current(target) !== text) {
    console.error(`${path} is out of date. Run: npm run types`);
    process.exitCode = 1;
  }
}

function current(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** A Python source without unused imports, formatted as the others. */
function formatted(source: string): string {
  const fixed = ruff(["check", "--fix", "--unsafe-fixes", "--quiet", "--exit-zero"], source);
  return ruff(["format"], fixed);
}

function ruff([command = "", ...options]: string[], input: string): string {
  const config = ["--config", join(root, "src/gpu-worker/pyproject.toml")];
  const name = ["--stdin-filename", join(root, python, "generated.py")];
  const args = [command, ...options, ...config, ...name, "-"];
  const { status, stdout, stderr } = spawnSync(join(root, ".venv/bin/ruff"), args, {
    cwd: root,
    input,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`ruff ${command}: ${stderr}`);
  return stdout;
}
