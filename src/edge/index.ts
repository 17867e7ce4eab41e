/** The Worker: HTTP, the webhook queue, the sweep, and the classes that Cloudflare instantiates. */
import { newApp } from "./app.ts";
import type { DeliveryMessage, Env } from "./bindings.ts";
import { sweep } from "./sweep.ts";
import { deliverWebhooks, failDeadLetters } from "./webhooks/deliver.ts";

export { BatchDriver } from "./batches/driver.ts";
export { Scheduler } from "./dispatch/scheduler.ts";
export { UploadWorkflow } from "./documents/uploads.ts";
export { ShardWorkflow } from "./jobs/shard-workflow.ts";
export { RateLimiter } from "./keys/rate-limiter.ts";
export { JobNotifier } from "./signals/notifier.ts";

const app = newApp();

export default {
  fetch: app.fetch,
  queue: (batch, env) =>
    batch.queue.endsWith("-dead") ? failDeadLetters(batch, env) : deliverWebhooks(batch, env),
  scheduled: (_event, env) => sweep(env),
} satisfies ExportedHandler<Env, DeliveryMessage>;
