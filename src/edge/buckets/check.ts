/**
 * Tries what a batch needs of a bucket: it lists objects, writes a small one, reads it back and deletes it. A step whose
 * failure explains those after it ends the check.
 */
import type { Env } from "../bindings.ts";
import type { Fault } from "../domain/buckets/faults.ts";
import { sha256 } from "../domain/encoding.ts";
import { BucketFault, bucketFault } from "./fault.ts";
import type { OpenBucket } from "./open.ts";
import { deleteObject, getObject, listObjects, putObject } from "./s3.ts";

export const CHECK_STEPS = ["list", "write", "read", "delete"] as const;
type Step = (typeof CHECK_STEPS)[number];

export interface Checked {
  step: Step;
  /** `skipped`: an earlier step has failed. */
  outcome: "ok" | "failed" | "skipped";
  error: Pick<Fault, "code" | "message"> | null;
}

export async function checkBucket(env: Env, bucket: OpenBucket): Promise<Checked[]> {
  const key = `${bucket.prefix}.fovea-check-${crypto.randomUUID()}`;
  const text = "Written by a check of the connection; it can be deleted.\n";
  const stream = new TextEncoder().encode(text);
  const body = { stream, bytes: stream.byteLength, sha256: await sha256(text) };
  let written = false;
  let listed: string | undefined;
  const steps: Record<Step, () => Promise<void>> = {
    async list() {
      const { objects } = await listObjects(env, bucket, bucket.prefix, null, 1);
      listed = objects[0]?.key;
    },
    async write() {
      await putObject(env, bucket, key, { ...body, mediaType: "text/plain" });
      written = true;
    },
    async read() {
      const read = written ? key : listed;
      if (read === undefined) throw bucketFault("object_not_found", "There is nothing to read.");
      const { chunks, cancel } = await getObject(env, bucket, read, null);
      if (!written) return cancel();
      let found = "";
      for await (const chunk of chunks) found += new TextDecoder().decode(chunk);
      if (found !== text) throw bucketFault("object_changed");
    },
    delete: () => deleteObject(env, bucket, key),
  };
  const checked: Checked[] = [];
  let over = false;
  for (const step of CHECK_STEPS) {
    if (over || (step === "delete" && !written)) {
      checked.push({ step, outcome: "skipped", error: null });
      continue;
    }
    try {
      await steps[step]();
      checked.push({ step, outcome: "ok", error: null });
    } catch (error) {
      if (!(error instanceof BucketFault)) throw error;
      const { code, message, whose } = error.fault;
      checked.push({ step, outcome: "failed", error: { code, message } });
      // A key that may not list may still read and write.
      over = whose !== "object" && code !== "access_denied";
    }
  }
  return checked;
}
