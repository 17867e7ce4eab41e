/**
 * `npm run lock`: writes requirements.txt (what pp-ocr and every reader need), requirements-alone.txt (what is installed
 * without its requirements), requirements-networks.txt (what readers on PyTorch add) and requirements-tests.txt (what
 * the tests add) from pyproject.toml and requirements-torch.txt in src/gpu-worker, for Python 3.11 to 3.14 on Linux and
 * macOS; likewise requirements-corpus.txt, what a corpus on a cluster adds. And requirements-vllm.txt, the worker with
 * the engine for GPUs: a whole environment with vLLM's versions, for Python 3.11 on Linux (x86-64).
 * Versions that are locked stay; `npm run lock -- --upgrade`, or `-- --upgrade-package=NAME`, takes newer
 * ones. Plain Node ≥ 20.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SetupError, setUp, uv, worker } from "./setup.mjs";

/** uv repeats the platforms of pyproject.toml beside each package. */
const EVERYWHERE = " ; sys_platform == 'darwin' or sys_platform == 'linux'";
const HEAD = "# Written by `npm run lock` from pyproject.toml.\n";

const CPU = [
  `--directory=${worker}`,
  "--universal",
  "--python-version=3.11",
  // Cog ignores markers, so one version of a package has to do for every Python.
  "--fork-strategy=fewest",
];
const GPU = [
  `--directory=${worker}`,
  "--no-config", // pyproject.toml describes PyTorch's CPU build
  "--python-version=3.11",
  "--python-platform=x86_64-unknown-linux-gnu",
];

/** @returns {Promise<string[]>} the names of the packages in the file that was written */
async function compile(/** @type {string} */ file, /** @type {string[]} */ args, platform = CPU) {
  const options = [
    ...platform,
    "--quiet",
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    `--output-file=${file}`,
  ];
  // The lock does not depend on the wheels that lie on this machine.
  const { ok, said } = await uv(["compile", ...options, ...args, ...process.argv.slice(2)], {
    UV_FIND_LINKS: "",
  });
  if (!ok) throw new SetupError(said);
  const path = join(worker, file);
  const lock = readFileSync(path, "utf8").replaceAll(EVERYWHERE, "");
  writeFileSync(path, HEAD + lock);
  return entries(file).map(nameOf);
}

/** The packages of a lock, each with its hashes. */
const entries = (/** @type {string} */ file) =>
  readFileSync(join(worker, file), "utf8")
    .split(/^(?=\S)/m)
    .filter((entry) => !entry.startsWith("#"));

const nameOf = (/** @type {string} */ entry) => /** @type {string} */ (entry.split("==")[0]);

const write = (/** @type {string} */ file, /** @type {string[]} */ list) =>
  writeFileSync(join(worker, file), HEAD + list.join(""));

const without = (/** @type {string[]} */ names) => names.map((name) => `--no-emit-package=${name}`);

try {
  await setUp({ only: ["environment"] });
  const alone = await compile("requirements-alone.txt", ["--group=alone", "--no-deps"]);
  // PyTorch decides with the rest: all is resolved at once, and then parted.
  const [first, later] = ["requirements.txt", "requirements-networks.txt"];
  write(later, [...entries(first), ...entries(later)]);
  await compile(later, [
    "pyproject.toml",
    "requirements-torch.txt",
    "--group=alone",
    "--group=networks",
    "--constraints=requirements-alone.txt",
    ...without(["torch", ...alone]),
  ]);
  const common = await compile(first, [
    "pyproject.toml",
    "--group=alone",
    "--constraints=requirements-alone.txt",
    `--constraints=${later}`,
    ...without(alone),
  ]);
  const both = entries(later);
  const added = both.filter((entry) => !common.includes(nameOf(entry)));
  write(later, added);
  await compile("requirements-tests.txt", [
    "--group=tests",
    "--constraints=requirements.txt",
    `--constraints=${later}`,
    ...without([...common, ...added.map(nameOf)]),
  ]);
  await compile("requirements-corpus.txt", [
    "--group=corpus",
    "--constraints=requirements.txt",
    `--constraints=${later}`,
    "--constraints=requirements-tests.txt",
    ...without([...common, ...added.map(nameOf)]),
  ]);
  await compile(
    "requirements-vllm.txt",
    ["pyproject.toml", "requirements-torch.txt", "requirements-vllm.in", "--group=networks"],
    GPU,
  );
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
