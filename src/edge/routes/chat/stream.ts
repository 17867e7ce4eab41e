/** Streams the answer to a chat request. */
import type { Context } from "hono";
import type { SSEStreamingApi } from "hono/streaming";
import type { AppEnv } from "../../context.ts";
import { presentedEntries } from "../../jobs/present.ts";
import { followEvents } from "../../jobs/watch.ts";
import { Problem, type ProblemCode } from "../../problem.ts";
import { findJob, type Job, type JobPage, jobPages } from "../../storage/jobs.ts";
import { readAllStored } from "../../storage/results.ts";
import { type Completion, fits } from "./completion.ts";
import { dataOf } from "./structured.ts";

/** The events of a streamed answer. */
export interface Events {
  start(): Promise<void>;
  /** @param piece of the content */
  text(piece: string): Promise<void>;
  /** There is no answer. @param fault a message for the client */
  fail(code: ProblemCode, fault: string): Promise<void>;
  end(): Promise<void>;
}

/** Milliseconds between two signs of life of a stream. */
const SIGN_MS = 15_000;

/** Sends each page as soon as it and all pages before it are read; with a schema, the data when all are. */
export async function streamPages(
  c: Context<AppEnv>,
  stream: SSEStreamingApi,
  completion: Completion,
  events: Events,
): Promise<void> {
  const room = fits();
  await events.start();
  for (const document of completion.jobs.keys()) {
    await streamDocument(c, stream, completion, document, events, room);
    if (stream.aborted) return;
  }
  const fault = completion.fault();
  if (fault) return events.fail("document-unread", fault);
  if (completion.job.extractionId) {
    const failure = await streamData(c, stream, completion, events);
    if (failure) return events.fail(failure.code, failure.message);
  }
  await events.end();
}

/** Sends the pages of one document. Leaves off when the client is gone. */
async function streamDocument(
  c: Context<AppEnv>,
  stream: SSEStreamingApi,
  completion: Completion,
  document: number,
  events: Events,
  room: ReturnType<typeof fits>,
): Promise<void> {
  const { DB } = c.env;
  const job = completion.jobs[document] as Job;
  const { id, tenantId, presentation } = job;
  let sent = 0;
  /** The page of the next chunk, if known. */
  let awaited: number | undefined;
  const sendRead = async () => {
    const pages = await jobPages(DB, id);
    for (; pages[sent] && pages[sent]?.state !== "pending"; sent++) {
      const page = pages[sent] as JobPage;
      const stored = readAllStored(c.env.BUCKET, job, [page]);
      for await (const entry of presentedEntries(c.env, job, stored, presentation, room)) {
        const content = completion.add(document, page, entry);
        if (content !== "" && !job.extractionId) await events.text(content);
      }
    }
    awaited = pages[sent]?.page;
  };

  for await (const event of followEvents(c.env, tenantId, id, 0)) {
    if (stream.aborted) return;
    if (event === null) await stream.write(": still here\n\n");
    else if (event.type === "page") {
      const { page } = JSON.parse(event.data) as { page: number };
      if (awaited === undefined || awaited === page) await sendRead();
    }
  }
  await sendRead();
  completion.jobs[document] = (await findJob(DB, tenantId, id)) ?? job;
}

/** @returns why there are no data; `null` if they were sent, or the client is gone */
async function streamData(
  c: Context<AppEnv>,
  stream: SSEStreamingApi,
  completion: Completion,
  events: Events,
): Promise<Problem | null> {
  try {
    while (!completion.data && !stream.aborted) {
      await stream.write(": still here\n\n");
      completion.data = await dataOf(c.env, completion.job, SIGN_MS);
    }
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  const { content, refusal } = completion;
  if (refusal !== null) return new Problem("extraction-failed", refusal);
  if (content) await events.text(content);
  return null;
}
