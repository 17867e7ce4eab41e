/** What the minute's sweep does for batches: wakes those whose driver was lost, and ends what is kept too long. */
import type { Env } from "../bindings.ts";
import { settings } from "../settings.ts";
import { wakeBatch } from "../signals/wake-batch.ts";
import { audit } from "../storage/audit.ts";
import { expiredBatches, markBatchDeleting, strandedBatches } from "../storage/batches.ts";
import { deleteManifest, unusedManifests } from "../storage/manifests.ts";

/** Longer than any turn takes. */
const GRACE_MS = 2 * 60_000;

/** An uploaded manifest waits this long for a batch. */
const UNUSED_MS = 24 * 3600_000;

/** For each sweep; the next one goes on. */
const AT_ONCE = 50;

export async function sweepBatches(env: Env, now: number): Promise<void> {
  for (const batch of await expiredBatches(env.DB, settings(env).RETENTION_DAYS, now, AT_ONCE))
    if (await markBatchDeleting(env.DB, batch.id))
      await audit(env.DB, batch.tenantId, null, "batch.expired", batch.id);
  for (const manifest of await unusedManifests(env.DB, now - UNUSED_MS, AT_ONCE))
    await deleteManifest(env.DB, env.BUCKET, manifest);
  for (const id of await strandedBatches(env.DB, now - GRACE_MS)) await wakeBatch(env, id);
}
