/** `fovea batch`: many documents and their results. */
import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  type Batch,
  type BatchDefaults,
  type BatchShard,
  type Fovea,
  isBatchOver,
  type ManifestLine,
  type ManifestSource,
} from "../index.ts";
import { type Command, type Input, noArgs, type Option, onlyArg, wholeNumber } from "./command.ts";
import { documentsOf } from "./documents.ts";
import { EXIT, isAboutDocument, UsageError } from "./errors.ts";
import { deliver, print, printJson, printTable, say } from "./output.ts";
import { inParallel } from "./parallel.ts";
import { BatchProgress } from "./progress.ts";
import { formOf, formOptions, readingOf, readingOptions } from "./read.ts";

const HEADINGS = ["BATCH", "STATE", "LINES", "FAILED", "PAGES", "CREATED"];
const WHAT = "[MANIFEST | FILE | FOLDER | PATTERN | URL]...";

/** How the lines are read and written, unless they say otherwise. */
const lineOptions: Record<string, Option> = {
  ...readingOptions,
  ...formOptions,
  figures: {
    value: "FORM",
    help: "figures in the Markdown: none or inline (none)",
    choices: ["none", "inline"],
  },
};
const bucketOptions: Record<string, Option> = {
  bucket: { value: "BUCKET-ID", help: "read the objects of this bucket instead of a manifest" },
  prefix: { value: "TEXT", help: "only objects whose keys begin with it" },
  suffixes: { value: "LIST", help: "only objects whose keys end so, such as .pdf,.tif" },
  "to-bucket": { value: "BUCKET-ID", help: "also write the output into this bucket" },
  "to-prefix": { value: "TEXT", help: "what the keys of the output begin with" },
};
const quiet: Option = { short: "q", help: "print only errors on stderr" };
const outputOptions: Record<string, Option> = {
  output: {
    value: "FOLDER",
    short: "o",
    help: "write a file per shard; complete files are kept (stdout)",
  },
  "training-data": { help: "one record per page: image reference, text, boxes, provenance" },
  verdicts: {
    value: "LIST",
    help: "which pages: ok, blank, suspect, unreadable, separated by commas (ok)",
  },
};

export const batch: Command[] = [
  {
    name: "batch run",
    args: WHAT,
    summary: "Read the documents in a manifest (.jsonl or standard input) or on the command line",
    options: { ...lineOptions, ...bucketOptions, ...outputOptions, quiet },
    async run(input) {
      const fovea = input.fovea();
      const target = targetOf(input);
      const { started, refused } = await startBatch(fovea, input);
      const { id } = started;
      if (!input.has("quiet")) say(id);
      const status = await watch(fovea, input, id, () => {});
      await writeOutput(fovea, id, target);
      if (target.folder !== undefined) show(input, await fovea.batches.get(id));
      return Math.max(status, refused > 0 ? EXIT.unread : 0);
    },
  },
  {
    name: "batch start",
    args: WHAT,
    summary: "Start a batch and print its id",
    options: { ...lineOptions, ...bucketOptions },
    async run(input) {
      const { started, refused } = await startBatch(input.fovea(), input);
      if (input.has("json")) printJson(started);
      else print(started.id);
      return refused > 0 ? EXIT.unread : 0;
    },
  },
  {
    name: "batch list",
    summary: "List the newest batches",
    options: { limit: { value: "N", help: "how many to list, at most 100 (20)" } },
    async run(input) {
      noArgs(input);
      const limit = wholeNumber(input, "limit");
      const { data } = await input.fovea().batches.list({ limit });
      if (input.has("json")) printJson(data);
      else printTable(HEADINGS, data.map(row));
      return 0;
    },
  },
  {
    name: "batch status",
    args: "BATCH",
    summary: "Show a batch's state and progress",
    async run(input) {
      show(input, await input.fovea().batches.get(onlyArg(input, "batch id")));
      return 0;
    },
  },
  {
    name: "batch watch",
    args: "BATCH",
    summary: "Follow a batch until it ends or is paused; with --json, one state per line",
    options: { quiet },
    async run(input) {
      const id = onlyArg(input, "batch id");
      return watch(input.fovea(), input, id, (state) => {
        if (input.has("json")) print(JSON.stringify(state));
        else if (hasStopped(state)) show(input, state);
      });
    },
  },
  act("pause", "Start no further lines; lines in progress are finished"),
  act("resume", "Resume a paused batch"),
  act("cancel", "Cancel unfinished lines; pages read so far stay in the output"),
  act("retry", "Retry the failed lines"),
  act("deliver", "Write again what could not be written into a bucket"),
  {
    name: "batch output",
    args: "BATCH",
    summary: "Print the results so far as JSON lines; with --json, the list of shards",
    options: {
      ...outputOptions,
      shard: { value: "N", help: "only this shard" },
    },
    async run(input) {
      const id = onlyArg(input, "batch id");
      const fovea = input.fovea();
      if (input.has("json")) printJson(await fovea.batches.output(id));
      else await writeOutput(fovea, id, targetOf(input), wholeNumber(input, "shard"));
      return 0;
    },
  },
  {
    name: "batch failures",
    args: "BATCH",
    summary: "List the failed lines and their errors; with --json, one record per line",
    async run(input) {
      for await (const failure of input.fovea().batches.failures(onlyArg(input, "batch id"))) {
        const { line, custom_id, error, pages } = failure;
        const name = custom_id === null ? `line ${line}` : `line ${line} (${custom_id})`;
        const read = pages.done > 0 ? ` (${pages.done} pages read, ${pages.failed} failed)` : "";
        print(
          input.has("json")
            ? JSON.stringify(failure)
            : `${name}: ${error.code}: ${error.message}${read}`,
        );
      }
      return 0;
    },
  },
  {
    name: "batch delete",
    args: "BATCH",
    summary: "Delete a batch and its output",
    async run(input) {
      await input.fovea().batches.delete(onlyArg(input, "batch id"));
      return 0;
    },
  },
];

function act(verb: "pause" | "resume" | "cancel" | "retry" | "deliver", summary: string): Command {
  return {
    name: `batch ${verb}`,
    args: "BATCH",
    summary,
    async run(input) {
      show(input, await input.fovea().batches[verb](onlyArg(input, "batch id")));
      return 0;
    },
  };
}

async function startBatch(
  fovea: Fovea,
  input: Input,
): Promise<{ started: Batch; refused: number }> {
  const defaults = { ...readingOf(input), ...formOf(input) } as BatchDefaults;
  const target = input.value("to-bucket");
  if (target === undefined && input.value("to-prefix") !== undefined)
    throw new UsageError("--to-prefix needs --to-bucket.");
  const output = target && { bucket: target, prefix: input.value("to-prefix") };
  const bucket = input.value("bucket");
  if (bucket !== undefined) {
    if (input.args.length > 0) throw new UsageError("Name a bucket or documents, not both.");
    const suffixes = input.value("suffixes")?.split(",");
    const source = { bucket, prefix: input.value("prefix"), suffixes };
    const request = { input: source, defaults, ...(output && { output }) };
    return { started: await fovea.batches.create(request), refused: 0 };
  }
  if (input.value("prefix") !== undefined || input.value("suffixes") !== undefined)
    throw new UsageError("--prefix and --suffixes need --bucket.");
  const { manifest, refused } = await manifestOf(fovea, input.args);
  const started = await fovea.batches.start(manifest, { defaults, ...(output && { output }) });
  return { started, refused };
}

/** How many documents are sent at the same time. */
const UPLOADS = 4;

/**
 * Standard input and a single `.jsonl` or `.ndjson` argument are manifests; other arguments are documents.
 * @returns also how many documents the service refused
 */
async function manifestOf(
  fovea: Fovea,
  args: string[],
): Promise<{ manifest: ManifestSource; refused: number }> {
  const [only = "-"] = args;
  if (args.length < 2 && only === "-") {
    if (process.stdin.isTTY)
      throw new UsageError("Name a manifest or documents, or pipe a manifest to standard input.");
    const manifest = Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>;
    return { manifest, refused: 0 };
  }
  if (args.length < 2 && /\.(jsonl|ndjson)$/i.test(only)) {
    if (!statSync(only, { throwIfNoEntry: false })?.isFile())
      throw new UsageError(`There is no file ${only}.`);
    return { manifest: only, refused: 0 };
  }
  const documents = documentsOf(args);
  for (const { source } of documents)
    if (source === "-" || /^data:/i.test(source))
      throw new UsageError(`A line of a batch cannot be ${source.slice(0, 5)}.`);
  const lines: (ManifestLine | null)[] = documents.map(() => null);
  await inParallel([...documents.entries()], UPLOADS, async ([i, { source, label }]) => {
    const custom_id = source.slice(-256);
    if (/^https?:/i.test(source)) lines[i] = { url: source, custom_id };
    else if (/^file_[0-9a-z]{24}$/.test(source)) lines[i] = { file: source, custom_id };
    else
      try {
        lines[i] = { file: (await fovea.files.upload(source)).id, custom_id };
      } catch (error) {
        if (!isAboutDocument(error, source)) throw error;
        say(`${label}: ${(error as Error).message}`);
      }
  });
  const accepted = lines.filter((line) => line !== null);
  if (accepted.length === 0) throw new UsageError("No document could be sent.");
  return { manifest: accepted, refused: lines.length - accepted.length };
}

const hasStopped = ({ state }: Batch) => state === "paused" || isBatchOver(state);

/** @returns the exit status. Ctrl-C stops watching; the batch continues. */
async function watch(
  fovea: Fovea,
  input: Input,
  id: string,
  onState: (batch: Batch) => void,
): Promise<number> {
  const progress = new BatchProgress(id, input.has("quiet"));
  const stop = () => {
    progress.end();
    say(`${id} continues: fovea batch watch ${id}, fovea batch cancel ${id}`);
    process.exit(130);
  };
  process.once("SIGINT", stop);
  try {
    for await (const state of fovea.batches.watch(id)) {
      progress.show(state);
      if (hasStopped(state)) progress.end();
      onState(state);
      if (hasStopped(state)) return statusOf(state);
    }
    return EXIT.service;
  } finally {
    progress.end();
    process.off("SIGINT", stop);
  }
}

function statusOf({ id, state, reason, lines }: Batch): number {
  if (state !== "completed") say(`${id} is ${state}${reason ? `: ${reason}` : ""}`);
  if (reason === "quota-exceeded" || reason === "budget-exceeded") return EXIT.key;
  return state === "completed" && lines.failed + lines.partial === 0 ? 0 : EXIT.unread;
}

interface Target {
  folder: string | undefined;
  training: boolean;
  verdicts: string | undefined;
}

/** @throws UsageError */
function targetOf(input: Input): Target {
  const training = input.has("training-data");
  const verdicts = input.value("verdicts");
  if (verdicts !== undefined && !training)
    throw new UsageError("--verdicts needs --training-data.");
  return { folder: input.value("output"), training, verdicts };
}

/** Writes the available shards to a folder, or one after the other to stdout. */
async function writeOutput(
  fovea: Fovea,
  id: string,
  { folder, training, verdicts }: Target,
  only?: number,
): Promise<void> {
  const { shards } = await fovea.batches.output(id);
  const wanted = shards.filter(({ number }) => only === undefined || number === only);
  if (only !== undefined && wanted.length === 0)
    throw new UsageError(`The output has no shard ${only} yet.`);
  if (folder !== undefined) mkdirSync(folder, { recursive: true });
  for (const shard of wanted) {
    const name = `${training ? "train-" : ""}${String(shard.number).padStart(6, "0")}.jsonl`;
    const path = folder && join(folder, name);
    if (training)
      await deliver(await fovea.batches.trainingData(id, shard.number, { verdicts }), path);
    else if (!path || !(await isComplete(path, shard)))
      await deliver((await fovea.batches.shard(id, shard)).stream(), path);
  }
}

async function isComplete(path: string, { bytes, sha256 }: BatchShard): Promise<boolean> {
  if (statSync(path, { throwIfNoEntry: false })?.size !== bytes) return false;
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex") === sha256;
}

function row({ id, state, lines, pages, created_at }: Batch) {
  const done = lines.succeeded + lines.partial + lines.failed + lines.canceled;
  const failed = lines.partial + lines.failed;
  return [id, state, `${done}/${lines.total ?? "?"}`, failed, pages.done, created_at];
}

function show(input: Input, state: Batch): void {
  if (input.has("json")) {
    printJson(state);
    return;
  }
  printTable(HEADINGS, [row(state)]);
  if (state.reason) print(`  ${state.reason}`);
}
