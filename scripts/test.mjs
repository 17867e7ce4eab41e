/**
 * `npm test`: sets up what is missing, runs every suite, all four at a time on two cores, and ends with one line over all
 * of them. `npm test -- edge worker e2e` runs only the suites that are named. Plain Node ≥ 20.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { node24, root, SetupError, say, setUp, venvBin } from "./setup.mjs";

const reports = mkdtempSync(join(tmpdir(), "fovea-tests-"));
const report = (/** @type {string} */ suite) => join(reports, `${suite}.xml`);

/** Tests of Node's own runner: all files in one process, so that they share one stack. */
const nodeTests = (/** @type {string} */ suite) => [
  node24,
  "--test",
  "--test-isolation=none",
  "--test-reporter=spec",
  "--test-reporter-destination=stderr",
  "--test-reporter=junit",
  `--test-reporter-destination=${report(suite)}`,
  `test/${suite}/**/*.test.ts`,
];

/** Each writes a JUnit report; the counts are read from that, not from what a terminal shows. The longest come first. */
const SUITES = {
  worker: [
    join(venvBin, "python"),
    "-m",
    "pytest",
    "-c",
    "src/gpu-worker/pyproject.toml",
    "--rootdir",
    ".",
    "test/worker",
    "test/client-python",
    `--junitxml=${report("worker")}`,
  ],
  edge: [
    node24,
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    "--reporter=default",
    "--reporter=junit",
    `--outputFile.junit=${report("edge")}`,
  ],
  e2e: nodeTests("e2e"),
  // Before a real Chromium; without one its tests are skipped, and say so.
  browser: nodeTests("browser"),
};

/** Suites at a time: each keeps less than a core busy, because it often waits for a timer or a process to start. */
const AT_ONCE = Math.min(4, availableParallelism() + 2);

/** Niceness of the suites that can wait. */
const BEHIND = 5;

/** Runs a suite and shows its lines behind its name. Resolves with whether it passed. */
function runSuite(/** @type {string} */ suite, /** @type {string[]} */ [command, ...args]) {
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  // The longest suites run one test after the other, and would otherwise be the last to end.
  if (["edge", "browser"].includes(suite) && child.pid !== undefined)
    setPriority(child.pid, BEHIND);
  for (const stream of [child.stdout, child.stderr])
    createInterface(stream).on("line", (line) => console.error(`${suite.padEnd(7)} ${line}`));
  const stop = (/** @type {NodeJS.Signals} */ signal) => child.kill(signal);
  running.add(stop);
  return new Promise((/** @type {(ok: boolean) => void} */ resolve) => {
    child.on("error", (error) => {
      console.error(`${command}: ${error.message}`);
      resolve(false);
    });
    child.on("close", (code) => resolve(code === 0));
  }).finally(() => running.delete(stop));
}

/** @type {Set<(signal: NodeJS.Signals) => void>} */
const running = new Set();
for (const [signal, status] of /** @type {const} */ ([
  ["SIGINT", 130],
  ["SIGTERM", 143],
]))
  process.on(signal, () => {
    for (const stop of running) stop(signal);
    process.exit(status);
  });

/** @typedef {{passed: number, failed: number, skipped: number}} Count */

const TESTCASE = /<testcase(?:\s+[\w:]+="[^"]*")*\s*(?:\/>|>[\s\S]*?<\/testcase>)/g;

/** @returns {Count} */
function count(/** @type {string} */ suite, /** @type {boolean} */ ok) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  try {
    const xml = readFileSync(report(suite), "utf8");
    for (const [test] of xml.matchAll(TESTCASE)) {
      if (/<(failure|error)\b/.test(test)) total.failed++;
      else if (/<skipped\b/.test(test)) total.skipped++;
      else total.passed++;
    }
  } catch {
    // No report: the suite did not come that far.
  }
  // A suite that fails without a failed test (a broken import, a crash) counts as one.
  if (!ok && total.failed === 0) total.failed = 1;
  return total;
}

const line = (/** @type {Count} */ { passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;

async function main() {
  const named = process.argv.slice(2);
  const unknown = named.find((name) => !(name in SUITES));
  if (unknown) throw new SetupError(`There is no suite ${unknown}: ${Object.keys(SUITES)}`);
  await setUp({ tests: true });

  const queue = Object.entries(SUITES).filter(
    ([suite]) => named.length === 0 || named.includes(suite),
  );
  const sum = { passed: 0, failed: 0, skipped: 0 };
  /** @type {string[]} */
  const lines = [];
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [suite, command] = next;
      say(`suite ${suite}`);
      const began = Date.now();
      const counted = count(suite, await runSuite(suite, command));
      lines.push(`${suite}: ${line(counted)} (${Math.round((Date.now() - began) / 1000)} s)`);
      for (const key of /** @type {const} */ (["passed", "failed", "skipped"]))
        sum[key] += counted[key];
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  console.log(`\n${lines.join("\n")}\n${line(sum)}`);
  return sum.failed > 0 || sum.passed === 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}`);
  console.log("0 passed, 1 failed");
  process.exitCode = 1;
} finally {
  rmSync(reports, { recursive: true, force: true });
}
