/** `fovea read`: reads documents and writes their results. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import {
  ApiError,
  type BatchDefaults,
  type Extraction,
  type Format,
  type Fovea,
  isOver,
  type Job,
  type ReadOptions,
  type Source,
} from "../index.ts";
import { type Command, type Input, type Option, wholeNumber } from "./command.ts";
import {
  contentOf,
  type Document,
  demandNoDocument,
  documentsOf,
  jsonOf,
  targetsIn,
} from "./documents.ts";
import { EXIT, ExtractionError, isAboutDocument, UsageError } from "./errors.ts";
import { deliver, outputOf, print, say, writeWhole } from "./output.ts";
import { inParallel } from "./parallel.ts";
import { Documents, type JobProgress, Progress } from "./progress.ts";

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
  docling: "docling.json",
  docx: "docx",
  pdf: "pdf",
  overlay: "overlay.pdf",
};
const FORMATS = Object.keys(EXTENSIONS);

export const formatOption = {
  value: "FORMAT",
  short: "f",
  help: `${FORMATS.join(", ")} (by the ending of --output, or md)`,
  choices: FORMATS,
};

export const formatOf = (input: Input): Format =>
  input.has("json")
    ? "json"
    : ((input.value("format") as Format | undefined) ?? byEnding(outputOf(input)) ?? "md");

/** The format that the name of a file stands for: the one with the longest ending, so `a.overlay.pdf` is `overlay`. */
const byEnding = (path = ""): Format | undefined =>
  (Object.entries(EXTENSIONS) as [Format, string][])
    .sort(([, one], [, other]) => other.length - one.length)
    .find(([, extension]) => path.toLowerCase().endsWith(`.${extension}`))?.[0];

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
    choices: ["markdown", "free", "ocr", "figure", "describe", "locate", "deep", "encode"],
  },
  prompt: { value: "TEXT", help: "what to look for, or your own instruction" },
  "token-budget": { value: "N", help: "vision tokens for all selected pages together" },
  witness: { help: "check each page's words with a second reader" },
  sequence: {
    value: "WHAT",
    help: "what the model reads at once: page, or document, up to 32 pages together (page)",
    choices: ["page", "document"],
  },
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
  hyperlinks: {
    value: "FORM",
    help: "links of the document: none, list (only in the JSON) or inline (inline)",
    choices: ["none", "list", "inline"],
  },
};

/** What concerns a job as a whole, so that lines of a batch do not have it. */
const jobOptions: Record<string, Option> = {
  cache: {
    value: "HOW",
    help: "use, refresh (always read again) or only (never read)",
    choices: ["use", "refresh", "only"],
  },
  tokens: {
    value: "WHAT",
    help: "keep: store the vision tokens for later questions; none",
    choices: ["keep", "none"],
  },
  password: { value: "TEXT", help: "the password of an encrypted PDF" },
  "zero-retention": { help: "erase the document and its results when they are delivered" },
  deliver: { value: "URL", help: "a presigned address to which the result is PUT as JSON" },
  "webhook-url": { value: "URL", help: "an address that is told when the job ends" },
  metadata: { value: "KEY=TEXT", help: "a text of your own, kept with the job", many: true },
};

const schemaOptions: Record<string, Option> = {
  schema: {
    value: "FILE",
    help: "a JSON Schema: write the data that a model extracts by it, as JSON, with their places",
  },
  instructions: { value: "TEXT", help: "what that model should know beyond the schema" },
};

export const read: Command = {
  name: "read",
  args: "[FILE | FOLDER | PATTERN | URL | -]...",
  summary: "Read documents; without one, or with -, read standard input",
  options: {
    format: formatOption,
    output: {
      value: "PATH",
      short: "o",
      help: "file to write, or, for several documents and with a / at its end, folder (stdout)",
    },
    ...readingOptions,
    ...formOptions,
    ...jobOptions,
    ...schemaOptions,
    parallel: { value: "N", help: "how many documents are read at the same time (4)" },
    "skip-existing": { help: "leave out documents whose file in the output folder is there" },
    quiet: { short: "q", help: "print only errors on stderr" },
  },
  async run(input) {
    const all = documentsOf(input.args);
    const { targets, write } = writerOf(input, all);
    const isWanted = input.has("skip-existing") ? skipsExisting(targets) : () => true;
    const documents = all.filter((_, i) => isWanted(i));
    const options = { ...readingOf(input), ...formOf(input), ...jobOf(input), ...schemaOf(input) };
    const most = parallelOf(input);
    const fovea = input.fovea();
    const progress =
      documents.length > 1 ? new Documents(documents.length, input.has("quiet")) : null;
    const running = new Running(fovea, () => progress?.end());
    let status = 0;
    try {
      await inParallel(documents, most, async (document, before) => {
        const turn = targets ? Promise.resolve() : before;
        const shown =
          progress?.of(document.label) ?? new Progress(document.label, input.has("quiet"));
        try {
          const job = await readOne(running, document, options, shown);
          await turn;
          if (job.state !== "succeeded") status = EXIT.unread;
          if (job.progress.done > 0) await write(document)(fovea, job);
          else if (isJsonLines(input))
            printFailure(document, { job_id: job.id, state: job.state, error: job.error });
        } catch (error) {
          if (all.length === 1 || !isAboutDocument(error, document.source)) throw error;
          await turn;
          say(`${document.label}: ${(error as Error).message}`);
          if (isJsonLines(input)) printFailure(document, { error: errorOf(error) });
          status = EXIT.unread;
        }
        progress?.ended();
      });
    } finally {
      running.release();
      progress?.end();
    }
    return status;
  },
};

/** @throws UsageError without an output folder */
function skipsExisting(targets: string[] | null): (i: number) => boolean {
  if (!targets) throw new UsageError("--skip-existing needs --output.");
  return (i) => !existsSync(targets[i] as string);
}

/** @throws UsageError */
export function parallelOf(input: Input): number {
  const most = wholeNumber(input, "parallel") ?? 4;
  if (most < 1 || most > 64) throw new UsageError("--parallel is a number from 1 to 64.");
  return most;
}

const errorOf = (error: unknown) => ({
  code: (error as ApiError | NodeJS.ErrnoException).code,
  message: (error as Error).message,
});

/** Where the result of a document goes: a file, or stdout. */
type Write = (fovea: Fovea, job: Job) => Promise<void>;

/** Formats that are no text. */
const BINARY = new Set<Format>(["mdzip", "xlsx", "docx", "pdf", "overlay"]);
/** Formats of which several cannot follow each other. */
const FILES = new Set<Format>([...BINARY, "hocr", "alto", "docling"]);

const isJsonLines = (input: Input) =>
  (formatOf(input) === "json" || input.value("schema") !== undefined) &&
  outputOf(input) === undefined;

/** @returns the files of the documents, if they have some. @throws UsageError */
function writerOf(
  input: Input,
  documents: Document[],
): { targets: string[] | null; write: (document: Document) => Write } {
  const isExtraction = input.value("schema") !== undefined;
  const format = isExtraction ? "json" : formatOf(input);
  const output = outputOf(input);
  // A folder or a pattern is several documents, even if it holds only one.
  const isSeveral = documents.length > 1 || documents[0]?.source !== (input.args[0] ?? "-");
  if (output === undefined) {
    if (isSeveral ? FILES.has(format) : BINARY.has(format) && process.stdout.isTTY)
      throw new UsageError(`--format ${format} needs --output.`);
    return { targets: null, write: toStdout(format, documents, isExtraction) };
  }
  const stat = statSync(output, { throwIfNoEntry: false });
  const isFolder = isSeveral || /[/\\]$/.test(output) || stat?.isDirectory();
  if (isFolder && stat && !stat.isDirectory())
    throw new UsageError(`${output} is a file: several documents need a folder.`);
  if (!isFolder) demandNoDocument(output, documents);
  const targets = isFolder ? targetsIn(output, documents, EXTENSIONS[format]) : [output];
  const write = (document: Document) => async (fovea: Fovea, job: Job) => {
    const target = targets[documents.indexOf(document)] as string;
    mkdirSync(dirname(target), { recursive: true });
    if (isExtraction) {
      const found = JSON.stringify(await extractionOf(fovea, job), null, 2);
      await writeWhole(target, Readable.from([`${found}\n`]));
    } else await deliver(await resultOf(fovea, job.id, format), target);
  };
  return { targets, write };
}

/** JSON takes one line for each document; texts of several documents have their names between them. */
function toStdout(
  format: Format,
  documents: Document[],
  isExtraction: boolean,
): (document: Document) => Write {
  let isFirst = true;
  if (format === "json")
    return ({ label }) =>
      async (fovea, job) => {
        const result = isExtraction
          ? await extractionOf(fovea, job)
          : await fovea.jobs.result(job.id);
        print(JSON.stringify({ source: label, ...result }));
      };
  return ({ label }) =>
    async (fovea, job) => {
      const body = await resultOf(fovea, job.id, format);
      if (documents.length === 1 || format === "chunks") return deliver(body, undefined);
      const heading =
        format === "md" || format === "html" ? `<!-- ${label} -->` : `==> ${label} <==`;
      print(isFirst ? heading : `\n${heading}`);
      isFirst = false;
      await deliver(body, undefined);
      print("");
    };
}

/** The values of `schemaOptions`. @throws UsageError for a file that is no JSON object, or options that do not fit */
function schemaOf(input: Input): ReadOptions {
  const path = input.value("schema");
  const instructions = input.value("instructions");
  if (path === undefined) {
    if (instructions !== undefined) throw new UsageError("--instructions needs --schema.");
    return {};
  }
  if ((input.value("format") ?? "json") !== "json")
    throw new UsageError("--schema writes JSON: leave out --format.");
  const schema = jsonOf(path);
  if (typeof schema !== "object" || schema === null || Array.isArray(schema))
    throw new UsageError(`${path} is no JSON Schema of an object.`);
  return { schema: schema as Record<string, unknown>, ...(instructions && { instructions }) };
}

/** What was extracted from an ended job. @throws ExtractionError */
async function extractionOf(fovea: Fovea, { id }: Job): Promise<Extraction> {
  const { extraction } = (await fovea.jobs.wait(id)) as { extraction: Extraction };
  if (extraction.error) throw new ExtractionError(extraction.error);
  return fovea.jobs.extraction(id, extraction.id);
}

/** @returns the ended job */
async function readOne(
  running: Running,
  document: Document,
  options: ReadOptions,
  progress: JobProgress,
): Promise<Job> {
  const { label } = document;
  const content = await contentOf(document);
  const job = await running.job(content, options, progress);
  if (job.error) say(`${label}: ${job.error.code}: ${job.error.message}`);
  else if (job.state !== "succeeded" && job.state !== "partial") say(`${label}: ${job.state}`);
  return job;
}

const printFailure = ({ label }: Document, fields: object) =>
  print(JSON.stringify({ source: label, ...fields }));

export const resultOf = (fovea: Fovea, id: string, format: Format, pages?: string) =>
  format === "pdf" || format === "overlay"
    ? fovea.jobs.pdf(id, { pages, boxes: format === "overlay" })
    : fovea.jobs.resultStream(id, format, { pages });

/** The jobs of this command. Ctrl-C cancels them, since nobody waits for their results. */
class Running {
  readonly #fovea: Fovea;
  readonly #jobs = new Map<string, Promise<Job>>();
  readonly #stop: () => void;
  #isStopped = false;

  constructor(fovea: Fovea, onStop: () => void) {
    this.#fovea = fovea;
    this.#stop = () => {
      this.#isStopped = true;
      onStop();
      const ids = [...this.#jobs.keys()];
      if (ids.length > 0) say(`canceling ${ids.join(", ")}`);
      const leave = () => process.exit(130);
      Promise.allSettled(ids.map((id) => fovea.jobs.cancel(id))).then(leave);
    };
    process.once("SIGINT", this.#stop);
  }

  /** Reads a document. @returns the ended job */
  async job(content: Source, options: ReadOptions, progress: JobProgress): Promise<Job> {
    const started = await this.#start(content, options);
    const ended = follow(this.#fovea, started, progress);
    this.#jobs.set(started.id, ended);
    try {
      return await ended;
    } finally {
      this.#jobs.delete(started.id);
    }
  }

  /** Where the key may have fewer open jobs than this command wants, waits until one of them has ended. */
  async #start(content: Source, options: ReadOptions): Promise<Job> {
    for (;;)
      try {
        // The command ends when its jobs are canceled.
        if (this.#isStopped) return await new Promise<never>(() => {});
        return await this.#fovea.start(content, options);
      } catch (error) {
        const isFull = error instanceof ApiError && error.code === "too-many-jobs";
        if (!isFull || this.#jobs.size === 0) throw error;
        await Promise.race(this.#jobs.values()).catch(() => {});
      }
  }

  release(): void {
    process.off("SIGINT", this.#stop);
  }
}

/** Shows a job's progress until it ends. @returns the ended job */
export async function follow(fovea: Fovea, job: Job, progress: JobProgress): Promise<Job> {
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
export const readingOf = (input: Input) =>
  ({
    pages: input.value("pages"),
    model: input.value("model"),
    mode: input.value("mode"),
    task: input.value("task"),
    prompt: input.value("prompt"),
    token_budget: wholeNumber(input, "token-budget"),
    witness: input.has("witness") || undefined,
    sequence: input.value("sequence"),
    dpi: wholeNumber(input, "dpi"),
    languages: input.value("languages")?.split(","),
    text_layer: input.value("text-layer"),
  }) as BatchDefaults;

/** The values of `jobOptions`. @throws UsageError */
const jobOf = (input: Input) =>
  ({
    cache: input.value("cache"),
    tokens: input.value("tokens"),
    password: input.value("password"),
    zero_retention: input.has("zero-retention") || undefined,
    deliver: deliverTo(input.value("deliver")),
    webhook_url: input.value("webhook-url"),
    metadata: metadataOf(input.values("metadata")),
  }) as ReadOptions;

const deliverTo = (url: string | undefined) => (url === undefined ? undefined : { url });

function metadataOf(pairs: string[]): Record<string, string> | undefined {
  if (pairs.length === 0) return undefined;
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, text] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
      if (!name) throw new UsageError(`--metadata ${pair} is not of the form KEY=TEXT.`);
      return [name, text as string];
    }),
  );
}

/** The values of `formOptions`. */
export const formOf = (input: Input) =>
  ({
    granularity: input.value("granularity"),
    table_format: input.value("table-format"),
    join_tables: input.has("join-tables") || undefined,
    figures: input.value("figures"),
    hyperlinks: input.value("hyperlinks"),
  }) as Pick<
    ReadOptions,
    "granularity" | "table_format" | "join_tables" | "figures" | "hyperlinks"
  >;
