/**
 * Installs what `npm start` and `npm test` need: npm packages, a Python environment, and for readers with networks of ours
 * PyTorch. `npm start` serves before that last part is there, and has it installed behind it (`setUpNetworks`). Steps that
 * are done are skipped, and a step that was interrupted is done again. Plain Node ≥ 20 without a package, since nothing
 * else is there when it runs. Speaks on stderr only, and shows the output of npm and uv only when a step fails.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { setPriority } from "node:os";
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
const leash = join(root, "scripts/leash.mjs");

/** Models that run on PyTorch. The others need nothing of what `setUpNetworks` installs. */
export const ON_PYTORCH = ["fovea-nano", "deepseek-ocr", "deepseek-ocr-2", "unlimited-ocr"];

/** Minor versions of Python 3 for which every package in the lock has a wheel. */
const OLDEST = 11;
const NEWEST = 14;
const UV = "uv==0.13.8";
const CUDA_DOWNLOAD = "2.7 GB";
const CUDA_DISK = "4.6 GB";
const TORCH_CPU = process.env.FOVEA_TORCH_INDEX || "https://download.pytorch.org/whl/cpu";

/** A step that cannot be done; the message is for the person at the terminal. */
export class SetupError extends Error {
  /** @param {string} message @param {string} summary one line for others */
  constructor(message, summary = message.split("\n")[0] ?? "") {
    super(message);
    this.summary = summary;
  }
}

/**
 * @typedef {object} Step
 * @property {string} what
 * @property {number} mb to download
 * @property {number} disk MB that it takes on the disk; measured on Linux x86-64, like `mb`
 * @property {boolean} done
 * @property {() => Promise<void>} run
 */

/**
 * Installs everything that is needed at once, and speaks about it. Ends the process at SIGINT and SIGTERM.
 *
 * @param {{tests?: boolean, networks?: boolean, only?: ("npm" | "environment")[]}} options `tests`: everything, with the
 *   packages of the tests and checks; `networks`: what `setUpNetworks` installs, too; `only`: these steps and no others.
 *   `environment` is a Python environment without any package
 */
export async function setUp({ tests = false, networks = tests, only } = {}) {
  await withSignals(async () => {
    const release = await lock("setup", say);
    try {
      const [npm, ...pythonSteps] = only ? onlySteps(only, tests) : steps(tests, networks);
      const all = [...(npm ? [npm] : []), ...pythonSteps];
      const pending = all.filter((step) => !step.done);
      if (pending.length === 0) return;
      checkSpace(pending);
      if (pending.length === all.length && !only) greet(pending);
      const began = Date.now();
      let begun = 0;
      const inTurn = async (/** @type {Step[]} */ lane) => {
        for (const step of lane.filter((one) => !one.done)) {
          begun++;
          const size = step.mb > 0 ? ` (${step.mb} MB)` : "";
          say(`${begun}/${pending.length} ${step.what}${size}`);
          await step.run();
        }
      };
      await together([() => inTurn(npm ? [npm] : []), () => inTurn(pythonSteps)]);
      say(`set up in ${Math.round((Date.now() - began) / 1000)} s`);
    } finally {
      release();
    }
  });
}

/** Whether nothing is left to do for `setUpNetworks`. */
export const networksReady = () => networkSteps(readStamps()).every((step) => step.done);

/** Number of steps that `setUpNetworks` reports. */
export const NETWORK_STEPS = 4;

/**
 * Installs PyTorch and what the readers on it need, while others use the environment. `stop` interrupts it; the next call
 * takes up what is left.
 *
 * @param {(step: number, what: string) => void} onStep called before each of the `NETWORK_STEPS` steps, from 1
 * @throws {SetupError}
 */
export async function setUpNetworks(onStep) {
  niceness = 10;
  const release = await lock("setup-networks", (what) => onStep(1, what));
  try {
    if (networksReady()) return;
    const pending = networkSteps(readStamps(), onStep).filter((step) => !step.done);
    checkSpace(pending);
    for (const step of pending) await step.run();
  } finally {
    release();
  }
}

/** Runs both at once. When one fails, the processes of the other are stopped, and that first error is thrown. */
async function together(/** @type {(() => Promise<void>)[]} */ lanes) {
  /** @type {unknown[]} */
  const errors = [];
  const guarded = lanes.map((lane) =>
    lane().catch((error) => {
      errors.push(error);
      stop();
    }),
  );
  await Promise.all(guarded);
  if (errors.length > 0) throw errors[0];
}

function greet(/** @type {Step[]} */ pending) {
  const sum = (/** @type {"mb" | "disk"} */ what) => pending.reduce((n, step) => n + step[what], 0);
  const where = "into node_modules and .venv, which take";
  say(`first start: downloads about ${sum("mb")} MB ${where} ${sum("disk")} MB on the disk`);
}

/** Room that is left over, in MB: npm and uv unpack into places of their own first. */
const SPARE_MB = 200;

/** @throws {SetupError} before anything is written that would not fit */
function checkSpace(/** @type {Step[]} */ pending) {
  const fault = spaceFault(
    pending.reduce((sum, step) => sum + step.disk, 0),
    freeSpace(),
  );
  if (fault) throw new SetupError(fault);
}

/**
 * @param {number} needed MB
 * @param {number} free MB
 * @returns {string | null}
 */
export function spaceFault(needed, free) {
  if (needed === 0 || free >= needed + SPARE_MB) return null;
  return (
    `The disk has too little room: what is still to be installed takes about ${needed} MB, and ${SPARE_MB} MB meanwhile;\n` +
    `${free} MB are free at ${root}. Nothing was installed. Make room and start again.`
  );
}

const freeSpace = () => {
  const { bavail, bsize } = statfsSync(root);
  return Math.floor((bavail * bsize) / 1e6);
};

/** @returns {[Step | undefined, ...Step[]]} */
function onlySteps(/** @type {("npm" | "environment")[]} */ only, /** @type {boolean} */ tests) {
  const npm = only.includes("npm") ? npmStep(tests) : undefined;
  return only.includes("environment") ? [npm, environmentStep()] : [npm];
}

/** @returns {Step} */
const npmStep = (/** @type {boolean} */ tests) => ({
  what: "npm packages",
  ...(tests
    ? { mb: 270, disk: 690 }
    : runsTypeScript(process.execPath)
      ? { mb: 110, disk: 250 }
      : { mb: 170, disk: 370 }),
  done: nodePackagesCurrent(tests) && runsTypeScript(tests ? node24 : startNode()),
  run: () => nodePackages(tests),
});

/** @returns {Step} */
const environmentStep = () => ({
  what: "Python environment",
  mb: 20,
  disk: 60,
  done: environmentCurrent(),
  run: makeEnvironment,
});

/**
 * A step that is done when it was run to its end with the same input files.
 *
 * @param {Record<string, string>} stamps
 * @param {string} name
 * @param {string} what
 * @param {[number, number]} size MB to download, and on the disk
 * @param {string[]} inputs
 * @param {(again: boolean) => Promise<void>} action `again`: the last time it was interrupted, or failed
 * @returns {Step}
 */
function stamped(stamps, name, what, [mb, disk], inputs, action) {
  const hash = hashOf(inputs.map((input) => join(worker, input)));
  const run = async () => {
    const again = stamps[name] === BEGUN;
    writeStamp(name, BEGUN);
    await action(again);
    writeStamp(name, hash);
  };
  return { what, mb, disk, done: stamps[name] === hash, run };
}

const BEGUN = "begun";

/** What a corpus on a cluster needs (docs/CORPUS.md). */
const CORPUS = "requirements-corpus.txt";

/** @returns {[Step, ...Step[]]} the first can be done at the same time as the others */
function steps(/** @type {boolean} */ tests, /** @type {boolean} */ networks) {
  const venv = environmentStep();
  const stamps = venv.done ? readStamps() : {};
  const packages = stamped(
    stamps,
    "packages",
    "the worker's Python packages",
    [220, 560],
    ["requirements.txt", "requirements-alone.txt"],
    workerPackages,
  );
  const testing = stamped(
    stamps,
    "tests",
    "the tests' Python packages",
    [60, 170],
    ["requirements-tests.txt"],
    (again) => install(again, "requirements-tests.txt"),
  );
  const schema = stamped(
    stamps,
    "schema",
    "the worker's schema",
    [0, 0],
    ["predict.py", "schema.py", "requirements.txt"],
    makeSchema,
  );
  schema.done &&= existsSync(schemaFile);
  const onPyTorch = networks ? networkSteps(stamps) : [];
  return [npmStep(tests), venv, packages, ...onPyTorch, ...(tests ? [testing] : []), schema];
}

/** @returns {Step[]} */
function networkSteps(
  /** @type {Record<string, string>} */ stamps,
  /** @type {(step: number, what: string) => void} */ onStep = () => {},
) {
  const packages = "what PyTorch needs";
  const pytorch = "PyTorch";
  return [
    stamped(stamps, "networks", packages, [30, 140], ["requirements-networks.txt"], (again) => {
      onStep(1, `${packages} (30 MB)`);
      return install(again, "requirements-networks.txt");
    }),
    stamped(stamps, "pytorch", pytorch, [190, 700], ["requirements-torch.txt"], (again) =>
      torch(again, onStep),
    ),
  ];
}

/**
 * 75 MB that nothing here loads: the native libraries of pdf.js for Node and of Miniflare's image binding (both optional
 * packages), and pdf.js for old browsers.
 */
const UNUSED = ["@napi-rs", "@img", "pdfjs-dist/legacy"];

/**
 * `npm start` needs neither the packages of the tests nor, where it runs on a new Node itself, the package `node`, whose
 * binary comes by its install script.
 */
async function nodePackages(/** @type {boolean} */ tests) {
  const kind = tests ? ["--ignore-scripts=false"] : ["--omit=dev", "--ignore-scripts"];
  await npm("ci", ...kind);
  if (!tests)
    for (const part of UNUSED)
      rmSync(join(root, "node_modules", part), { recursive: true, force: true });
  if (!tests && !runsTypeScript(process.execPath)) {
    await npm("rebuild", "node", "--ignore-scripts=false");
    // Headers for compilers: half of what the package takes.
    const parts = join(root, "node_modules/node/node_modules");
    for (const part of readdirSync(parts).filter((name) => name.startsWith("node-")))
      rmSync(join(parts, part, "include"), { recursive: true, force: true });
  }
  if (!runsTypeScript(tests ? node24 : startNode()))
    throw new SetupError("The npm package `node` did not bring Node 24: run `npm rebuild node`.");
}

async function npm(/** @type {string[]} */ ...args) {
  // On a leash: an npm that outlives this process would get into the way of the next. What it leaves is installed anew.
  const command = ["npm", ...args, "--loglevel=error", "--no-audit", "--no-fund"];
  const { ok, said } = await quietly(process.execPath, [leash, "SIGKILL", ...command], {}, "pipe");
  if (!ok)
    throw failed(
      "The npm packages could not be installed",
      said,
      `\`npm ${args[0]}\` needs the npm registry this once.`,
    );
}

/** The Node that runs the scripts of `npm start`: this one, if it is new enough. */
export const startNode = () => (runsTypeScript(process.execPath) ? process.execPath : node24);

/** What is installed is what the lock file says; npm's own record of it is as good as a stamp. */
function nodePackagesCurrent(/** @type {boolean} */ tests) {
  try {
    const read = (/** @type {string} */ path) =>
      JSON.parse(readFileSync(join(root, path), "utf8")).packages;
    const installed = read("node_modules/.package-lock.json");
    return Object.entries(read("package-lock.json")).every(
      ([path, entry]) =>
        path === "" ||
        entry.optional ||
        (!tests && (entry.dev || entry.devOptional)) ||
        installed[path]?.version === entry.version,
    );
  } catch {
    return false;
  }
}

/** Node 24.2 and newer run the scripts: TypeScript, `import.meta.main`. */
function runsTypeScript(/** @type {string} */ node) {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(output(node, ["--version"]) ?? "") ?? [];
  return Number(major) > 24 || (Number(major) === 24 && Number(minor) >= 2);
}

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

/** OpenVINO has no wheel for some systems, and one that does not load on others: ONNX Runtime takes its place there. */
async function workerPackages(/** @type {boolean} */ again) {
  await install(again, "requirements.txt", "requirements-alone.txt");
  await load("cv2", "pypdfium2");
  if (await imports("openvino")) return;
  await install(again, "requirements-networks.txt");
  await load("onnxruntime");
}

/**
 * The lock names every package, so nothing is resolved, and nothing is built from source. An installation that was
 * interrupted may have left half a package, which looks like a whole one: then all are laid down anew, from uv's cache.
 */
async function install(/** @type {boolean} */ again, /** @type {string[]} */ ...files) {
  const { ok, said } = await uv([
    "install",
    "--no-deps",
    "--no-build",
    "--require-hashes",
    ...(again ? ["--reinstall"] : []),
    // Ray starts many processes. Where Python may not write bytecode, each of them would compile Ray anew.
    ...(files.includes(CORPUS) ? ["--compile-bytecode"] : []),
    ...files.flatMap((file) => ["-r", join(worker, file)]),
  ]);
  if (!ok) throw failed("The Python packages could not be installed", said, NEEDS_INDEX);
}

/** What not every installation needs. */
export const installPackages = (/** @type {string[]} */ ...files) => install(false, ...files);

/**
 * On Linux the default index has only builds for CUDA, ten times the size of those for the CPU. Those have an
 * index of their own; where it does not answer, or has none for this Python, the default build is taken with
 * its libraries.
 */
async function torch(
  /** @type {boolean} */ again,
  /** @type {(step: number, what: string) => void} */ onStep,
) {
  onStep(2, "which build of PyTorch there is");
  const wanted = ["install", "-r", join(worker, "requirements-torch.txt")];
  const cpu = [...wanted, "--no-deps", "--default-index", TORCH_CPU];
  const probe = { UV_HTTP_RETRIES: "0", UV_HTTP_TIMEOUT: "10" };
  const hasCpu = process.platform === "linux" && (await uv([...cpu, "--dry-run"], probe)).ok;
  let size = "190 MB";
  if (!hasCpu) {
    const plan = await uv([...wanted, "--dry-run"]);
    if (plan.said.includes("+ nvidia-")) {
      size = `CUDA, ${CUDA_DOWNLOAD}`;
      say(
        `    no CPU build of PyTorch is available; the CUDA build is ${CUDA_DOWNLOAD} to download, ${CUDA_DISK} on disk`,
      );
    }
  }
  onStep(3, `PyTorch (${size})`);
  const whole = again ? ["--reinstall-package", "torch"] : [];
  const { ok, said } = await uv([...(hasCpu ? cpu : wanted), ...whole]);
  if (!ok) throw failed("PyTorch could not be installed", said, NEEDS_INDEX);
  onStep(4, "whether PyTorch loads");
  await load("torch");
}

/** A package can be installed and still not load: a system library or one of its own is missing. */
async function load(/** @type {string[]} */ ...modules) {
  const { ok, said } = await importing(modules);
  if (!ok)
    throw failed(
      `${modules.join(", ")}: installed, but it cannot be imported`,
      said,
      `Remove .venv and start again. If that does not help, try another Python (3.${OLDEST} to 3.${NEWEST}): FOVEA_PYTHON=/path/to/python npm start`,
    );
}

const imports = async (/** @type {string} */ module) => (await importing([module])).ok;

const importing = (/** @type {string[]} */ modules) =>
  quietly(python, ["-c", `import ${modules.join(", ")}`]);

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
  const isFull = /ENOSPC|No space left|os error 28/i.test(said);
  const help = isFull ? `The disk is full: ${freeSpace()} MB are free at ${root}.` : advice;
  return new SetupError(
    `${what}:\n\n${reason.map((line) => `    ${line}`).join("\n")}\n\n` +
      `${help}\nStart again then: what is done is kept, and what is half done is done anew.`.trimStart(),
    `${what}: ${isFull ? help : reason.at(-1)}.`.replace("..", "."),
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

/**
 * Two copies that start at once in one fresh clone: one sets up, the other waits for it.
 *
 * @param {string} name
 * @param {(what: string) => void} tell called once, if it has to wait
 * @returns {Promise<() => void>} releases the lock
 */
async function lock(name, tell) {
  const path = join(root, ".cog", `${name}.lock`);
  mkdirSync(dirname(path), { recursive: true });
  for (let told = false; !stopped; ) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch {
      const holder = Number(readFileSync(path, { encoding: "utf8", flag: "a+" }));
      if (!isAlive(holder)) rmSync(path, { force: true });
      else if (!told) tell(`waiting for the set-up that process ${holder} is doing`);
      told ||= isAlive(holder);
      await sleep(200);
    }
  }
  throw new SetupError("The set-up was stopped.");
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
 * @returns {Promise<boolean>} whether the command succeeded; it ends with this process
 */
export function run(
  /** @type {string} */ command,
  /** @type {string[]} */ args,
  { stdout = 2, env = {} } = {},
) {
  return withSignals(() =>
    ended(launch(command, args, ["ignore", stdout, 2], env), (error) =>
      console.error(`${command}: ${error.message}`),
    ),
  );
}

/** Runs a command and keeps what it prints. */
async function quietly(
  /** @type {string} */ command,
  /** @type {string[]} */ args,
  /** @type {Record<string, string>} */ env = {},
  /** @type {"ignore" | "pipe"} */ stdin = "ignore",
) {
  const child = launch(command, args, [stdin, "pipe", "pipe"], env);
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

/** @type {Set<import("node:child_process").ChildProcess>} */
const children = new Set();
let stopped = false;
/** Of the processes that are started. */
let niceness = 0;

/** Stops what runs now; what would come next fails. */
export function stop(/** @type {NodeJS.Signals} */ signal = "SIGTERM") {
  stopped = true;
  for (const child of children) child.kill(signal);
}

/**
 * @template T
 * @param {() => Promise<T>} work at SIGINT and SIGTERM its processes are stopped, and this one ends
 */
async function withSignals(work) {
  const pass = (/** @type {NodeJS.Signals} */ signal) => {
    stop(signal);
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  process.on("SIGINT", pass).on("SIGTERM", pass);
  try {
    return await work();
  } finally {
    process.off("SIGINT", pass).off("SIGTERM", pass);
  }
}

function launch(
  /** @type {string} */ command,
  /** @type {string[]} */ args,
  /** @type {import("node:child_process").StdioOptions} */ stdio,
  /** @type {Record<string, string>} */ env,
) {
  if (stopped) throw new SetupError("The set-up was stopped.");
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, PATH: systemPath(), ...env },
    stdio,
  });
  if (child.pid && niceness > 0) setPriority(child.pid, niceness);
  children.add(child);
  return child;
}

/** @returns {Promise<boolean>} whether the process succeeded */
function ended(
  /** @type {import("node:child_process").ChildProcess} */ child,
  /** @type {(error: Error) => void} */ onError,
) {
  return new Promise((/** @type {(ok: boolean) => void} */ resolve) => {
    child.on("error", (error) => {
      onError(error);
      resolve(false);
    });
    child.on("close", (code) => resolve(code === 0));
  }).finally(() => children.delete(child));
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
