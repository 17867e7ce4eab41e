/**
 * Installs what `npm start` and `npm test` need: npm packages, a Python environment, PyTorch. Steps that are
 * done are skipped. Plain Node ≥ 20 without a package, since nothing else is there when it runs. Speaks on
 * stderr only, and shows the output of npm and uv only when a step fails.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Node 24, which an npm package brings: it runs TypeScript as it is. */
export const node24 = join(root, "node_modules/.bin/node");
export const venvBin = join(root, ".venv/bin");
export const worker = join(root, "src/gpu-worker");

const python = join(venvBin, "python");
const schemaFile = join(root, ".cog/openapi_schema.json");
const stampFile = join(root, ".venv/fovea-setup.json");
const lockFile = join(root, ".cog/setup.lock");

/** Minor versions of Python 3 for which every package in the lock has a wheel. */
const OLDEST = 11;
const NEWEST = 14;
const UV = "uv==0.13.8";
/** Measured on Linux x86-64. */
const DOWNLOAD = "700 MB";
const DISK = "2.1 GB";
const CUDA_DOWNLOAD = "2.7 GB";
const CUDA_DISK = "4.6 GB";
const TORCH_CPU = process.env.FOVEA_TORCH_INDEX || "https://download.pytorch.org/whl/cpu";

/** A step that cannot be done; the message is for the person at the terminal. */
export class SetupError extends Error {}

/**
 * @typedef {object} Step
 * @property {string} what
 * @property {boolean} done
 * @property {() => Promise<void>} run
 */

/**
 * @param {{tests?: boolean, only?: ("npm" | "environment")[]}} options `tests`: the packages of the worker's tests and
 *   checks too; `only`: these steps and no others. `environment` is a Python environment without any package
 */
export async function setUp({ tests = false, only } = {}) {
  const release = await lock();
  try {
    const all =
      only?.map((step) => ({ npm: npmStep, environment: environmentStep })[step]()) ?? steps(tests);
    const pending = all.filter((step) => !step.done);
    if (pending.length === all.length && !only)
      say(
        `first start: downloads about ${DOWNLOAD} into node_modules and .venv, which take ${DISK} on disk`,
      );
    const began = Date.now();
    for (const [index, step] of pending.entries()) {
      say(`${index + 1}/${pending.length} ${step.what}`);
      await step.run();
    }
    if (pending.length > 0) say(`set up in ${Math.round((Date.now() - began) / 1000)} s`);
  } finally {
    release();
  }
}

/** @returns {Step} */
const npmStep = () => ({
  what: "npm packages (250 MB)",
  done: nodePackagesCurrent() && majorOf(node24) === 24,
  run: nodePackages,
});

/** @returns {Step} */
const environmentStep = () => ({
  what: "Python environment (20 MB)",
  done: environmentCurrent(),
  run: makeEnvironment,
});

/** @returns {Step[]} */
function steps(/** @type {boolean} */ tests) {
  const venv = environmentStep();
  const stamps = venv.done ? readStamps() : {};
  /** A step is done when it was run with the same input files. */
  const stamped = (
    /** @type {string} */ name,
    /** @type {string} */ what,
    /** @type {string[]} */ inputs,
    /** @type {() => Promise<void>} */ action,
  ) => {
    const hash = hashOf(inputs.map((input) => join(worker, input)));
    const run = async () => {
      await action();
      writeStamp(name, hash);
    };
    return { what, done: stamps[name] === hash, run };
  };

  const packages = stamped(
    "packages",
    "the worker's Python packages (240 MB)",
    ["requirements.txt", "requirements-alone.txt"],
    workerPackages,
  );
  const pytorch = stamped("pytorch", "PyTorch (190 MB)", ["requirements-torch.txt"], torch);
  const testing = stamped(
    "tests",
    "the tests' Python packages (60 MB)",
    ["requirements-tests.txt"],
    testPackages,
  );
  const schema = stamped(
    "schema",
    "the worker's schema",
    ["predict.py", "schema.py", "requirements.txt"],
    makeSchema,
  );
  schema.done &&= existsSync(schemaFile);
  return [npmStep(), venv, packages, pytorch, ...(tests ? [testing] : []), schema];
}

async function nodePackages() {
  const { ok, said } = await quietly("npm", [
    "ci",
    "--loglevel=error",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts=false",
  ]);
  if (!ok)
    throw failed(
      "The npm packages could not be installed",
      said,
      "`npm ci` needs the npm registry this once.",
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

/** The environment is there, of a Python that will do and of the one that was asked for. */
function environmentCurrent() {
  const found = versionOf(python);
  if (!found || !isSupported(found) || readStamps().uv !== UV) return false;
  const wanted = process.env.FOVEA_PYTHON ? versionOf(process.env.FOVEA_PYTHON) : found;
  return wanted !== null && minorOf(wanted) === minorOf(found);
}

async function makeEnvironment() {
  const base = findPython();
  const current = versionOf(python);
  if (!current || minorOf(current) !== minorOf(/** @type {string} */ (versionOf(base)))) {
    const { ok, said } = await quietly(base, ["-m", "venv", "--clear", join(root, ".venv")]);
    if (!ok)
      throw failed(
        `\`${base} -m venv\` failed`,
        said,
        "On Debian and Ubuntu it is a package of its own: apt install python3-venv.",
      );
  }
  const { ok, said } = await quietly(python, ["-m", "pip", "install", "--no-input", UV]);
  if (!ok) throw failed("uv could not be installed", said, NEEDS_INDEX);
  writeStamp("uv", UV);
}

function findPython() {
  const asked = process.env.FOVEA_PYTHON;
  const minors = Array.from({ length: NEWEST - OLDEST + 1 }, (_, index) => NEWEST - index);
  const candidates = asked
    ? [asked]
    : ["python3", ...minors.map((minor) => `python3.${minor}`), "python"];
  const versions = candidates.map((name) => ({ name, version: versionOf(name) }));
  const good = versions.find(({ version }) => version && isSupported(version));
  if (good) return good.name;
  const found = versions.filter(({ version }) => version);
  const seen = found.map(({ name, version }) => `${name} is ${version}`).join(", ");
  throw new SetupError(
    `Fovea needs Python 3.${OLDEST} to 3.${NEWEST}; ${seen || `none was found (tried ${candidates.join(", ")})`}.\n` +
      "Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13),\n" +
      "or name one: FOVEA_PYTHON=/path/to/python npm start",
  );
}

/** @returns {string | null} such as `3.11.7` */
function versionOf(/** @type {string} */ command) {
  const code = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
  return output(command, ["-c", code])?.trim() ?? null;
}

const minorOf = (/** @type {string} */ version) => Number(version.split(".")[1]);

const isSupported = (/** @type {string} */ version) =>
  version.startsWith("3.") && minorOf(version) >= OLDEST && minorOf(version) <= NEWEST;

async function workerPackages() {
  await installPackages("requirements.txt", "requirements-alone.txt");
  await load("cv2", "onnxruntime", "pypdfium2");
}

const testPackages = () => installPackages("requirements-tests.txt");

/** The lock names every package, so nothing is resolved, and nothing is built from source. */
export async function installPackages(/** @type {string[]} */ ...files) {
  const { ok, said } = await uv([
    "install",
    "--no-deps",
    "--no-build",
    "--require-hashes",
    ...files.flatMap((file) => ["-r", join(worker, file)]),
  ]);
  if (!ok) throw failed("The Python packages could not be installed", said, NEEDS_INDEX);
}

/**
 * On Linux the default index has only builds for CUDA, ten times the size of those for the CPU. Those have an
 * index of their own; where it does not answer, or has none for this Python, the default build is taken with
 * its libraries.
 */
async function torch() {
  const wanted = ["install", "-r", join(worker, "requirements-torch.txt")];
  const cpu = [...wanted, "--no-deps", "--default-index", TORCH_CPU];
  const probe = { UV_HTTP_RETRIES: "0", UV_HTTP_TIMEOUT: "10" };
  const hasCpu = process.platform === "linux" && (await uv([...cpu, "--dry-run"], probe)).ok;
  if (!hasCpu) {
    const plan = await uv([...wanted, "--dry-run"]);
    if (plan.said.includes("+ nvidia-"))
      say(
        `    no CPU build of PyTorch is available; the CUDA build is ${CUDA_DOWNLOAD} to download, ${CUDA_DISK} on disk`,
      );
  }
  const { ok, said } = await uv(hasCpu ? cpu : wanted);
  if (!ok) throw failed("PyTorch could not be installed", said, NEEDS_INDEX);
  await load("torch");
}

/** A package can be installed and still not load: a system library or one of its own is missing. */
async function load(/** @type {string[]} */ ...modules) {
  const { ok, said } = await quietly(python, ["-c", `import ${modules.join(", ")}`]);
  if (!ok)
    throw failed(
      `${modules.join(", ")}: installed, but it cannot be imported`,
      said,
      `Remove .venv and start again. If that does not help, try another Python (3.${OLDEST} to 3.${NEWEST}): FOVEA_PYTHON=/path/to/python npm start`,
    );
}

const NEEDS_INDEX = "This needs the Python package index once; pip's settings for it are used.";

/** `uv pip`, which neither fetches a Python nor writes outside `.venv` and its cache. */
export const uv = (/** @type {string[]} */ [verb, ...args], env = {}) =>
  quietly(join(venvBin, "uv"), ["pip", verb, "--python", python, "--no-progress", ...args], {
    UV_PYTHON_DOWNLOADS: "never",
    ...pipSettings(),
    ...env,
  });

/** uv does not read pip's settings. Machines with a mirror or a folder of wheels name it there. */
function pipSettings() {
  const listed = output(python, ["-m", "pip", "config", "list"]) ?? "";
  const variables = {
    "index-url": "UV_DEFAULT_INDEX",
    "find-links": "UV_FIND_LINKS",
    cert: "SSL_CERT_FILE",
  };
  /** @type {Record<string, string>} */
  const settings = {};
  for (const [name, variable] of Object.entries(variables)) {
    const value = new RegExp(`^(?::env:|\\w+)\\.${name}='(.+)'$`, "m").exec(listed)?.[1];
    if (!value || process.env[variable]) continue;
    // pip separates folders by white space, which its list shows as \n where it is a new line.
    settings[variable] = value.split(/(?:\s|\\n)+/).join(",");
  }
  return settings;
}

/** Cog reads its inputs' types from this file; without it nothing is validated. */
async function makeSchema() {
  const { ok, said } = await quietly(python, [join(worker, "schema.py")]);
  if (!ok) throw failed("The worker's schema could not be written", said, "");
}

function failed(
  /** @type {string} */ what,
  /** @type {string} */ said,
  /** @type {string} */ advice,
) {
  const reason = said.trimEnd().split("\n").slice(-12);
  return new SetupError(
    `${what}:\n\n${reason.map((line) => `    ${line}`).join("\n")}\n\n${advice}`.trimEnd(),
  );
}

/** @returns {Record<string, string>} what each step was done with, by its name */
function readStamps() {
  return existsSync(stampFile) ? JSON.parse(readFileSync(stampFile, "utf8")) : {};
}

function writeStamp(/** @type {string} */ name, /** @type {string} */ inputs) {
  const fresh = `${stampFile}.new`;
  writeFileSync(fresh, `${JSON.stringify({ ...readStamps(), [name]: inputs }, null, 2)}\n`);
  renameSync(fresh, stampFile);
}

function hashOf(/** @type {string[]} */ paths) {
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
  { stdout = 2, env = {} } = {},
) {
  return ended(launch(command, args, ["ignore", stdout, 2], env), (error) =>
    console.error(`${command}: ${error.message}`),
  );
}

/** Runs a command and keeps what it prints. */
async function quietly(
  /** @type {string} */ command,
  /** @type {string[]} */ args,
  /** @type {Record<string, string>} */ env = {},
) {
  const child = launch(command, args, ["ignore", "pipe", "pipe"], env);
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
  const ok = await ended(child, (error) => {
    said += `${command}: ${error.message}`;
  });
  return { ok, said };
}

function launch(
  /** @type {string} */ command,
  /** @type {string[]} */ args,
  /** @type {import("node:child_process").StdioOptions} */ stdio,
  /** @type {Record<string, string>} */ env,
) {
  return spawn(command, args, {
    cwd: root,
    env: { ...process.env, PATH: systemPath(), ...env },
    stdio,
  });
}

/** @returns {Promise<boolean>} whether the process succeeded; it ends with this one. */
function ended(
  /** @type {import("node:child_process").ChildProcess} */ child,
  /** @type {(error: Error) => void} */ onError,
) {
  const pass = (/** @type {NodeJS.Signals} */ signal) => {
    child.kill(signal);
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  process.on("SIGINT", pass).on("SIGTERM", pass);
  return new Promise((resolve) => {
    const end = (/** @type {boolean} */ ok) => {
      process.off("SIGINT", pass).off("SIGTERM", pass);
      resolve(ok);
    };
    child.on("error", (error) => {
      onError(error);
      end(false);
    });
    child.on("close", (code) => end(code === 0));
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
