/** `fovea jobs`: jobs, their progress and their results. */
import type { Job, JobState } from "../index.ts";
import { type Command, type Input, noArgs, onlyArg, wholeNumber } from "./command.ts";
import { EXIT } from "./errors.ts";
import { deliver, outputOf, print, printJson, printTable } from "./output.ts";
import { Progress } from "./progress.ts";
import { follow, formatOf, formatOption, resultOf } from "./read.ts";

const STATES = ["queued", "running", "succeeded", "partial", "failed", "canceled", "expired"];
const HEADINGS = ["JOB", "STATE", "PAGES", "FAILED", "MODEL", "CREATED"];

export const jobs: Command[] = [
  {
    name: "jobs list",
    summary: "List the newest jobs",
    options: {
      state: { value: "STATE", help: STATES.join(", "), choices: STATES },
      file: { value: "ID", help: "only jobs for this file" },
      limit: { value: "N", help: "how many to list, at most 100 (20)" },
    },
    async run(input) {
      noArgs(input);
      const state = input.value("state") as JobState | undefined;
      const file = input.value("file");
      const limit = wholeNumber(input, "limit");
      const { data } = await input.fovea().jobs.list({ state, file, limit });
      if (input.has("json")) printJson(data);
      else printTable(HEADINGS, data.map(row));
      return 0;
    },
  },
  {
    name: "jobs get",
    args: "JOB",
    summary: "Show a job's state and pages",
    async run(input) {
      show(input, await input.fovea().jobs.get(onlyArg(input, "job id")));
      return 0;
    },
  },
  {
    name: "jobs follow",
    args: "JOB",
    summary: "Follow a job until it ends; with --json, one event per line",
    async run(input) {
      const id = onlyArg(input, "job id");
      const fovea = input.fovea();
      if (!input.has("json")) {
        const job = await follow(fovea, await fovea.jobs.get(id), new Progress(id, false));
        show(input, job);
        return job.state === "succeeded" ? 0 : EXIT.unread;
      }
      let last = "";
      for await (const event of fovea.jobs.events(id)) {
        print(JSON.stringify(event));
        if (event.type !== "page" && event.type !== "extraction.completed") last = event.type;
      }
      return last === "succeeded" ? 0 : EXIT.unread;
    },
  },
  {
    name: "jobs result",
    args: "JOB",
    summary: "Print a job's result",
    options: {
      format: formatOption,
      output: { value: "PATH", short: "o", help: "the file to write (stdout)" },
      pages: { value: "LIST", short: "p", help: "such as 1-3,7" },
    },
    async run(input) {
      const id = onlyArg(input, "job id");
      const pages = input.value("pages");
      const body = await resultOf(input.fovea(), id, formatOf(input), pages);
      await deliver(body, outputOf(input));
      return 0;
    },
  },
  {
    name: "jobs cancel",
    args: "JOB",
    summary: "Cancel a job; results of finished pages stay available",
    async run(input) {
      show(input, await input.fovea().jobs.cancel(onlyArg(input, "job id")));
      return 0;
    },
  },
  {
    name: "jobs delete",
    args: "JOB",
    summary: "Delete a job's record",
    async run(input) {
      await input.fovea().jobs.delete(onlyArg(input, "job id"));
      return 0;
    },
  },
];

const row = ({ id, state, progress, model, created_at }: Job) => {
  const { done, failed, total } = progress;
  return [id, state, `${done}/${total ?? "?"}`, failed, model, created_at];
};

function show(input: Input, job: Job): void {
  if (input.has("json")) {
    printJson(job);
    return;
  }
  printTable(HEADINGS, [row(job)]);
  if (job.error) print(`${job.error.code}: ${job.error.message}`);
  for (const { page, state, verdict, error } of job.pages ?? [])
    print(`  page ${page}: ${error ? `${error.code}: ${error.message}` : (verdict ?? state)}`);
}
