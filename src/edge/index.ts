/** The Worker: HTTP, the webhook queue, the sweep, and the classes that Cloudflare instantiates. */
import { newApp } from "./app.ts";
import type { DeliveryMessage, Env } from "./bindings.ts";
import { sweep } from "./sweep.ts";
import { buryBatch, deliverBatch } from "./webhooks/deliver.ts";

export { BatchDriver } from "./batches/driver.ts";
export { SlotKeeper } from "./dispatch/keeper.ts";
export { UploadWorkflow } from "./documents/uploads.ts";
export { ShardWorkflow } from "./jobs/shard-workflow.ts";
export { KeyGuard } from "./keys/guard.ts";
export { JobHub } from "./signals/hub.ts";

const app = newApp();

export default {
  fetch: app.fetch,
  queue: (batch, env) =>
    batch.queue.endsWith("-dead") ? buryBatch(batch, env) : deliverBatch(batch, env),
  scheduled: (_event, env) => sweep(env),
} satisfies ExportedHandler<Env, DeliveryMessage>;
