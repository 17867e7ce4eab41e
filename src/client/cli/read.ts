/** `fovea read`: reads documents and writes their results. */
import { statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import {
  type BatchDefaults,
  type Format,
  type Fovea,
  isOver,
  type Job,
  type ReadOptions,
  type Source,
} from "../index.ts";
import { type Command, EXIT, type Input, type Option, UsageError, wholeNumber } from "./command.ts";
import { deliver, say } from "./output.ts";
import { Progress } from "./progress.ts";

/** Extension of the file that holds a result. */
const EXTENSIONS: Record<Format, string> = {
  md: "md",
  mdzip: "zip",
  txt: "txt",
  html: "html",
  json: "json",
  csv: "csv",
  xlsx: "xlsx",
  hocr: "hocr",
  alto: "alto.xml",
  chunks: "jsonl",
  docx: "docx",
  pdf: "pdf",
  overlay: "overlay.pdf",
};
const FORMATS = Object.keys(EXTENSIONS);

export const formatOption = {
  value: "FORMAT",
  short: "f",
  help: `${FORMATS.join(", ")} (md)`,
  choices: FORMATS,
};

export const formatOf = (input: Input): Format =>
  input.has("json") ? "json" : ((input.value("format") as Format | undefined) ?? "md");

/** How to read a document. The service has defaults for all of them. */
export const readingOptions: Record<string, Option> = {
  pages: { value: "LIST", short: "p", help: "such as 1-3,7,10-" },
  model: { value: "NAME", help: "the model that reads the pages" },
  mode: {
    value: "MODE",
    help: "how many vision tokens a page gets",
    choices: ["auto", "tiny", "small", "base", "large", "gundam"],
  },
  task: {
    value: "TASK",
    help: "what to do with a page",
    choices: ["markdown", "free", "ocr", "figure", "describe", "locate", "deep"],
  },
  prompt: { value: "TEXT", help: "what to look for, or your own instruction" },
  dpi: { value: "N", help: "resolution of PDF pages, 36 to 400 (144)" },
  languages: { value: "LIST", help: "languages of the document, such as ru,en" },
  "text-layer": {
    value: "HOW",
    help: "characters of a PDF's text layer: auto, never or only",
    choices: ["auto", "never", "only"],
  },
};

/** The form of the result. It costs no reading. */
export const formOptions: Record<string, Option> = {
  granularity: {
    value: "WHAT",
    help: "block, line or word: what has a box in the JSON (block)",
    choices: ["block", "line", "word"],
  },
  "table-format": {
    value: "FORM",
    help: "html or markdown (html)",
    choices: ["html", "markdown"],
  },
  "join-tables": { help: "join tables that go on over pages" },
  figures: {
    value: "FORM",
    help: "figures in the Markdown: none, link or inline (none)",
    choices: ["none", "link", "inline"],
  },
};

export const read: Command = {
  name: "read",
  args: "[FILE | URL | -]...",
  summary: "Read documents; without one, or with -, read standard input",
  options: {
    format: formatOption,
    output: {
      value: "PATH",
      short: "o",
      help: "the file to write; for several documents, a folder (stdout)",
    },
    ...readingOptions,
    ...formOptions,
    cache: {
      value: "HOW",
      help: "use, refresh (always read again) or only (never read)",
      choices: ["use", "refresh", "only"],
    },
    quiet: { short: "q", help: "print only errors on stderr" },
  },
  async run(input) {
    const sources = input.args.length > 0 ? input.args : ["-"];
    const output = input.value("output");
    const folder = output !== undefined && isFolder(output);
    if (sources.length > 1 && output !== undefined && !folder)
      throw new UsageError("With several documents, --output must be a folder.");
    const fovea = input.fovea();
    let status = 0;
    for (const source of sources) {
      const target = folder ? join(output, outputName(source, formatOf(input))) : output;
      status = Math.max(status, await readOne(fovea, input, source, target));
    }
    return status;
  },
};

async function readOne(
  fovea: Fovea,
  input: Input,
  source: string,
  target: string | undefined,
): Promise<number> {
  const label = source === "-" ? "stdin" : shortName(source);
  const started = await fovea.start(await documentOf(source), {
    ...readingOf(input),
    ...formOf(input),
    cache: input.value("cache") as ReadOptions["cache"],
  });
  const progress = new Progress(label, input.has("quiet"));
  const job = await cancelOnInterrupt(fovea, started, progress, () =>
    follow(fovea, started, progress),
  );
  if (job.error) say(`${label}: ${job.error.code}: ${job.error.message}`);
  else if (job.state !== "succeeded" && job.state !== "partial") say(`${label}: ${job.state}`);
  if (job.progress.done > 0) await deliver(await resultOf(fovea, job.id, formatOf(input)), target);
  return job.state === "succeeded" ? 0 : EXIT.unread;
}

export const resultOf = (fovea: Fovea, id: string, format: Format, pages?: string) =>
  format === "pdf" || format === "overlay"
    ? fovea.jobs.pdf(id, { pages, boxes: format === "overlay" })
    : fovea.jobs.resultStream(id, format, { pages });

/** Ctrl-C cancels the job, since nobody waits for its result. */
async function cancelOnInterrupt<T>(
  fovea: Fovea,
  job: Job,
  progress: Progress,
  work: () => Promise<T>,
): Promise<T> {
  const stop = () => {
    progress.end();
    say(`canceling ${job.id}`);
    const leave = () => process.exit(130);
    fovea.jobs.cancel(job.id).then(leave, leave);
  };
  process.once("SIGINT", stop);
  try {
    return await work();
  } finally {
    process.off("SIGINT", stop);
  }
}

/** Shows a job's progress until it ends. @returns the ended job */
export async function follow(fovea: Fovea, job: Job, progress: Progress): Promise<Job> {
  if (isOver(job.state) && job.progress.failed === 0) return job;
  try {
    let { total } = job.progress;
    for await (const event of fovea.jobs.events(job.id)) {
      // The number of pages is known once the worker has opened the document and read the first page.
      if (total === null && event.type === "page")
        total = (await fovea.jobs.get(job.id)).progress.total;
      progress.show(event, total);
    }
    return await fovea.jobs.get(job.id);
  } finally {
    progress.end();
  }
}

/** The values of `readingOptions`. */
export function readingOf(input: Input): BatchDefaults {
  const {
    pages,
    model,
    mode,
    task,
    prompt,
    "text-layer": text_layer,
  } = Object.fromEntries(
    ["pages", "model", "mode", "task", "prompt", "text-layer"].map((name) => [
      name,
      input.value(name),
    ]),
  );
  const languages = input.value("languages")?.split(",");
  const dpi = wholeNumber(input, "dpi");
  return { pages, model, mode, task, prompt, dpi, text_layer, languages } as BatchDefaults;
}

/** The values of `formOptions`. */
export const formOf = (input: Input) =>
  ({
    granularity: input.value("granularity"),
    table_format: input.value("table-format"),
    join_tables: input.has("join-tables") || undefined,
    figures: input.value("figures"),
  }) as Pick<ReadOptions, "granularity" | "table_format" | "join_tables" | "figures">;

export async function documentOf(source: string): Promise<Source> {
  if (source !== "-") {
    if (!/^(https?|data|file):|^file_/i.test(source) && !isFile(source))
      throw new UsageError(`There is no file ${source}.`);
    return source;
  }
  if (process.stdin.isTTY) throw new UsageError("Name a document, or pipe one to standard input.");
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return new Uint8Array(Buffer.concat(chunks));
}

const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true;
const isFolder = (path: string) =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** The last part of a path or URL. */
function shortName(source: string): string {
  if (/^data:/i.test(source)) return "data URL";
  return basename(URL.canParse(source) ? new URL(source).pathname : source) || source;
}

const outputName = (source: string, format: Format) => {
  const name = source === "-" ? "stdin" : shortName(source);
  return `${basename(name, extname(name))}.${EXTENSIONS[format]}`;
};
