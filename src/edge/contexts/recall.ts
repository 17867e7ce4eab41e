/** Recall: the text of a message, from its original or read from its image. */
import type { Env } from "../bindings.ts";
import type { Caller } from "../context.ts";
import { sha256 } from "../domain/encoding.ts";
import { newId } from "../domain/ids.ts";
import { isOver } from "../domain/jobs/job.ts";
import { type Fidelity, fidelity, normalise } from "../domain/memory/fidelity.ts";
import { messageText } from "../domain/memory/message-text.ts";
import { textInBoxes } from "../domain/memory/read-by-box.ts";
import { expectedPrecision } from "../domain/memory/vision-tokens.ts";
import { RENDER } from "../domain/pages/models.ts";
import type { PageError, VERDICTS } from "../domain/pages/page-result.ts";
import { admitPages, NOT_LIMITED, refused } from "../jobs/admit.ts";
import { startJob } from "../jobs/create.ts";
import { Problem } from "../problem.ts";
import { settings } from "../settings.ts";
import { pageFile } from "../storage/files.ts";
import { findJobById, jobPages, lastJobOf } from "../storage/jobs.ts";
import type { Context } from "../storage/memory/contexts.ts";
import { type Message, saveRecall, type Unsealed } from "../storage/memory/messages.ts";
import {
  findRender,
  formIn,
  type PageBoxes,
  type Render,
  rendersOf,
} from "../storage/memory/segments.ts";
import { readStored } from "../storage/results.ts";
import { readingOptions } from "./documents.ts";
import { modeFor } from "./render.ts";
import { contentsOf } from "./texts.ts";
import { jobsOver } from "./wait.ts";

export interface Recalled {
  /** Form of the image that holds the message; `text` if there is none. */
  form: string;
  /** `reading`: ask again. */
  state: "recalled" | "reading";
  source: "original" | "image";
  text: string | null;
  /** `pages`: where the message is on its pages is not known, and `text` is all of their text. */
  scope: "message" | "pages" | null;
  verdict: (typeof VERDICTS)[number] | null;
  expectedPrecision: [number, number] | null;
  model: string | null;
  digest: string | null;
  /** Compared with the original, if the context keeps it. */
  measured: Fidelity | null;
  /** Whether the words equal the original's. */
  verified: boolean | null;
  jobs: string[];
}

type Imaged = Render & { boxes: PageBoxes[] };

const NOTHING = {
  scope: null,
  verdict: null,
  expectedPrecision: null,
  model: null,
  digest: null,
  measured: null,
  verified: null,
  jobs: [],
};

/**
 * Recalls a message for a client: its original where the context still has it, else what a model reads in its image.
 * @param source `image`: reads the image even if the original exists
 * @param model the reader; the default model if left out
 * @param waitMs how long to wait for the reading
 * @throws Problem `unknown-model`, `unsupported-option`, `document-unread`, or one of `ADMISSION`
 */
export async function recallMessage(
  env: Env,
  caller: Caller,
  context: Context,
  message: Unsealed,
  {
    model,
    source = "auto",
    waitMs,
  }: { model?: string | undefined; source?: "auto" | "image" | undefined; waitMs: number },
): Promise<Recalled> {
  const by = demandReader(env, model);
  const content = (await contentsOf(env, context, [message])).get(message.number);
  const original = content ? messageText(content) : null;
  const render = await shownRender(env, context, message);
  if (render === null || (source === "auto" && original !== null))
    return {
      ...NOTHING,
      form: render?.form ?? "text",
      state: "recalled",
      source: "original",
      text: original,
    };
  const pages = pagesWith(render, message.number);
  const jobs = await readPages(env, caller, context, render, pages, by);
  await jobsOver(env, caller.tenantId, jobs, Date.now() + waitMs);
  const known = {
    ...NOTHING,
    form: render.form,
    source: "image" as const,
    expectedPrecision: expectedPrecision(message.textTokens / (tokensPer(render, message) || 1)),
    jobs,
  };
  const read = await readingOf(env, render, pages, message, jobs);
  if (read === null) return { ...known, state: "reading", text: null };
  if ("error" in read)
    throw new Problem("document-unread", `${read.error.code}: ${read.error.message}`);
  const measured = original === null ? null : fidelity(read.text, original);
  const verified = (await sha256(normalise(read.text))) === message.fingerprint;
  await saveRecall(env.DB, context.id, message.number, {
    model: read.model,
    digest: read.digest,
    verdict: read.verdict,
    form: render.form,
    cer: measured?.cer ?? null,
    verified,
    at: Date.now(),
  });
  return { ...known, ...read, state: "recalled", measured, verified };
}

function demandReader(env: Env, model: string | undefined): string {
  const { MODELS, DEFAULT_MODEL } = settings(env);
  const by = model ?? DEFAULT_MODEL;
  if (!MODELS.includes(by))
    throw new Problem("unknown-model", `Choose one of ${MODELS.join(", ")}.`);
  if (by === RENDER)
    throw new Problem("unsupported-option", `${by} makes images and cannot read them.`);
  return by;
}

/** The image of a message that the context's own view shows, else the most legible one. */
async function shownRender(
  env: Env,
  context: Context,
  { segmentId }: Message,
): Promise<Imaged | null> {
  if (segmentId === null) return null;
  const form = await formIn(env.DB, context, segmentId);
  const ready = (await rendersOf(env.DB, segmentId)).filter(({ state }) => state === "ready");
  const own = ready.filter(({ profile }) => profile === context.profile);
  const shown = own.find((render) => render.form === form);
  const precision = (render: Render) => render.precision ?? 0;
  const [clearest] = [...own, ...ready].sort((a, b) => precision(b) - precision(a));
  const chosen = shown ?? clearest;
  return chosen ? findRender(env.DB, context.id, chosen.id) : null;
}

/** Indices of the pages that contain a message. */
const pagesWith = ({ pages }: Imaged, number: number) =>
  pages.flatMap(({ messages }, i) => (messages.some((one) => one.number === number) ? i : []));

/** A message's share of the tokens of its image, by its share of the pages. */
function tokensPer(render: Imaged, { number }: Message): number {
  return pagesWith(render, number).reduce((sum, i) => {
    const page = render.pages[i];
    return sum + (page ? page.tokens / (page.messages.length || 1) : 0);
  }, 0);
}

/** Starts a job for each page that the model has not read. @returns the jobs of the pages, old and new */
async function readPages(
  env: Env,
  caller: Caller,
  context: Context,
  render: Imaged,
  pages: number[],
  model: string,
): Promise<string[]> {
  const jobs: string[] = [];
  let admitted = false;
  for (const i of pages) {
    const fileId = render.pages[i]?.fileId ?? "";
    const known = await lastJobOf(env.DB, fileId, model);
    if (known) {
      jobs.push(known);
      continue;
    }
    const file = await pageFile(env.DB, context.id, fileId);
    if (!file) continue;
    if (!admitted) await admitPages(env, caller, model, 1);
    // The key's limits hold for the message, so for its first page.
    const allowance = admitted ? NOT_LIMITED : { ...NOT_LIMITED, ...caller.quota };
    admitted = true;
    const id = newId("job", Date.now());
    // A larger mode than that of the image would find no more in it.
    const options = readingOptions(model, modeFor(model, render.form));
    const started = await startJob(env, file, { id, keyId: caller.keyId, allowance, options });
    if ("refusal" in started) throw refused(started, allowance);
    jobs.push(id);
  }
  return jobs;
}

type Read = Pick<Recalled, "scope"> & {
  text: string;
  verdict: (typeof VERDICTS)[number];
  model: string;
  digest: string;
};

const WORST = ["ok", "blank", "suspect", "unreadable", "failed"] as const;
const GONE: PageError = { code: "gone", message: "The image was replaced meanwhile: ask again." };

/** Combines what the jobs have read. @returns an error if a page could not be read; `null` while a job is open */
async function readingOf(
  env: Env,
  render: Imaged,
  pages: number[],
  message: Message,
  jobIds: string[],
): Promise<Read | { error: PageError } | null> {
  const texts: string[] = [];
  const found = { model: "", digest: "", worst: 0 };
  let scope: "message" | "pages" = "message";
  for (const [i, id] of jobIds.entries()) {
    const job = await findJobById(env.DB, id);
    if (job && !isOver(job.state)) return null;
    const page = job && (await jobPages(env.DB, id))[0];
    if (!page) return { error: job?.error ?? GONE };
    const { reading, error } = await readStored(env.BUCKET, job, page);
    if (!reading) return { error };
    const boxes = render.boxes[pages[i] ?? -1]?.[message.number];
    if (!boxes) scope = "pages";
    texts.push(boxes ? textInBoxes(reading.blocks, boxes) : reading.markdown);
    found.worst = Math.max(found.worst, WORST.indexOf(reading.verdict));
    Object.assign(found, { model: reading.model, digest: reading.model_digest });
  }
  if (texts.length === 0) return { error: GONE };
  return {
    text: texts.join("\n").trim(),
    scope,
    verdict: WORST[found.worst] ?? ("failed" as const),
    model: found.model,
    digest: found.digest,
  };
}
