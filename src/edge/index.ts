/** The Worker: HTTP, the sweep, and the classes that Cloudflare instantiates. */
import { newApp } from "./app.ts";
import type { Env } from "./bindings.ts";
import { sweep } from "./sweep.ts";

export { BatchDriver } from "./batches/driver.ts";
export { ContextDriver } from "./contexts/driver.ts";
export { Scheduler } from "./dispatch/scheduler.ts";
export { UploadWorkflow } from "./documents/uploads.ts";
export { ExtractionWorkflow } from "./extraction/workflow.ts";
export { ShardWorkflow } from "./jobs/shard-workflow.ts";
export { RateLimiter } from "./keys/rate-limiter.ts";
export { OutputWorkflow } from "./outputs/workflow.ts";
export { JobNotifier } from "./signals/notifier.ts";
export { ContextIndex } from "./storage/memory/text-index.ts";
export { WebhookReceiver } from "./webhooks/receiver.ts";

const app = newApp();

export default {
  fetch: app.fetch,
  scheduled: (_event, env) => sweep(env),
} satisfies ExportedHandler<Env>;
