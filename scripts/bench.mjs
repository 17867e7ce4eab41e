/**
 * `npm run bench`: runs the benchmarks of docs/BENCHMARKS.md and prints their results as Markdown. Tables and
 * plots go to `bench/out`. `npm run bench -- edge engine` runs only these parts. All parts take about half an hour
 * on two cores that are otherwise idle. `faults`, `soak`, `growth`, `memory`, `memory-scale` and `reading` run only if
 * they are named; options go to the named parts (`npm run bench -- faults --faults 1000 --seed 1`). Runs on Node ≥ 20 without packages.
 */
import { join } from "node:path";
import { node24, root, run, SetupError, setUp, venvBin } from "./setup.mjs";

const python = join(venvBin, "python");
const out = join(root, "bench/out");

const PARTS = {
  edge: [node24, "bench/requery.ts", "--out", out],
  engine: [python, "bench/engine.py", "--out", out],
  encoder: [python, "bench/encoder.py", "--out", out],
  roofline: [python, "bench/roofline.py", "validate"],
  plan: [python, "bench/forecast.py"],
  hostile: [python, "bench/hostile.py"],
};
/** They take long, and break things or need packages of their own (docs/BENCHMARKS.md). */
const ON_DEMAND = {
  reading: [python, "bench/reading.py", "--out", out, "--node", node24],
  faults: [node24, "bench/faults.ts"],
  soak: [node24, "bench/soak.ts"],
  growth: [node24, "bench/growth.ts"],
  memory: [node24, "bench/memory.ts"],
  "memory-scale": [node24, "bench/memory-scale.ts"],
};

const given = process.argv.slice(2);
const first = given.findIndex((argument) => argument.startsWith("--"));
const named = first < 0 ? given : given.slice(0, first);
const options = first < 0 ? [] : given.slice(first);
const all = { ...PARTS, ...ON_DEMAND };
const chosen = named.length > 0 ? named : Object.keys(PARTS);
const unknown = named.find((name) => !(name in all));
try {
  if (unknown)
    throw new SetupError(
      `There is no benchmark ${unknown}. Use one of: ${Object.keys(all).join(", ")}.`,
    );
  await setUp({ tests: true });
  let ok = true;
  for (const [name, [program, ...args]] of Object.entries(all))
    if (chosen.includes(name)) {
      console.log(`\n# ${name}\n`);
      const command = [...args, ...options];
      ok = (await run(/** @type {string} */ (program), command, { stdout: 1 })) && ok;
    }
  process.exitCode = ok ? 0 : 1;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
