/**
 * `npm run test:clients`: clients of others, as they are published, against the service on this machine: in Python those of
 * Mistral, OpenAI, LiteLLM, LangChain, Docling and MCP, in JavaScript those of OpenAI, the AI SDK and MCP; and batches over
 * a bucket of Moto, a stand-in for S3. Installs them into `.venv-clients` and `test/clients/node_modules` (about 1.2 GB,
 * once). Options go to unittest.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { node24, root, run, SetupError, say, setUp, venvBin } from "./setup.mjs";

const tests = join(root, "test/clients");
const folder = join(root, ".venv-clients");
const python = join(folder, "bin/python");
const requirements = join(tests, "requirements.txt");
const packages = join(tests, "package.json");
const ready = join(folder, "fovea-ready");

async function install() {
  const wanted = readFileSync(requirements, "utf8") + readFileSync(packages, "utf8");
  if (existsSync(ready) && readFileSync(ready, "utf8") === wanted) return;
  say(`Installing clients into ${folder}`);
  const steps = [
    [join(venvBin, "python"), ["-m", "venv", "--clear", folder]],
    [python, ["-m", "pip", "install", "--quiet", "-r", requirements]],
    ["npm", ["install", "--prefix", tests, "--no-package-lock", "--no-audit", "--no-fund"]],
  ];
  for (const [command, args] of /** @type {[string, string[]][]} */ (steps))
    if (!(await run(command, args))) throw new SetupError("The clients could not be installed.");
  writeFileSync(ready, wanted);
}

try {
  await setUp({ tests: true });
  await install();
  let passed = true;
  const files = ["clients", "batches", "docling", "s3", "agents"].map((name) => `test_${name}.py`);
  for (const file of files) {
    const args = [join(tests, "run.ts"), python, join(tests, file)];
    passed = (await run(node24, [...args, ...process.argv.slice(2)], { stdout: 1 })) && passed;
  }
  const scripts = [join(tests, "run.ts"), node24, join(tests, "agents.mjs")];
  passed = (await run(node24, scripts, { stdout: 1 })) && passed;
  process.exit(passed ? 0 : 1);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}`);
  process.exit(1);
}
