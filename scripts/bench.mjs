/**
 * `npm run bench`: what docs/BENCHMARKS.md shows, on this machine, as Markdown on stdout; tables and plots for
 * the documents go to `bench/out`. `npm run bench -- edge engine encoder roofline plan` runs some of it. Leave the machine
 * alone meanwhile: everything takes about half an hour on two cores. Plain Node ≥ 20.
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
};

const named = process.argv.slice(2);
const unknown = named.find((name) => !(name in PARTS));
try {
  if (unknown) throw new SetupError(`There is no ${unknown}: ${Object.keys(PARTS).join(", ")}.`);
  await setUp({ tests: true });
  let ok = true;
  for (const [name, [command, ...args]] of Object.entries(PARTS))
    if (named.length === 0 || named.includes(name)) {
      console.log(`\n# ${name}\n`);
      ok = (await run(/** @type {string} */ (command), args, { stdout: 1 })) && ok;
    }
  process.exitCode = ok ? 0 : 1;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
