/**
 * The set-up (scripts/setup.mjs) in a folder of its own, with npm, Python and uv as shell scripts that print
 * what the real ones would and write down what they were asked for; and a worker that cannot start.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startStack } from "../../scripts/stack.ts";

const root = join(import.meta.dirname, "../..");

const NPM = `#!/bin/sh
echo "npm warn deprecated something@1.0.0" >&2
if [ -n "$NPM_FAILS" ]; then echo "npm error network timed out" >&2; exit 1; fi
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
case "$*" in
  *--default-index*) [ -n "$CPU_INDEX" ] || { echo "error: dns error" >&2; exit 2; } ;;
  *--dry-run*) echo " + nvidia-cublas==13.1.1.3" ;;
esac
`;

interface Machine {
  setUp(env?: Record<string, string>): { status: number | null; said: string };
  /** What uv was asked for, a line a call. */
  asked(): string[];
}

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
  for (const name of ["sh", "mkdir", "cp", "ln"])
    symlinkSync(join("/bin", name), join(stubs, name));
  cpSync(join(root, "scripts/setup.mjs"), join(checkout, "scripts/setup.mjs"));
  for (const name of readLocks())
    cpSync(join(root, "src/gpu-worker", name), join(checkout, "src/gpu-worker", name));
  writeFileSync(join(checkout, "package-lock.json"), '{"packages": {"": {}}}');
  const script = `import("${join(checkout, "scripts/setup.mjs")}")
    .then(({ setUp }) => setUp({ tests: true }))
    .catch((error) => { console.error(error.message); process.exitCode = 1; })`;
  return {
    setUp(env = {}) {
      const done = spawnSync(process.execPath, ["-e", script], {
        encoding: "utf8",
        env: { PATH: stubs, STUBS: stubs, NODE: process.execPath, ...env },
      });
      assert.equal(done.stdout, "");
      return { status: done.status, said: done.stderr };
    },
    asked() {
      const path = join(stubs, "asked");
      return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
    },
  };
}

const readLocks = () => [
  "predict.py",
  "schema.py",
  "requirements.txt",
  "requirements-alone.txt",
  "requirements-torch.txt",
  "requirements-tests.txt",
];

test("the first set-up counts its steps and shows nothing of what npm, pip and uv say", (t) => {
  const { setUp } = machine(t);
  const { status, said } = setUp({ CPU_INDEX: "1" });
  assert.equal(status, 0);
  assert.match(said, /first start/);
  for (let step = 1; step <= 6; step++) assert.match(said, new RegExp(`^fovea: ${step}/6 `, "m"));
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
  assert.match(said, /1\/5 Python environment/);
  assert.equal(setUp({ FOVEA_PYTHON: "python3.13" }).said, "");
});

test("a step that fails ends with what its tool said last", (t) => {
  const { setUp } = machine(t);
  const { status, said } = setUp({ NPM_FAILS: "1" });
  assert.equal(status, 1);
  assert.match(said, /npm packages could not be installed:\n\n.*\n {4}npm error network timed out/);
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
