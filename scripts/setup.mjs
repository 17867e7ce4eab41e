/**
 * Everything that has to be installed, each step skipped when it is done. Plain Node ≥ 20 without a
 * package, since nothing else is there when it runs. Speaks on stderr only.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Node 24, which an npm package brings: it runs TypeScript as it is. */
export const node24 = join(root, "node_modules/.bin/node");
export const venvBin = join(root, ".venv/bin");

const worker = join(root, "src/gpu-worker");
const schemaFile = join(root, ".cog/openapi_schema.json");
const stampFile = join(root, ".venv/fovea-setup.json");
const lockFile = join(root, ".cog/setup.lock");
const TORCH_CPU = "https://download.pytorch.org/whl/cpu";

/** A step that cannot be done; the message is for the person at the terminal. */
export class SetupError extends Error {}

/** @param {{tests?: boolean}} options `tests`: the packages of the worker's tests and checks too. */
export async function setUp({ tests = false } = {}) {
  const release = await lock();
  try {
    await nodePackages();
    await virtualEnv();
    await pythonPackages(tests);
    await cogSchema();
  } finally {
    release();
  }
}

async function nodePackages() {
  if (nodePackagesCurrent() && majorOf(node24) === 24) return;
  say("installing the npm packages (about half a minute)");
  const done = await run("npm", ["ci", "--loglevel=error", "--ignore-scripts=false"]);
  if (!done)
    throw new SetupError(
      "The npm packages could not be installed. `npm ci` says why above; it needs the npm registry this once.",
    );
  if (majorOf(node24) !== 24)
    throw new SetupError("The npm package `node` did not bring Node 24: run `npm rebuild node`.");
}

/** What is installed is what the lock file says; npm's own record of it is as good as a stamp. */
function nodePackagesCurrent() {
  try {
    const read = (/** @type {string} */ path) =>
      JSON.parse(readFileSync(join(root, path), "utf8")).packages;
    const installed = read("node_modules/.package-lock.json");
    return Object.entries(read("package-lock.json")).every(
      ([path, entry]) =>
        path === "" || entry.optional || installed[path]?.version === entry.version,
    );
  } catch {
    return false;
  }
}

const majorOf = (/** @type {string} */ node) =>
  Number(/^v(\d+)/.exec(output(node, ["--version"]) ?? "")?.[1]);

async function virtualEnv() {
  if (pythonVersion(join(venvBin, "python"))) return;
  const candidates = process.env.FOVEA_PYTHON
    ? [process.env.FOVEA_PYTHON]
    : ["python3", "python3.13", "python3.12", "python3.11", "python3.10", "python"];
  const python = candidates.find(pythonVersion);
  if (!python)
    throw new SetupError(
      `Fovea needs Python 3.10 or newer; none was found (tried ${candidates.join(", ")}).\n` +
        "Install it (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python),\n" +
        "or name one in FOVEA_PYTHON.",
    );
  say(`making .venv with ${python}`);
  if (!(await run(python, ["-m", "venv", "--clear", join(root, ".venv")])))
    throw new SetupError(
      "`python -m venv` failed, see above. On Debian and Ubuntu it is a package: apt install python3-venv.",
    );
}

/** @returns {string | null} the version when it is new enough */
function pythonVersion(/** @type {string} */ python) {
  const version = output(python, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
  const [major, minor] = (version ?? "0.0").trim().split(".").map(Number);
  return major === 3 && minor >= 10 ? `${major}.${minor}` : null;
}

async function pythonPackages(/** @type {boolean} */ tests) {
  await once("torch", hashOf(join(worker, "requirements-torch.txt")), torch);
  await once("worker", hashOf(join(worker, "requirements.txt")), () =>
    requirements("the worker's Python packages (about a minute)", "requirements.txt"),
  );
  if (tests)
    await once("tests", hashOf(join(worker, "requirements-dev.txt")), () =>
      requirements("the tests' Python packages", "requirements-dev.txt"),
    );
}

/** The CPU build is a tenth of the default one in size. Its dependencies are pinned with the rest. */
async function torch() {
  say("installing PyTorch for the CPU (about a minute)");
  const file = join(worker, "requirements-torch.txt");
  const quick = ["--retries", "0", "--timeout", "20"];
  if (await pip([...quick, "--no-deps", "--index-url", TORCH_CPU, "-r", file], true)) return;
  say("the index of CPU builds does not answer: taking PyTorch from the default index");
  if (!(await pip(["--no-deps", "-r", file]))) throw pipError();
}

async function requirements(/** @type {string} */ what, /** @type {string} */ file) {
  say(`installing ${what}`);
  if (!(await pip(["-r", join(worker, file)]))) throw pipError();
}

const pip = (/** @type {string[]} */ args, quiet = false) =>
  run(
    join(venvBin, "python"),
    ["-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check", ...args],
    { quiet },
  );

const pipError = () =>
  new SetupError(
    "The Python packages could not be installed. pip says why above; it needs the Python package index this once.",
  );

/** Cog reads its inputs' types from this file; without it nothing is validated. */
async function cogSchema() {
  const sources = ["predict.py", "schema.py", "requirements.txt"].map((name) => join(worker, name));
  await once("schema", hashOf(...sources), makeSchema, existsSync(schemaFile));
}

async function makeSchema() {
  say("writing the Cog schema");
  if (!(await run(join(venvBin, "python"), [join(worker, "schema.py")])))
    throw new SetupError("The Cog schema could not be written, see above.");
}

/** Runs a step unless it was done with the same inputs. */
async function once(
  /** @type {string} */ name,
  /** @type {string} */ inputs,
  /** @type {() => Promise<void>} */ step,
  resultIsThere = true,
) {
  const done = existsSync(stampFile) ? JSON.parse(readFileSync(stampFile, "utf8")) : {};
  if (done[name] === inputs && resultIsThere) return;
  await step();
  writeFileSync(stampFile, `${JSON.stringify({ ...done, [name]: inputs }, null, 2)}\n`);
}

function hashOf(/** @type {string[]} */ ...paths) {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(readFileSync(path));
  return hash.digest("hex");
}

/** Two copies that start at once in one fresh clone: one sets up, the other waits for it. */
async function lock() {
  mkdirSync(dirname(lockFile), { recursive: true });
  for (let told = false; ; ) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: "wx" });
      return () => rmSync(lockFile, { force: true });
    } catch {
      const holder = Number(readFileSync(lockFile, { encoding: "utf8", flag: "a+" }));
      if (!isAlive(holder)) rmSync(lockFile, { force: true });
      else if (!told) say(`waiting for the set-up that process ${holder} is doing`);
      told ||= isAlive(holder);
      await sleep(200);
    }
  }
}

function isAlive(/** @type {number} */ pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

/**
 * @param options `stdout`: where what it prints goes, stderr (2) unless said otherwise
 * @returns {Promise<boolean>} whether the command succeeded
 */
export function run(
  /** @type {string} */ command,
  /** @type {string[]} */ args,
  { quiet = false, stdout = 2, env = {} } = {},
) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, PATH: systemPath(), ...env },
      stdio: ["ignore", quiet ? "ignore" : stdout, quiet ? "ignore" : 2],
    });
    const pass = (/** @type {NodeJS.Signals} */ signal) => {
      child.kill(signal);
      process.exit(signal === "SIGINT" ? 130 : 143);
    };
    process.on("SIGINT", pass).on("SIGTERM", pass);
    const end = (/** @type {boolean} */ ok) => {
      process.off("SIGINT", pass).off("SIGTERM", pass);
      resolve(ok);
    };
    child.on("error", (error) => {
      if (!quiet) console.error(`${command}: ${error.message}`);
      end(false);
    });
    child.on("exit", (code) => end(code === 0));
  });
}

/** PATH without node_modules/.bin: `npm ci` takes that folder away while npm's own node runs. */
function systemPath() {
  const local = join("node_modules", ".bin");
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.filter((folder) => !folder.endsWith(local)).join(delimiter);
}

function output(/** @type {string} */ command, /** @type {string[]} */ args) {
  const result = spawnSync(command, args, { encoding: "utf8" });
  return result.status === 0 ? result.stdout : null;
}

export function say(/** @type {string} */ text) {
  console.error(`fovea: ${text}`);
}
