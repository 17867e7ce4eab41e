#!/usr/bin/env node
/**
 * `npm start`: reads the command line, sets up what the first page needs, and hands over to start.ts on a Node that runs
 * TypeScript, which the set-up brings where it is missing. Plain Node ≥ 20 without a package.
 */
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const HELP = `Usage: npm start [-- [FILE [--model NAME] [--mode MODE] [--pages 1-3,7] [--json]] [--models LIST]]

With a FILE (PDF, PNG, JPEG, WebP, TIFF): starts the edge and a worker on this machine, reads the
document through the public API, prints its Markdown, and stops. If Fovea already serves from this
folder, it reads the document there. Progress goes to stderr.
Without one: serves until Ctrl-C. What only fovea-nano and the deepseek-ocr models need (PyTorch) is
installed behind it.

  --models LIST  models on offer, instead of FOVEA_MODELS: \`--models pp-ocr\` never installs PyTorch
  --model NAME   which reader (default: the first of the models)
  --mode MODE    auto, tiny, small, base, large, gundam
  --pages LIST   which pages, such as 1-3,7,10-
  --json         one JSON document with the canonical result of every page instead of Markdown
  --help

Environment:
  FOVEA_PORT               port of the edge (8787; another free port if it is taken)
  FOVEA_WORKER_PORT        port of the worker (5000; another free port if it is taken)
  FOVEA_PUBLIC_ORIGIN      public address, behind a proxy: production mode (none: development)
  FOVEA_DATA               folder of records, files, secrets and logs (.data)
  FOVEA_MODELS             models on offer, separated by commas (pp-ocr,fovea-nano,fovea-render)
  FOVEA_SLOTS              shards that the worker reads at once (4)
  FOVEA_BOOTSTRAP_SECRET   bearer token that creates admin keys (random; kept in the data folder)
  FOVEA_PYTHON             the Python to make .venv with, 3.11 to 3.14 (python3)
  FOVEA_TORCH_INDEX        index of PyTorch's CPU builds (PyTorch's own)

Exit status: 0 read, 1 failed, 2 a mistake in the command line.
`;

if (Number(process.versions.node.split(".")[0]) < 20) {
  console.error(`Fovea needs Node 20 or newer; this is ${process.version}.`);
  process.exit(2);
}
const request = commandLine();
if (request.models) process.env.FOVEA_MODELS = request.models;
try {
  const { setUp, startNode, ON_PYTORCH } = await import("./setup.mjs");
  await setUp({ networks: needsNetworks(ON_PYTORCH) });
  handOver(startNode());
} catch (error) {
  if (error.constructor.name !== "SetupError") throw error;
  console.error(`\n${error.message}`);
  process.exit(1);
}

/** Whether PyTorch is needed before anything can be read: for the model of the first page, or by the worker itself. */
function needsNetworks(/** @type {string[]} */ onPyTorch) {
  const { FOVEA_MODELS, FOVEA_DEVICE, FOVEA_METRICS_PORT } = process.env;
  if (FOVEA_DEVICE === "cuda" || FOVEA_METRICS_PORT) return true;
  const [first = ""] = (FOVEA_MODELS || "pp-ocr").split(",");
  return onPyTorch.includes((request.file && request.model) || first.trim());
}

function commandLine() {
  const options = /** @type {const} */ ({
    models: { type: "string" },
    model: { type: "string" },
    mode: { type: "string" },
    pages: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h" },
  });
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const { help, models, ...rest } = values;
    if (help) {
      process.stdout.write(HELP);
      process.exit(0);
    }
    if (positionals.length > 1) throw new Error("One file at a time, please.");
    const [file] = positionals;
    if (file === undefined && Object.values(rest).some((value) => value))
      throw new Error("The options need a FILE to read.");
    if (file !== undefined && !statSync(file, { throwIfNoEntry: false })?.isFile())
      throw new Error(`There is no file ${file}.`);
    if (models?.split(",").some((name) => !/^[\w-]+$/.test(name.trim())))
      throw new Error("--models needs names, separated by commas.");
    return { file, models, ...rest };
  } catch (error) {
    console.error(`${error.message}\nnpm start -- --help shows what can be said.`);
    process.exit(2);
  }
}

/** The child learns of our end, however it comes, by the channel between us. */
function handOver(/** @type {string} */ node) {
  const script = join(dirname(fileURLToPath(import.meta.url)), "start.ts");
  const child = spawn(node, [script, JSON.stringify(request)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  // Ctrl-C reaches the child by itself; a signal to this process alone is passed on.
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
    process.on(signal, () => child.kill(signal));
  child.on("exit", (code) => process.exit(code ?? 1));
  // An npm that is killed with -9 tells nobody.
  const parent = process.ppid;
  const orphaned = () => process.ppid !== parent && child.kill("SIGTERM");
  if (process.env.npm_lifecycle_event) setInterval(orphaned, 1000);
}
