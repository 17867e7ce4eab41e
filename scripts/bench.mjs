/**
 * `npm run bench`: runs the benchmarks of docs/BENCHMARKS.md and prints their results as Markdown. Tables and
 * plots go to `bench/out`. `npm run bench -- edge engine` runs only these parts. All parts take about half an hour
 * on two cores that are otherwise idle. Runs on Node ≥ 20 without packages.
 */
import { join } from "node:path";
import { node24, root, run, SetupError, setUp, venvBin } from "./setup.mjs";

const python = join(venvBin, "python");
const out = join(root, "bench/out");

const PARTS = {
  edge: [node24, "bench/requery.ts"],
  engine: [python, "bench/engine.py", "--out", out],
  encoder: [python, "bench/encoder.py", "--out", out],
  roofline: [python, "bench/roofline.py", "validate"],
  plan: [python, "bench/forecast.py"],
  reading: [python, "bench/reading.py", "--out", out, "--node", node24],
  hostile: [python, "bench/hostile.py"],
};
/** Runs only if it is named: it needs Chromium, fonts and packages of its own (docs/BENCHMARKS.md). */
const BY_NAME = ["reading"];

const named = process.argv.slice(2);
const unknown = named.find((name) => !(name in PARTS));
try {
  if (unknown)
    throw new SetupError(
      `There is no benchmark ${unknown}. Use one of: ${Object.keys(PARTS).join(", ")}.`,
    );
  await setUp({ tests: true });
  let ok = true;
  for (const [name, [command, ...args]] of Object.entries(PARTS))
    if (named.length === 0 ? !BY_NAME.includes(name) : named.includes(name)) {
      console.log(`\n# ${name}\n`);
      ok = (await run(/** @type {string} */ (command), args, { stdout: 1 })) && ok;
    }
  process.exitCode = ok ? 0 : 1;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
