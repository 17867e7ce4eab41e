/**
 * The set-up (scripts/setup.mjs) in a folder of its own, with npm, Python and uv as shell scripts that print
 * what the real ones would and write down what they were asked for; and a worker that cannot start.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ON_PYTORCH, spaceFault } from "../../scripts/setup.mjs";
import { startStack } from "../../scripts/stack.ts";

const root = join(import.meta.dirname, "../..");

const NPM = `#!/bin/sh
echo "npm warn deprecated something@1.0.0" >&2
echo "npm $*" >> "$STUBS/asked-npm"
if [ -n "$NPM_FAILS" ]; then echo "npm error $NPM_FAILS" >&2; exit 1; fi
if [ -n "$NPM_WAITS" ]; then echo $$ > "$STUBS/npm.pid"; exec sleep 60; fi
mkdir -p node_modules/.bin
ln -sf "$NODE" node_modules/.bin/node
cp package-lock.json node_modules/.package-lock.json
`;

const pythonOf = (version: string) => `#!/bin/sh
case "$*" in
  *sys.version_info*) echo ${version} ;;
  "-m venv"*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
  "-m pip install"*) echo "WARNING: Location 'file:///wheels' is ignored" >&2; cp "$STUBS/uv" .venv/bin/uv ;;
  "-m pip config"*) echo "global.index-url='https://mirror.example/simple'"; echo ":env:.find-links='/a /b'" ;;
  "-c import openvino") [ -z "$NO_OPENVINO" ] || exit 1 ;;
  "-c import torch")
    if [ -n "$TORCH_FAILS" ]; then
      echo "ImportError: libcublas.so.13: cannot open shared object file" >&2
      exit 1
    fi ;;
  *schema.py) mkdir -p .cog && echo "{}" > .cog/openapi_schema.json ;;
esac
`;

const UV = `#!/bin/sh
echo "$UV_DEFAULT_INDEX $UV_FIND_LINKS $*" >> "$STUBS/asked"
case "$*" in *"$UV_FAILS"*) [ -z "$UV_FAILS" ] || { echo "error: $UV_SAYS" >&2; exit 2; } ;; esac
case "$*" in
  *--default-index*) [ -n "$CPU_INDEX" ] || { echo "error: dns error" >&2; exit 2; } ;;
  *--dry-run*) echo " + nvidia-cublas==13.1.1.3" ;;
esac
`;

interface Machine {
  setUp(env?: Record<string, string>, call?: string): { status: number | null; said: string };
  /** Starts a set-up and does not wait for its end. */
  start(env: Record<string, string>): ChildProcess;
  /** What uv was asked for, a line a call. */
  asked(): string[];
  askedNpm(): string[];
  /** Folder of the stand-ins. */
  stubs: string;
  checkout: string;
}

/** The whole set-up, and the two parts of that of `npm start`. */
const ALL = "setUp({ tests: true })";
const FIRST = "setUp()";
const BEHIND = "setUpNetworks((step, what) => console.error(step, what))";

/** @param pythons the versions of Python on the machine, by the name of their program */
function machine(t: TestContext, pythons: Record<string, string> = { python3: "3.12.4" }): Machine {
  const folder = mkdtempSync(join(tmpdir(), "fovea-setup-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const stubs = join(folder, "stubs");
  const checkout = join(folder, "checkout");
  mkdirSync(stubs);
  mkdirSync(join(checkout, "src"), { recursive: true });
  const program = (name: string, script: string) =>
    writeFileSync(join(stubs, name), script, { mode: 0o755 });
  program("npm", NPM);
  program("uv", UV);
  for (const [name, version] of Object.entries(pythons)) program(name, pythonOf(version));
  for (const name of ["sh", "mkdir", "cp", "ln", "sleep"])
    symlinkSync(join("/bin", name), join(stubs, name));
  for (const name of ["setup.mjs", "leash.mjs"])
    cpSync(join(root, "scripts", name), join(checkout, "scripts", name));
  for (const name of readLocks())
    cpSync(join(root, "src/gpu-worker", name), join(checkout, "src/gpu-worker", name));
  writeFileSync(join(checkout, "package-lock.json"), '{"packages": {"": {}}}');
  const script = (call: string) => `import("${join(checkout, "scripts/setup.mjs")}")
    .then(({ setUp, setUpNetworks }) => ${call})
    .catch((error) => { console.error(error.message); process.exitCode = 1; })`;
  const environment = { PATH: stubs, STUBS: stubs, NODE: process.execPath };
  const lines = (name: string) => {
    const path = join(stubs, name);
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  };
  return {
    stubs,
    checkout,
    start: (env) =>
      spawn(process.execPath, ["-e", script(ALL)], {
        stdio: ["ignore", "ignore", "pipe"],
        env: { ...environment, ...env },
      }),
    setUp(env = {}, call = ALL) {
      const done = spawnSync(process.execPath, ["-e", script(call)], {
        encoding: "utf8",
        env: { ...environment, ...env },
      });
      assert.equal(done.stdout, "");
      return { status: done.status, said: done.stderr };
    },
    asked: () => lines("asked"),
    askedNpm: () => lines("asked-npm"),
  };
}

const readLocks = () => [
  "predict.py",
  "schema.py",
  "requirements.txt",
  "requirements-alone.txt",
  "requirements-networks.txt",
  "requirements-torch.txt",
  "requirements-tests.txt",
];

test("the first set-up counts its steps and shows nothing of what npm, pip and uv say", (t) => {
  const { setUp } = machine(t);
  const { status, said } = setUp({ CPU_INDEX: "1" });
  assert.equal(status, 0);
  assert.match(said, /first start/);
  for (let step = 1; step <= 7; step++) assert.match(said, new RegExp(`^fovea: ${step}/7 `, "m"));
  assert.doesNotMatch(said, /warn|error/i);
});

test("what is set up is not set up again, and says nothing", (t) => {
  const { setUp, asked } = machine(t);
  setUp({ CPU_INDEX: "1" });
  const before = asked().length;
  assert.deepEqual(setUp(), { status: 0, said: "" });
  assert.equal(asked().length, before);
});

test("what is locked is installed without its requirements, and in the container too", (t) => {
  const { setUp, asked } = machine(t);
  setUp({ CPU_INDEX: "1" });
  const call = asked().find((line) => line.includes("requirements-alone.txt")) as string;
  assert.match(call, /--no-deps --no-build --require-hashes /);
  const lock = readFileSync(join(root, "src/gpu-worker/requirements-alone.txt"), "utf8");
  const pins = [...lock.matchAll(/^[\w-]+==[\d.]+/gm)].join(" ");
  assert.ok(readFileSync(join(root, "cog.yaml"), "utf8").includes(`--no-deps ${pins} `));
});

test("PyTorch comes from the index of CPU builds where that answers", (t) => {
  const { setUp, asked } = machine(t);
  setUp({ CPU_INDEX: "1", FOVEA_TORCH_INDEX: "https://cpu.example" });
  const calls = asked().filter((call) => call.includes("requirements-torch.txt"));
  for (const call of calls) assert.match(call, /--no-deps --default-index https:\/\/cpu\.example/);
  assert.equal(calls.filter((call) => !call.includes("--dry-run")).length, 1);
});

test("without that index PyTorch comes with its libraries, and their size is said before", (t) => {
  const { setUp, asked } = machine(t);
  const { status, said } = setUp();
  assert.equal(status, 0);
  assert.match(said, /CUDA.* GB/);
  const last = asked().findLast((call) => call.includes("requirements-torch.txt")) as string;
  assert.doesNotMatch(last, /--no-deps|--dry-run|--default-index/);
});

test("uv uses the index and the folders of wheels in pip's settings", (t) => {
  const { setUp, asked } = machine(t);
  setUp();
  for (const call of asked()) assert.match(call, /^https:\/\/mirror\.example\/simple \/a,\/b pip/);
});

test("a PyTorch that cannot be imported ends the set-up with the reason, every time", (t) => {
  const { setUp } = machine(t);
  for (let time = 1; time <= 2; time++) {
    const { status, said } = setUp({ TORCH_FAILS: "1" });
    assert.equal(status, 1);
    assert.match(said, /torch: installed, but it cannot be imported/);
    assert.match(said, /ImportError: libcublas\.so\.13/);
    assert.match(said, /FOVEA_PYTHON/);
  }
  assert.equal(setUp().status, 0);
});

test("a Python that is too old or too new is named, with those that will do", (t) => {
  for (const version of ["3.10.13", "3.15.0"]) {
    const { status, said } = machine(t, { python3: version }).setUp();
    assert.equal(status, 1);
    assert.match(said, /needs Python 3\.11 to 3\.14/);
    assert.ok(said.includes(`python3 is ${version}`), said);
  }
});

test("of several the first that will do is taken", (t) => {
  const { setUp } = machine(t, { python3: "3.10.13", "python3.13": "3.13.0" });
  const { status, said } = setUp();
  assert.equal(status, 0, said);
});

test("another version in FOVEA_PYTHON makes the environment anew", (t) => {
  const { setUp } = machine(t, { python3: "3.12.4", "python3.13": "3.13.0" });
  setUp();
  assert.equal(setUp({ FOVEA_PYTHON: "python3" }).said, "");
  const { said } = setUp({ FOVEA_PYTHON: "python3.13" });
  assert.match(said, /1\/6 Python environment/);
  assert.equal(setUp({ FOVEA_PYTHON: "python3.13" }).said, "");
});

test("a step that fails ends with what its tool said last", (t) => {
  const { setUp } = machine(t);
  const { status, said } = setUp({ NPM_FAILS: "network timed out" });
  assert.equal(status, 1);
  assert.match(said, /npm packages could not be installed:\n\n.*\n {4}npm error network timed out/);
});

test("`npm start` installs first what pp-ocr needs: no PyTorch, no packages of the tests", (t) => {
  const { setUp, asked, askedNpm, checkout } = machine(t);
  const unused = join(checkout, "node_modules/@napi-rs");
  mkdirSync(unused, { recursive: true });
  const { status, said } = setUp({ CPU_INDEX: "1" }, FIRST);
  assert.ok(!existsSync(unused), "what nothing loads takes no room");
  assert.equal(status, 0, said);
  assert.match(said, /4\/4 /);
  assert.doesNotMatch(asked().join("\n"), /requirements-(torch|networks|tests|corpus)/);
  assert.deepEqual(
    askedNpm().map((call) => call.split(" --loglevel")[0]),
    ["npm ci --omit=dev --ignore-scripts"],
  );
  assert.deepEqual(setUp({}, FIRST), { status: 0, said: "" });
});

test("a backup or a deployment installs nothing beside what `npm start` may be serving from", (t) => {
  const { setUp, askedNpm, checkout } = machine(t);
  const lock = (path: string, packages: object) =>
    writeFileSync(join(checkout, path), JSON.stringify({ packages }));
  lock("package-lock.json", { "": {}, "node_modules/vitest": { version: "5.1.1", dev: true } });
  setUp({ CPU_INDEX: "1" }, FIRST);
  lock("node_modules/.package-lock.json", { "": {} });
  assert.deepEqual(setUp({}, 'setUp({ only: ["npm"] })'), { status: 0, said: "" });
  assert.equal(askedNpm().length, 1);
});

test("PyTorch comes behind it, step by step, and then nothing is left for the tests but theirs", (t) => {
  const { setUp, asked } = machine(t);
  setUp({ CPU_INDEX: "1" }, FIRST);
  const { status, said } = setUp({ CPU_INDEX: "1" }, BEHIND);
  assert.equal(status, 0, said);
  assert.match(said, /^1 .*\n2 .*\n3 PyTorch \(190 MB\)\n4 .*\n$/);
  assert.equal(setUp({}, BEHIND).said, "");
  const before = asked().length;
  assert.match(setUp({ CPU_INDEX: "1" }).said, /\/\d the tests' Python packages/);
  assert.equal(asked().length, before + 1);
});

test("what failed behind it is done anew, whole, and what was done before is not", (t) => {
  const { setUp, asked } = machine(t);
  setUp({ CPU_INDEX: "1" }, FIRST);
  const { status, said } = setUp({ CPU_INDEX: "1", TORCH_FAILS: "1" }, BEHIND);
  assert.equal(status, 1);
  assert.match(said, /Start again then/);
  const before = asked().length;
  assert.equal(setUp({ CPU_INDEX: "1" }, BEHIND).status, 0);
  const calls = asked().slice(before);
  assert.doesNotMatch(calls.join("\n"), /requirements-networks/);
  assert.match(calls.at(-1) ?? "", /--reinstall-package torch/);
});

test("where OpenVINO does not load, ONNX Runtime is installed with the first part", (t) => {
  const { setUp, asked } = machine(t);
  assert.equal(setUp({ NO_OPENVINO: "1" }, FIRST).status, 0);
  assert.match(asked().join("\n"), /requirements-networks\.txt/);
});

test("packages whose installation was interrupted are laid down anew", (t) => {
  const { setUp, asked } = machine(t);
  const failing = { UV_FAILS: "requirements.txt", UV_SAYS: "connection reset by peer" };
  const { status, said } = setUp(failing, FIRST);
  assert.equal(status, 1);
  assert.match(said, /connection reset by peer\n\nThis needs the Python package index/);
  assert.equal(setUp({}, FIRST).status, 0);
  assert.match(asked().at(-1) ?? "", /--reinstall .*requirements\.txt/);
});

test("a full disk is called that, while something is written and before", (t) => {
  const { setUp } = machine(t);
  const { said } = setUp({ NPM_FAILS: "ENOSPC: no space left on device, write" }, FIRST);
  assert.match(said, /The disk is full: \d+ MB are free at/);
  assert.match(spaceFault(900, 700) as string, /takes about 900 MB.*\n700 MB are free/);
  assert.equal(spaceFault(900, 5000), null);
  assert.equal(spaceFault(0, 0), null);
});

test("a set-up that is ended takes npm with it; another waits for one that runs, and says for which", async (t) => {
  const { start, stubs, checkout } = machine(t);
  const first = start({ NPM_WAITS: "1" });
  const path = join(stubs, "npm.pid");
  while (!existsSync(path) || readFileSync(path, "utf8") === "") await nextChange(stubs);
  const npm = Number(readFileSync(path, "utf8"));
  const second = start({});
  let said = "";
  second.stderr?.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  while (!said.includes("waiting for")) await once(second.stderr as NodeJS.EventEmitter, "data");
  assert.match(said, new RegExp(`waiting for the set-up that process ${first.pid} is doing`));
  first.kill("SIGTERM");
  assert.deepEqual(await once(first, "exit"), [143, null]);
  const [status] = await once(second, "exit");
  assert.equal(status, 0, said);
  assert.throws(() => process.kill(npm, 0), { code: "ESRCH" });
  assert.ok(!existsSync(join(checkout, ".cog/setup.lock")));
});

/** Something in the folder has changed, or may have. */
function nextChange(folder: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(folder, () => end());
    const timer = setTimeout(() => end(), 200);
    const end = () => {
      clearTimeout(timer);
      watcher.close();
      resolve();
    };
  });
}

test("the models that wait for PyTorch are those of the worker that load it", () => {
  const readers = join(root, "src/gpu-worker/fovea/readers");
  const source = readFileSync(join(readers, "__init__.py"), "utf8");
  const modules = [...source.matchAll(/"([\w-]+)": "fovea\.readers\.(\w+):/g)];
  assert.ok(modules.length > 5);
  const loads = (module: string, seen = new Set<string>()): boolean => {
    if (seen.has(module)) return false;
    seen.add(module);
    const text = readFileSync(join(readers, `${module}.py`), "utf8");
    if (/^(import|from) torch\b/m.test(text)) return true;
    return [...text.matchAll(/^from fovea\.readers\.(\w+) import/gm)].some(
      ([, other]) => existsSync(join(readers, `${other}.py`)) && loads(other as string, seen),
    );
  };
  const found = modules.filter(([, , module]) => loads(module as string)).map(([, name]) => name);
  assert.deepEqual(found, ON_PYTORCH);
});

test("a worker that cannot start is tried three times, then the reason is given", async (t) => {
  const data = mkdtempSync(join(tmpdir(), "fovea-start-"));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const worker = { FOVEA_MODELS: "no-such-reader" };
  await assert.rejects(startStack({ data, env: { worker } }), (error: Error) => {
    assert.match(error.message, /unknown model 'no-such-reader'/);
    return true;
  });
  const log = readFileSync(join(data, "logs/worker.log"), "utf8");
  assert.equal(log.match(/restarting in/g)?.length, 2);
});
