/**
 * Does Fovea lose, double, leak or forget anything when things break? Injects seeded faults into the real edge and the
 * real worker and then compares the service's books with what its customers remember (chaos/reconcile.ts).
 *
 *   npm run bench -- faults [--faults 1000] [--seed 1] [--only KIND] [--log FILE]
 *
 * Most faults come in one process: failing storage, bad callbacks, dying workers and racing requests, with a stand-in
 * for the worker (chaos/in-process.ts). The others kill and stop the processes of a whole stack, with the real worker
 * (chaos/on-stack.ts). Exits with status 1 if a rule is violated.
 */
import { appendFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { IN_PROCESS_KINDS, type Round, runInProcess } from "./chaos/in-process.ts";
import { ON_STACK_KINDS, runOnStack } from "./chaos/on-stack.ts";

const { values } = parseArgs({
  options: {
    faults: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    log: { type: "string" },
  },
});
const FAULTS = Number(values.faults);
const SEED = Number(values.seed);
/** Faults of one kind between two comparisons of the books. */
const MOST_AT_ONCE = 30;
/** Share of the faults that meet a whole stack. They cost a hundred times as much. */
const ON_STACK = 0.1;

/** Divides the faults among the kinds by weight, and each kind's into rounds. */
function roundsOf(kinds: Record<string, number>, faults: number) {
  const wanted = Object.entries(kinds).filter(([kind]) => kind.includes(values.only));
  if (wanted.length === 0) return [];
  const sum = wanted.reduce((total, [, weight]) => total + weight, 0);
  return wanted.flatMap(([kind, weight]) => {
    const share = Math.max(1, Math.round((faults * weight) / sum));
    const rounds = Math.ceil(share / MOST_AT_ONCE);
    return Array.from({ length: rounds }, (_, i) => ({
      kind,
      faults: Math.floor(share / rounds) + (i < share % rounds ? 1 : 0),
    }));
  });
}

const rounds: Round[] = [];
const { log: logFile } = values;
if (logFile) writeFileSync(logFile, "");
const log = (text: string) => logFile && appendFileSync(logFile, text);

function report(round: Round): void {
  rounds.push(round);
  const { kind, faults, violations, totals, stories, requests, minutes, ms } = round;
  console.error(
    `${kind}: ${faults} faults, ${violations.length} violations; ${stories} stories, ${requests} requests, ` +
      `${totals.jobs} jobs, ${totals.pages} pages (${totals.lostPages} lost), ${totals.deliveries} webhooks; ` +
      `clock moved ${minutes.toFixed(1)} min; ${(ms / 1000).toFixed(1)} s`,
  );
  const shown = new Map<string, number>();
  for (const { rule, detail } of violations) {
    const times = (shown.get(rule) ?? 0) + 1;
    shown.set(rule, times);
    if (times <= 3) console.error(`  ${rule}: ${detail}`);
  }
}

const began = Date.now();
const onStack = Math.max(1, Math.round(FAULTS * ON_STACK));
await runInProcess(roundsOf(IN_PROCESS_KINDS, FAULTS - onStack), SEED, report, log);
await runOnStack(roundsOf(ON_STACK_KINDS, onStack), SEED, report);

const byKind = Map.groupBy(rounds, ({ kind }) => kind);
console.log(
  "\n| kind of fault | faults | jobs | pages | violations | which |\n|---|---|---|---|---|---|",
);
const sum = (list: Round[], of: (round: Round) => number) =>
  list.reduce((total, round) => total + of(round), 0);
const row = (name: string, list: Round[], which: string) =>
  console.log(
    `| ${name} | ${sum(list, (r) => r.faults)} | ${sum(list, (r) => r.totals.jobs)} | ${sum(list, (r) => r.totals.pages)} | ${sum(list, (r) => r.violations.length)} | ${which} |`,
  );
for (const [kind, list] of byKind) {
  const rules = Map.groupBy(
    list.flatMap(({ violations }) => violations),
    ({ rule }) => rule,
  );
  row(kind, list, [...rules].map(([rule, all]) => `${all.length} × ${rule}`).join("; "));
}
row("**all**", rounds, "");
const violations = sum(rounds, (round) => round.violations.length);
console.log(
  `\nseed ${SEED}; ${sum(rounds, (r) => r.totals.lostPages)} pages were lost by every worker that tried them and failed ` +
    `with a reason; ${sum(rounds, (r) => r.requests)} requests; ${((Date.now() - began) / 60_000).toFixed(1)} min`,
);
process.exitCode = violations > 0 ? 1 : 0;
