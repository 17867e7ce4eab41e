/**
 * Makes one attempt of a webhook delivery, signed as Standard Webhooks. All attempts of a delivery have the same id. The
 * driver of the receiver (receiver.ts) decides when; this file decides what an outcome means.
 */
import { Webhook } from "standardwebhooks";
import type { Env } from "../bindings.ts";
import { webhookBackoff } from "../domain/webhooks/webhook-backoff.ts";
import { outboundFault } from "../security/outbound.ts";
import { signingSecrets, tenantSecret } from "../security/webhook-secret.ts";
import { settings } from "../settings.ts";
import { deliverNotice } from "../signals/wake-receiver.ts";
import { audit } from "../storage/audit.ts";
import { type Delivery, failDelivery, recordAttempt, TEST_EVENT } from "../storage/deliveries.ts";
import { endpointFailed, endpointSucceeded, findEndpoint } from "../storage/endpoints.ts";
import { findJobById, type Job } from "../storage/jobs.ts";

const TIMEOUT_MS = 15_000;
/** Of an answer, kept in the log. */
const ANSWER_BYTES = 1024;

/** Makes an attempt and records its outcome: the delivery is delivered, has failed, or is due again later. */
export async function deliver(env: Env, delivery: Delivery): Promise<void> {
  const { PUBLIC_ORIGIN, WEBHOOK_BACKOFF_S } = settings(env);
  const job = delivery.jobId === null ? null : await findJobById(env.DB, delivery.jobId);
  const body = webhookBody(delivery, job, PUBLIC_ORIGIN);
  if (!body) return failDelivery(env.DB, delivery.id);

  const at = Date.now();
  const outcome = await post(env, delivery, JSON.stringify(body));
  const { status, error, answer = null } = outcome;
  const delivered = status !== null && status >= 200 && status < 300;
  // 410: the receiver wants no more deliveries (Standard Webhooks).
  const over = outcome.refused || status === 410 || delivery.event === TEST_EVENT;
  const backoff = over ? null : webhookBackoff(delivery.failures + 1, WEBHOOK_BACKOFF_S);
  const state = delivered ? "delivered" : backoff === null ? "failed" : "pending";
  const now = Date.now();
  await recordAttempt(
    env.DB,
    delivery.id,
    { at, durationMs: now - at, status, error: delivered ? null : error, answer },
    state,
    state === "pending" ? now + (backoff as number) * 1000 : null,
  );
  if (state === "delivered" && delivery.endpointId)
    await endpointSucceeded(env.DB, delivery.endpointId);
  if (state === "failed" && delivery.event !== TEST_EVENT) await countFailure(env, delivery);
}

/** Disables an endpoint that fails too often. The audit log and the tenant's other endpoints report that. */
async function countFailure(env: Env, { tenantId, endpointId, url }: Delivery): Promise<void> {
  if (!endpointId || !(await endpointFailed(env.DB, endpointId, Date.now()))) return;
  await audit(env.DB, tenantId, null, "endpoint.disabled", endpointId);
  const data = { endpoint_id: endpointId, url, reason: "failures" };
  await deliverNotice(env, tenantId, "endpoint.disabled", data);
}

interface Outcome {
  status: number | null;
  error: string;
  answer?: string;
  refused?: boolean;
}

async function post(env: Env, delivery: Delivery, body: string): Promise<Outcome> {
  // Checked at every attempt, because DNS and settings can change after the job was created.
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

/** The beginning of a response body, for the delivery log. */
async function beginning(body: ReadableStream<Uint8Array> | null): Promise<string> {
  if (!body) return "";
  const reader = body.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return new TextDecoder().decode(value?.subarray(0, ANSWER_BYTES));
}

/** @returns `null` if the endpoint was deleted */
async function secretsOf(env: Env, delivery: Delivery, now: number): Promise<string[] | null> {
  const { SIGNING_SECRET } = settings(env);
  if (!delivery.endpointId) return [await tenantSecret(SIGNING_SECRET, delivery.tenantId)];
  const endpoint = await findEndpoint(env.DB, delivery.tenantId, delivery.endpointId);
  return endpoint && signingSecrets(SIGNING_SECRET, endpoint, now);
}

/**
 * The body of a delivery. It is the same at every attempt, because an ended job does not change.
 * @returns `null` if the job was deleted
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
