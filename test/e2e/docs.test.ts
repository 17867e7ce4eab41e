/**
 * Runs the examples of the documentation against the stack: every shell command of README.md and docs/*.md that does not
 * have the mark † (it needs an account, a GPU, or programs and downloads that the tests do not have), and those examples in
 * Python and TypeScript that need nothing but what is installed. Answers that the docs show have the members of the real
 * ones. Where the docs write `…` for an id, the last id of that kind is used, as a reader would.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ACCESS_KEY, startS3 } from "../s3.ts";
import { blocksOf, drift, type Statement, shownJson, statementsOf } from "./doc-lines.ts";
import { data, example, newKey, stack, urlOf } from "./support.ts";

const root = join(import.meta.dirname, "../..");
const pages = ["README.md", ...globSync("docs/*.md", { cwd: root }).sort()];
const LIMIT_MS = 60_000;

/**
 * Fewer mean that the docs have lost examples, or the test no longer finds them: change a number together with the docs.
 */
const LEAST = { shell: 65, answers: 9, python: 5, ts: 2 };
/** More skipped commands mean marks, which need a reason. */
const MOST_SKIPPED = 46;

/** Commands that start what the test is part of, or what does not end. It checks that they exist. */
const OWN =
  /^(?:\w+=\S+ )*npm (?:start|test|run [\w:-]+)(?=\s|$)(?!.*-- (?:[^-]|--verify|--dry-run))/;

const THREE_PAGES = `import sys, pypdf
report = pypdf.PdfReader("examples/report-12.pdf")
short = pypdf.PdfWriter()
for page in report.pages[:3]: short.add_page(page)
short.write(sys.argv[1])`;

const parent = mkdtempSync(join(tmpdir(), "fovea-docs-"));
/** Where the commands run. Some write beside it. */
const folder = join(parent, "fovea");
mkdirSync(folder);
const s3 = await startS3();
const site = createServer((request, response) => {
  const name = (request.url ?? "").slice(1);
  const document = example(name === "paper.pdf" ? name : "invoice.pdf");
  response.writeHead(200, { "content-type": "application/pdf" }).end(document);
});

let environment: Record<string, string> = {};

before(async () => {
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  for (const name of readdirSync(root))
    if (!["docs", ".git", ".data", ".wrangler", "node_modules"].includes(name))
      symlinkSync(join(root, name), join(folder, name));
  cpSync(join(root, "docs"), join(folder, "docs"), { recursive: true });
  mkdirSync(join(folder, "node_modules/fovea-client"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules")))
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  symlinkSync(
    join(root, "src/client/index.ts"),
    join(folder, "node_modules/fovea-client/index.ts"),
  );
  writeFileSync(
    join(folder, "node_modules/fovea-client/package.json"),
    '{"name": "fovea-client", "type": "module", "exports": "./index.ts"}',
  );
  for (const name of ["invoice.pdf", "big.pdf", "part-1", "scan.pdf"])
    copyFileSync(join(root, "examples/invoice.pdf"), join(folder, name));
  execFileSync(join(root, ".venv/bin/python"), ["-c", THREE_PAGES, join(folder, "report.pdf")], {
    cwd: root,
  });
  for (const key of ["archive/2026/a.pdf", "archive/2026/b.txt"])
    await fetch(`${s3.origin}/scans/${key}`, {
      method: "PUT",
      headers: { "x-test": "1" },
      body: example("invoice.pdf"),
    });
  mkdirSync(join(folder, "scans"));
  copyFileSync(join(root, "examples/invoice.pdf"), join(folder, "scans/a.pdf"));
  const bin = join(folder, "bin");
  mkdirSync(bin);
  const node = process.execPath;
  const program = (name: string, line: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\nexec ${line} "$@"\n`);
    chmodSync(join(bin, name), 0o755);
  };
  program("fovea", `${node} --no-warnings ${join(root, "src/client/cli/main.ts")}`);
  program("node", node);
  program("pip", `${join(root, ".venv/bin/python")} -m pip`);
  program("python", join(root, ".venv/bin/python"));
  writeFileSync(
    join(folder, ".curlrc"),
    'silent\nshow-error\nwrite-out = "%{stderr}\\nHTTP-STATUS %{http_code}\\n"\n',
  );
  const { key } = await newKey({
    tenant: "docs",
    scopes: ["read", "write", "webhooks", "buckets"],
  });
  const admin = await newKey({ tenant: "docs" });
  environment = {
    PATH: [bin, process.env.PATH].join(delimiter),
    HOME: folder,
    CURL_HOME: folder,
    ORIGIN: stack.origin,
    KEY: key,
    ADMIN_KEY: admin.key,
    BOOTSTRAP_SECRET: stack.bootstrapSecret,
    FOVEA_URL: stack.origin,
    FOVEA_API_KEY: key,
    FOVEA_DATA: data,
    // `pip install` of the docs: the packages it needs are there, and it gets a folder of its own.
    PIP_TARGET: join(folder, "packages"),
    PIP_NO_DEPS: "1",
    PIP_NO_BUILD_ISOLATION: "0",
    PIP_NO_INDEX: "1",
    PIP_QUIET: "1",
    PYTHONPATH: [join(folder, "packages"), join(root, "src/client-python")].join(delimiter),
    PYTHONDONTWRITEBYTECODE: "1",
  };
});

after(() => {
  site.close();
  site.closeAllConnections();
  s3.close();
  rmSync(parent, { recursive: true, force: true });
});

const counts = {
  shell: 0,
  answers: 0,
  python: 0,
  ts: 0,
  /** Commands of our own that were only looked up. */
  own: 0,
  /** Python and TypeScript that uses names of the reader's own program, or packages that are not here. */
  fragments: 0,
  skipped: 0,
};

interface Answer {
  status: number | null;
  out: string;
  err: string;
}

/** Its output goes to files, which a command can open as /dev/stderr. */
function run(command: string, args: string[], env: Record<string, string> = {}): Promise<Answer> {
  const paths = ["out", "err"].map((name) => join(folder, `${randomUUID()}.${name}`));
  const [out, err] = paths.map((path) => openSync(path, "a")) as [number, number];
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, ...environment, ...env },
    stdio: ["ignore", out, err],
    detached: true,
  });
  let late = "";
  const timer = setTimeout(() => {
    late = `\nnot done after ${LIMIT_MS / 1000} s`;
    process.kill(-(child.pid as number), "SIGKILL");
  }, LIMIT_MS);
  return new Promise((resolve) =>
    child.on("close", (status) => {
      clearTimeout(timer);
      closeSync(out);
      closeSync(err);
      const [said, complained] = paths.map((path) => readFileSync(path, "utf8")) as [
        string,
        string,
      ];
      for (const path of paths) rmSync(path);
      resolve({ status, out: said, err: complained + late });
    }),
  );
}

/** Bash with the variables and the folder that the commands before have left. */
async function shell(state: string, text: string): Promise<Answer> {
  const script = [
    "set -o pipefail",
    `[ -f ${state} ] && . ${state} 2>/dev/null && cd "$(cat ${state}.folder)"`,
    text,
    "status=$?",
    `declare -p > ${state}; pwd > ${state}.folder`,
    "exit $status",
  ].join("\n");
  return run("bash", ["-c", script]);
}

/** What Bash takes as whole commands; it only reads them. */
function isComplete(text: string): boolean {
  const { status, stderr } = spawnSync("bash", ["-n"], { input: text, encoding: "utf8" });
  return status === 0 && stderr === "";
}

const ID = /\b([a-z]+)_[0-9a-hjkmnp-tv-z]{24}\b/g;
/** As a value in JSON: texts of documents may have ids of their own. */
const QUOTED_ID = /(?<=(?<!\\)")([a-z]+)_[0-9a-hjkmnp-tv-z]{24}(?=")/g;

/** With the addresses of this run. */
const local = (text: string) =>
  text
    .replaceAll("https://s3.eu-central-1.amazonaws.com", s3.origin)
    .replaceAll('"eu-central-1"', '"eu-test-1"')
    .replaceAll('"AKIA…"', JSON.stringify(ACCESS_KEY.id))
    .replaceAll('"secret_access_key": "…"', `"secret_access_key": "${ACCESS_KEY.secret}"`)
    .replaceAll(" .data ", ` ${data} `)
    .replaceAll("http://127.0.0.1:8787", stack.origin)
    .replaceAll("https://example.com/", `${urlOf(site)}/`);

/** The last ids by their prefixes, and what else the docs write as `…`. */
class Known {
  readonly ids = new Map<string, string>();
  etag = "";

  /** The command as a reader would type it. */
  filled(text: string): string {
    return local(text)
      .replace(/fov_(?:live_|test_)?…/g, environment.KEY as string)
      .replace(/"etag": "…"/g, `"etag": "${this.etag}"`)
      .replace(/ … (?=-)/g, ' -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" ')
      .replace(
        /\b([a-z]+)_(?:…|[0-9a-hjkmnp-tv-z]{24}\b)/g,
        (whole, kind) => this.ids.get(kind) ?? whole,
      );
  }

  learn({ out }: Answer): void {
    for (const [id, kind] of out.matchAll(json(out) === null ? ID : QUOTED_ID))
      this.ids.set(kind as string, id);
    const { id = "" } = (json(out) ?? {}) as { id?: string };
    for (const [whole, kind] of id.matchAll(ID)) this.ids.set(kind as string, whole);
    this.etag = /^etag: "?([^"\r\n]+)/im.exec(out)?.[1] ?? this.etag;
  }
}

const OVER = ["queued", "running", "validating", "pending", "checking", "finishing"];

/** A reader looks again until what the command has started is over. */
async function settled(id: string, jobId = ""): Promise<void> {
  const path = {
    job: "jobs",
    batch: "batches",
    upl: "uploads",
    ext: `jobs/${jobId}/extractions`,
  }[id.split("_")[0] as string];
  if (!path) return;
  const headers = { authorization: `Bearer ${environment.KEY}` };
  for (const end = Date.now() + LIMIT_MS; Date.now() < end; await sleep(200)) {
    const response = await fetch(`${stack.origin}/v1/${path}/${id}`, { headers });
    if (!response.ok) return;
    if (!OVER.includes(((await response.json()) as { state: string }).state)) return;
  }
}

const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

/** The prefix of a resource's id. */
const kindOf = (resource: unknown) =>
  /^[a-z]+(?=_)/.exec((resource as { id?: string }).id ?? "")?.[0];

/** @returns what is wrong with a command's answer */
async function execute(
  known: Known,
  state: string,
  statement: Statement,
): Promise<[Answer, string[]]> {
  const answer = await shell(state, known.filled(statement.text));
  const statuses = [...answer.err.matchAll(/HTTP-STATUS (\d{3})/g)].map(([, code]) => Number(code));
  const faults = statuses.filter((code) => code >= 400).map((code) => `HTTP status ${code}`);
  if (answer.status !== 0) faults.push(`exit status ${answer.status}`);
  if (faults.length > 0)
    return [answer, [...faults, answer.out.slice(0, 600), answer.err.slice(-600)]];
  known.learn(answer);
  const real = json(answer.out);
  const { id, job_id, parts } = (real ?? {}) as {
    id?: string;
    job_id?: string;
    parts?: { url?: string }[];
  };
  if (id) await settled(id, job_id);
  if (parts?.[0]?.url) await shell(state, `PART_URL='${parts[0].url}'`);
  if (statement.answer !== null) {
    const wanted = /(?:^|\D)(20[0-9])\b/.exec(statement.answer)?.[1];
    // 200 is the answer to a job that is over already.
    const good = wanted === "202" ? [200, 202] : [Number(wanted)];
    if (wanted && !/ or /.test(statement.answer) && !good.some((code) => statuses.includes(code)))
      faults.push(`HTTP status ${statuses}, not ${wanted}`);
    const shown = shownJson(statement.answer);
    if (shown !== null) {
      counts.answers++;
      faults.push(...drift(shown, real));
    }
  }
  return [answer, faults];
}

function checkOwn(text: string): string[] {
  const script = /npm (?:run )?([\w:-]+)/.exec(text)?.[1] as string;
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  if (!(script in scripts)) return [`package.json has no script ${script}`];
  const help = spawnSync(process.execPath, [join(root, "scripts/start.mjs"), "--help"]);
  const known = String(help.stdout);
  const options = script === "start" ? (text.match(/(?<=\s)--\w[\w-]*|\bFOVEA_\w+/g) ?? []) : [];
  return options.filter((name) => !known.includes(name)).map((name) => `npm start has no ${name}`);
}

describe("the commands of", { concurrency: 3 }, () => {
  for (const page of pages) {
    const blocks = blocksOf(readFileSync(join(root, page), "utf8"));
    if (!blocks.some(({ language }) => ["sh", "bash"].includes(language))) continue;
    test(page, async () => {
      const known = new Known();
      const state = join(folder, `${page.replaceAll("/", "-")}.state`);
      await prepare(known, state);
      const faults: string[] = [];
      const answers: unknown[] = [];
      let heading = "";
      for (const block of blocks) {
        if (["sh", "bash"].includes(block.language)) {
          for (const statement of statementsOf(block, isComplete)) {
            const at = `${page}:${statement.line}: ${statement.text.trim()}`;
            const bare = statement.text.trim();
            if (statement.marked) counts.skipped++;
            else if (OWN.test(bare.replace(/\s+#\s.*/, ""))) {
              counts.own++;
              faults.push(
                ...checkOwn(bare.replace(/\s+#\s.*/, "")).map((fault) => `${at}\n  ${fault}`),
              );
            } else {
              counts.shell++;
              heading = block.heading;
              const [answer, wrong] = await execute(known, state, statement);
              if (wrong.length > 0) faults.push(`${at}\n  ${wrong.join("\n  ")}`);
              answers.push(json(answer.out));
            }
          }
        }
        const shown = ["json", "http"].includes(block.language) ? shownJson(block.text) : null;
        if (shown === null) continue;
        // In the section of the commands, or a resource of a kind that they have answered with.
        const isNear = block.heading === heading;
        const candidates = answers.filter(
          (real) => real && (isNear || (kindOf(shown) && kindOf(shown) === kindOf(real))),
        );
        if (candidates.length === 0) continue;
        counts.answers++;
        const tries = candidates.map((real) => drift(shown, real));
        const best = tries.sort((a, b) => a.length - b.length)[0] as string[];
        if (best.length > 0) faults.push(`${page}:${block.line}: ${best.join("\n  ")}`);
      }
      assert.equal(faults.length, 0, faults.join("\n\n"));
    });
  }
});

/** Runs each block; the names that guides take for granted are there. Prints a line for each: `ran`, or what is missing. */
const PYTHON = `import json, os, sys, traceback
from fovea_client import Fovea
client = Fovea()
taken = {"KEY": os.environ["KEY"], "ORIGIN": os.environ["ORIGIN"], "client": client, "reading": client.read("invoice.pdf"),
         "schema": json.load(open("examples/invoice.schema.json"))}
for text in json.loads(sys.argv[1]):
    sys.stdout, said = sys.stderr, sys.stdout
    try:
        exec(compile(text, "block", "exec"), dict(taken))
        outcome = "ran"
    except (NameError, ModuleNotFoundError) as error:
        outcome = f"fragment: {error}"
    except SyntaxError as error:
        outcome = "fragment: await" if "'async with' outside" in str(error) else f"fault: {error}"
    except Exception:
        outcome = "fault: " + traceback.format_exc()
    sys.stdout = said
    print(json.dumps(outcome))`;

const TYPESCRIPT_NAMES = `import { readFileSync } from "node:fs";
import { Fovea } from "fovea-client";
const [apiKey, baseUrl] = [process.env.KEY, process.env.ORIGIN];
const blob = new Blob([readFileSync("invoice.pdf")]);
Object.assign(globalThis, { apiKey, baseUrl, KEY: apiKey, ORIGIN: baseUrl, blob, fovea: new Fovea({ apiKey, baseUrl }) });`;

/** @returns for each block `ran`, `fragment: …` or `fault: …` */
async function runPython(texts: string[]): Promise<string[]> {
  const { out, err } = await run("python", ["-c", PYTHON, JSON.stringify(texts)]);
  const lines = out.trim().split("\n").map(json) as string[];
  assert.equal(lines.length, texts.length, out + err);
  return lines;
}

async function runTypeScript(texts: string[]): Promise<string[]> {
  const names = join(folder, "names.mts");
  writeFileSync(names, TYPESCRIPT_NAMES);
  const outcomes: string[] = [];
  for (const text of texts) {
    const file = join(folder, `${randomUUID()}.mts`);
    writeFileSync(file, text);
    const { status, err } = await run("node", ["--no-warnings", "--import", names, file]);
    const missing = /ReferenceError: .*|Cannot find package .*/.exec(err)?.[0];
    outcomes.push(
      status === 0 ? "ran" : missing ? `fragment: ${missing}` : `fault: ${err.slice(-800)}`,
    );
  }
  return outcomes;
}

describe("the examples in other languages of", { concurrency: 3 }, () => {
  for (const page of pages)
    for (const [language, runAll] of [
      ["python", runPython],
      ["ts", runTypeScript],
    ] as const) {
      const blocks = blocksOf(readFileSync(join(root, page), "utf8")).filter(
        (block) => block.language === language,
      );
      const open = blocks.filter(({ marked }) => !marked);
      counts.skipped += blocks.length - open.length;
      if (open.length === 0) continue;
      test(`${page}: ${language}`, async () => {
        const outcomes = await runAll(open.map(({ text }) => local(text)));
        for (const outcome of outcomes) counts[outcome === "ran" ? language : "fragments"]++;
        const faults = outcomes
          .map((outcome, index) => `${page}:${open[index]?.line}: ${outcome}`)
          .filter((line) => line.includes(": fault: "));
        assert.equal(faults.length, 0, faults.join("\n\n"));
      });
    }
});

/** What a reader has who begins in the middle of a guide: a document that was read, and its result. */
async function prepare(known: Known, state: string): Promise<void> {
  const headers = '-H "Authorization: Bearer $KEY"';
  const read = `curl "$ORIGIN/v1/ocr?pages=1-2" ${headers} -H "Prefer: wait=60" -H "Content-Type: application/pdf" --data-binary @report.pdf`;
  const answer = await shell(state, `${read} | tee job.json; jq .result job.json > result.json`);
  known.learn(answer);
  assert.ok(known.ids.has("job"), answer.out + answer.err);
}

test("the examples that ran, and those that did not", () => {
  console.error(`docs: ${JSON.stringify(counts)}`);
  for (const [kind, least] of Object.entries(LEAST))
    assert.ok(counts[kind as keyof typeof LEAST] >= least, `${kind}: ${JSON.stringify(counts)}`);
  assert.ok(counts.skipped <= MOST_SKIPPED, JSON.stringify(counts));
});
