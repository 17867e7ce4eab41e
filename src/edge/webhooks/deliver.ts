/**
 * Delivers webhooks: thin, signed by the Standard Webhooks specification, each with an id that stays
 * the same over all attempts. The queue holds what is to be tried again and when; after the last
 * attempt it hands the message to the dead-letter queue, where the delivery is given up.
 */
import { Webhook } from "standardwebhooks";
import type { DeliveryMessage, Env } from "../bindings.ts";
import { webhookBackoff } from "../domain/webhooks/webhook-backoff.ts";
import { outboundFault } from "../security/outbound.ts";
import { signingSecrets, tenantSecret } from "../security/webhook-secret.ts";
import { settings } from "../settings.ts";
import { audit } from "../storage/audit.ts";
import {
  type Delivery,
  deliverNotice,
  failDelivery,
  findDelivery,
  recordAttempt,
} from "../storage/deliveries.ts";
import { endpointFailed, endpointSucceeded, findEndpoint } from "../storage/endpoints.ts";
import { findJobById, type Job } from "../storage/jobs.ts";

const TIMEOUT_MS = 15_000;
/** Of an answer, kept in the log. */
const ANSWER_BYTES = 1024;

export async function deliverWebhooks(
  batch: MessageBatch<DeliveryMessage>,
  env: Env,
): Promise<void> {
  await Promise.all(
    batch.messages.map(async (message) => {
      if (await deliver(env, message.body.deliveryId, message.attempts)) return message.ack();
      const delaySeconds = webhookBackoff(message.attempts, settings(env).WEBHOOK_BACKOFF_S);
      message.retry({ delaySeconds });
    }),
  );
}

/** Deliveries whose every attempt failed. */
export async function failDeadLetters(
  batch: MessageBatch<DeliveryMessage>,
  env: Env,
): Promise<void> {
  for (const message of batch.messages) {
    const { deliveryId } = message.body;
    const delivery = await findDelivery(env.DB, deliveryId);
    await failDelivery(env.DB, deliveryId);
    if (delivery) await countFailure(env, delivery);
    message.ack();
  }
}

/** An endpoint that fails too often is disabled, and its tenant is told: in the audit log, and by the other endpoints. */
async function countFailure(env: Env, { tenantId, endpointId, url }: Delivery): Promise<void> {
  if (!endpointId || !(await endpointFailed(env.DB, endpointId, Date.now()))) return;
  await audit(env.DB, tenantId, null, "endpoint.disabled", endpointId);
  const data = { endpoint_id: endpointId, url, reason: "failures" };
  await deliverNotice(env, tenantId, "endpoint.disabled", data);
}

/** One attempt. @returns false when it is to be tried again. */
async function deliver(env: Env, deliveryId: string, attempt: number): Promise<boolean> {
  const delivery = await findDelivery(env.DB, deliveryId);
  if (delivery?.state !== "pending") return true;
  const job = delivery.jobId === null ? null : await findJobById(env.DB, delivery.jobId);
  const body = webhookBody(delivery, job, settings(env).PUBLIC_ORIGIN);
  if (!body) return true;

  const at = Date.now();
  const outcome = await post(env, delivery, JSON.stringify(body));
  const delivered = outcome.status !== null && outcome.status >= 200 && outcome.status < 300;
  // 410: the receiver says that nobody is there any more (Standard Webhooks).
  const over = outcome.refused || outcome.status === 410;
  await recordAttempt(
    env.DB,
    delivery.id,
    {
      attempt,
      at,
      durationMs: Date.now() - at,
      status: outcome.status,
      error: delivered ? null : outcome.error,
      answer: outcome.answer ?? null,
    },
    delivered ? "delivered" : over ? "failed" : "pending",
  );
  if (delivery.endpointId) {
    if (delivered) await endpointSucceeded(env.DB, delivery.endpointId);
    else if (over) await countFailure(env, delivery);
  }
  return delivered || over;
}

interface Outcome {
  status: number | null;
  error: string;
  answer?: string;
  refused?: boolean;
}

async function post(env: Env, delivery: Delivery, body: string): Promise<Outcome> {
  // Judged again: what was allowed when the job was made may no longer be.
  const fault = await outboundFault(env, delivery.url);
  if (fault) return { status: null, error: fault.words, refused: fault.refused };

  const now = new Date();
  const secrets = await secretsOf(env, delivery, now.getTime());
  if (!secrets) return { status: null, error: "the endpoint was deleted", refused: true };
  const signatures = secrets.map((secret) => new Webhook(secret).sign(delivery.id, now, body));
  try {
    const response = await fetch(delivery.url, {
      method: "POST",
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        "content-type": "application/json",
        "user-agent": "Fovea",
        "webhook-id": delivery.id,
        "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
        "webhook-signature": signatures.join(" "),
      },
      body,
    });
    const answer = await beginning(response.body);
    return { status: response.status, error: `answered with status ${response.status}`, answer };
  } catch (error) {
    const timeout = error instanceof Error && error.name === "TimeoutError";
    return { status: null, error: timeout ? "no answer in time" : "no connection" };
  }
}

/** The first part of an answer, for the log; the rest is not waited for. */
async function beginning(body: ReadableStream<Uint8Array> | null): Promise<string> {
  if (!body) return "";
  const reader = body.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return new TextDecoder().decode(value?.subarray(0, ANSWER_BYTES));
}

/** @returns `null` when the endpoint is gone. */
async function secretsOf(env: Env, delivery: Delivery, now: number): Promise<string[] | null> {
  const { SIGNING_SECRET } = settings(env);
  if (!delivery.endpointId) return [await tenantSecret(SIGNING_SECRET, delivery.tenantId)];
  const endpoint = await findEndpoint(env.DB, delivery.tenantId, delivery.endpointId);
  return endpoint && signingSecrets(SIGNING_SECRET, endpoint, now);
}

/**
 * The same bytes at every attempt: the job is over, so nothing in it changes any more.
 * @returns `null` when the job is gone.
 */
export function webhookBody(delivery: Delivery, job: Job | null, origin: string) {
  const { event, payload, createdAt } = delivery;
  if (payload) return { type: event, timestamp: new Date(createdAt).toISOString(), data: payload };
  if (!job) return null;
  const self = `${origin}/v1/jobs/${job.id}`;
  return {
    type: event,
    timestamp: new Date(job.finishedAt ?? createdAt).toISOString(),
    data: {
      job_id: job.id,
      file_id: job.fileId,
      state: job.state,
      progress: { total: job.planned ? job.total : null, done: job.done, failed: job.failed },
      error: job.error,
      metadata: job.metadata,
      links: { self, result: `${self}/result` },
    },
  };
}
