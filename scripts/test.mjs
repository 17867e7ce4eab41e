/**
 * `npm test`: sets up what is missing, runs every suite, and ends with one line over all of them.
 * `npm test -- edge worker e2e` runs only the suites that are named. Plain Node ≥ 20.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { node24, root, run, SetupError, say, setUp, venvBin } from "./setup.mjs";

const reports = mkdtempSync(join(tmpdir(), "fovea-tests-"));
const report = (/** @type {string} */ suite) => join(reports, `${suite}.xml`);

/** Tests of Node's own runner: all files in one process, so that they share one stack. */
const nodeTests = (/** @type {string} */ suite) =>
  run(node24, [
    "--test",
    "--test-isolation=none",
    "--test-reporter=spec",
    "--test-reporter-destination=stderr",
    "--test-reporter=junit",
    `--test-reporter-destination=${report(suite)}`,
    `test/${suite}/**/*.test.ts`,
  ]);

/** Each writes a JUnit report; the counts are read from that, not from what a terminal shows. */
const SUITES = {
  edge: () =>
    run(node24, [
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--reporter=default",
      "--reporter=junit",
      `--outputFile.junit=${report("edge")}`,
    ]),
  worker: () =>
    run(join(venvBin, "python"), [
      "-m",
      "pytest",
      "-c",
      "src/gpu-worker/pyproject.toml",
      "--rootdir",
      ".",
      "test/worker",
      `--junitxml=${report("worker")}`,
    ]),
  e2e: () => nodeTests("e2e"),
  // Before a real Chromium; without one its tests are skipped, and say so.
  browser: () => nodeTests("browser"),
};

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

  const sum = { passed: 0, failed: 0, skipped: 0 };
  const lines = [];
  for (const [suite, runSuite] of Object.entries(SUITES)) {
    if (named.length > 0 && !named.includes(suite)) continue;
    say(`suite ${suite}`);
    const counted = count(suite, await runSuite());
    lines.push(`${suite}: ${line(counted)}`);
    for (const key of /** @type {const} */ (["passed", "failed", "skipped"]))
      sum[key] += counted[key];
  }
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
