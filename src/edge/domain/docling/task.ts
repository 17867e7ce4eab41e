/**
 * The id of a task contains all that the task is: its jobs and the form of its answer. Nothing is stored for it; the jobs
 * are those of the caller's account or they are not found (docs/decisions/0060).
 */
import { z } from "zod";
import { base64url, fromBase64url } from "../encoding.ts";
import { idPattern } from "../ids.ts";
import { IMAGE_MODES, TO_FORMATS } from "./options.ts";

/** Documents of a request. */
export const MAX_SOURCES = 20;
/** Characters of an id: that of the most documents with the longest page break. */
const MAX_ID = 2000;

export const TARGETS = ["inbody", "zip"] as const;

const Task = z.object({
  jobs: z
    .array(z.string().regex(idPattern("job")))
    .min(1)
    .max(MAX_SOURCES),
  formats: z.array(z.enum(TO_FORMATS)),
  images: z.enum(IMAGE_MODES),
  target: z.enum(TARGETS),
  pageBreak: z.string(),
});
export type Task = z.infer<typeof Task>;

const PREFIX = "task_";
const JOB = "job_";

export function taskId({ jobs, formats, images, target, pageBreak }: Task): string {
  const ids = jobs.map((id) => id.slice(JOB.length));
  const text = JSON.stringify([ids, formats, images, target, pageBreak]);
  return PREFIX + base64url(new TextEncoder().encode(text).buffer as ArrayBuffer);
}

/** @returns `null` if the text is no such id */
export function readTaskId(id: string): Task | null {
  if (!id.startsWith(PREFIX) || id.length > MAX_ID) return null;
  try {
    const bytes = fromBase64url(id.slice(PREFIX.length)) as Uint8Array;
    const [ids, formats, images, target, pageBreak] = JSON.parse(new TextDecoder().decode(bytes));
    const jobs = ids.map((id: unknown) => `${JOB}${id}`);
    return Task.safeParse({ jobs, formats, images, target, pageBreak }).data ?? null;
  } catch {
    return null;
  }
}
