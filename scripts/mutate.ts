/**
 * `npm run mutate [-- path… --sample 300 --seed 1]`: breaks the rules in small ways, one at a time, and says which
 * breaks no test notices. Without a path it is `src/edge/domain`. Not a part of CI: a survivor may change nothing that
 * anyone can see, so a person judges.
 *
 * A broken file exists only in memory. Of the tests those run that import it, directly or not, and need nothing of
 * workerd's. A mutant is killed when a test fails, or when the tests do not end.
 */
import { type ChildProcess, fork } from "node:child_process";
import { globSync, readFileSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import ts from "typescript";
import { createVitest } from "vitest/node";
import { type Mutant, mutantsOf } from "./mutants.ts";

const root = resolve(import.meta.dirname, "..");

/** Runs `tests` while `file` has the text. */
interface Task {
  file: string;
  text: string;
  tests: string[];
}

/** What fails; `null` where nothing does. */
type Verdict = string | null;

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      sample: { type: "string", default: "400" },
      seed: { type: "string", default: "1" },
      workers: { type: "string", default: `${Math.min(2, availableParallelism())}` },
    },
  });
  const paths = positionals.length > 0 ? positionals : ["src/edge/domain"];
  const tests = testsByFile();
  const files = paths.flatMap(sourcesOf).map((file) => {
    const text = readFileSync(file, "utf8");
    return { file, text, tests: tests.get(file) ?? [], mutants: mutantsOf(file, text) };
  });

  for (const { file, mutants, tests } of files)
    if (tests.length === 0 && mutants.length > 0)
      console.log(`no test under plain Node: ${relative(root, file)}, ${mutants.length} mutants`);
  const all = files.flatMap((file) =>
    file.tests.length > 0 ? file.mutants.map((mutant) => ({ ...file, mutant })) : [],
  );
  const chosen = shuffled(all, Number(values.seed)).slice(0, Number(values.sample));
  console.log(`${chosen.length} of ${all.length} mutants, seed ${values.seed}`);

  const queue = chosen.values();
  const survivors: typeof chosen = [];
  const score = new Map<string, { killed: number; all: number }>();
  await Promise.all(
    Array.from({ length: Number(values.workers) }, async () => {
      const worker = new Worker();
      for (const each of queue) {
        const verdict = await worker.run(each, mutated(each.text, each.mutant));
        const name = relative(root, each.file);
        const count = score.get(name) ?? { killed: 0, all: 0 };
        score.set(name, count);
        count.all++;
        if (verdict === null) survivors.push(each);
        else count.killed++;
      }
      worker.stop();
    }),
  );

  survivors.sort((a, b) => a.file.localeCompare(b.file) || a.mutant.start - b.mutant.start);
  for (const { file, text, mutant } of survivors) console.log(described(file, text, mutant));
  console.log();
  for (const [name, { killed, all }] of [...score].sort())
    console.log(`${`${killed}/${all}`.padStart(8)}  ${name}`);
  const killed = chosen.length - survivors.length;
  const percent = ((100 * killed) / chosen.length).toFixed(1);
  console.log(`\nkilled ${killed} of ${chosen.length}: ${percent} %`);
}

const mutated = (text: string, { start, end, replacement }: Mutant) =>
  text.slice(0, start) + replacement + text.slice(end);

function described(file: string, text: string, mutant: Mutant): string {
  const from = text.lastIndexOf("\n", mutant.start - 1) + 1;
  const end = text.indexOf("\n", mutant.end);
  const line = (code: string) => code.replace(/\s+/g, " ").trim();
  const before = text.slice(from, end);
  const after = text.slice(from, mutant.start) + mutant.replacement + text.slice(mutant.end, end);
  return `\n${relative(root, file)}:${mutant.line}\n  - ${line(before)}\n  + ${line(after)}`;
}

function sourcesOf(path: string): string[] {
  const full = resolve(root, path);
  return statSync(full).isDirectory() ? globSync(`${full}/**/*.ts`).sort() : [full];
}

/** Each source file with the tests that import it, directly or not, and run under plain Node. */
function testsByFile(): Map<string, string[]> {
  const known = new Map<string, string[]>();
  const importsOf = (file: string) => {
    let imports = known.get(file);
    if (!imports) {
      imports = file.endsWith(".ts") ? importsIn(file) : [];
      known.set(file, imports);
    }
    return imports;
  };
  const byFile = new Map<string, string[]>();
  for (const test of globSync(join(root, "test/edge/**/*.test.ts")).sort()) {
    const reached = new Set([test]);
    for (const file of reached) for (const other of importsOf(file)) reached.add(other);
    if ([...reached].some((name) => name.startsWith("cloudflare:"))) continue;
    for (const file of reached) byFile.set(file, [...(byFile.get(file) ?? []), test]);
  }
  return byFile;
}

/** What a file imports at run time: paths of files, and names of packages as they are. */
function importsIn(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest);
  return source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    const typesOnly = ts.isImportDeclaration(statement)
      ? statement.importClause?.isTypeOnly
      : statement.isTypeOnly;
    if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier) || typesOnly) return [];
    const name = moduleSpecifier.text;
    return [name.startsWith(".") ? resolve(dirname(file), name.replace(/\?.*/, "")) : name];
  });
}

/** In an order that the seed fixes (mulberry32). */
function shuffled<T>(list: T[], seed: number): T[] {
  const next = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return list
    .map((item) => ({ item, key: next() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

/** A process that runs tests; it is replaced when they do not end. */
class Worker {
  #child: ChildProcess | null = null;
  readonly #limits = new Map<string, number>();

  /** Throws where the tests fail although nothing is broken. */
  async run({ file, text, tests }: Task, broken: string): Promise<Verdict> {
    let limit = this.#limits.get(file);
    if (limit === undefined) {
      const began = Date.now();
      const fault = await this.#ask({ file, text, tests }, 300_000);
      if (fault !== null) throw new Error(`${relative(root, file)} as it is: ${fault}`);
      limit = 10_000 + 5 * (Date.now() - began);
      this.#limits.set(file, limit);
    }
    return this.#ask({ file, text: broken, tests }, limit);
  }

  #ask(task: Task, ms: number): Promise<Verdict> {
    const child = this.#child ?? fork(import.meta.filename);
    this.#child = child;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.stop();
        child.off("message", answered);
        resolve("the tests do not end");
      }, ms);
      const answered = (verdict: unknown) => {
        clearTimeout(timer);
        resolve(verdict as Verdict);
      };
      child.once("message", answered);
      child.send(task);
    });
  }

  stop() {
    this.#child?.kill("SIGKILL");
    this.#child = null;
  }
}

/** The worker's side: one Vitest that stays, and a plugin that gives the broken file in place of the one on disk. */
async function serve() {
  let task: Task | null = null;
  const vitest = await createVitest(
    {
      root,
      config: false,
      watch: false,
      pool: "threads",
      maxWorkers: 1,
      bail: 1,
      isolate: false,
      testTimeout: 60_000,
      // A cache on disk would give the file as it was.
      fsModuleCache: false,
      reporters: [{}],
      include: ["test/edge/**/*.test.ts"],
    },
    {
      plugins: [
        {
          name: "mutant",
          enforce: "pre",
          load(id) {
            return id === task?.file ? task.text : null;
          },
        },
      ],
    },
  );
  const specifications = await vitest.globTestSpecifications();
  process.on("message", async (next: Task) => {
    const files = [task?.file, next.file];
    task = next;
    for (const file of files) if (file) vitest.invalidateFile(file);
    const wanted = specifications.filter(({ moduleId }) => next.tests.includes(moduleId));
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications(wanted);
    // Vitest lists the modules of former runs too.
    const failed = testModules.filter(
      (module) => next.tests.includes(module.moduleId) && !module.ok(),
    );
    const faults = [
      ...unhandledErrors,
      ...failed.flatMap((module) => [
        ...module.errors().map(({ message }) => message),
        ...[...module.children.allTests("failed")].map(({ fullName }) => fullName),
        relative(root, module.moduleId),
      ]),
    ];
    process.send?.(faults.length === 0 ? null : String(faults[0]));
  });
}

if (process.send) await serve();
else await main();
