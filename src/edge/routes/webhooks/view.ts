/** A webhook endpoint and a delivery as the API shows them. */
import { z } from "@hono/zod-openapi";
import type { Delivery, DeliveryAttempt, ListedDelivery } from "../../storage/deliveries.ts";
import { type Endpoint, WEBHOOK_EVENTS } from "../../storage/endpoints.ts";

export const events = z.array(z.enum(WEBHOOK_EVENTS)).min(1).max(WEBHOOK_EVENTS.length);
export const endpointUrl = z.url().max(2048);

export const EndpointSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    events,
    state: z.enum(["active", "disabled"]).openapi({
      description: "`disabled`: on request, or after five consecutive failed deliveries",
    }),
    disabled_at: z.iso.datetime().nullable(),
    disabled_reason: z.enum(["failures", "request"]).nullable(),
    created_at: z.iso.datetime(),
  })
  .openapi("WebhookEndpoint");

export const EndpointWithSecret = EndpointSchema.extend({
  secret: z.string().openapi({ example: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD" }),
}).openapi("WebhookEndpointWithSecret");

export const endpointView = (endpoint: Endpoint): z.infer<typeof EndpointSchema> => ({
  id: endpoint.id,
  url: endpoint.url,
  events: endpoint.events,
  state: endpoint.state,
  disabled_at: endpoint.disabledAt === null ? null : new Date(endpoint.disabledAt).toISOString(),
  disabled_reason: endpoint.disabledReason,
  created_at: new Date(endpoint.createdAt).toISOString(),
});

const time = z.iso.datetime();

export const DeliverySchema = z
  .object({
    id: z.string().openapi({
      description: "Sent as `webhook-id` with every attempt",
      example: "msg_8a1c02f4b7d95e36c0a1d2e3",
    }),
    event: z.string().openapi({ example: "job.succeeded" }),
    url: z.string().openapi({ example: "https://example.com/hooks" }),
    endpoint_id: z.string().nullable().openapi({ description: "`null` for a job's `webhook_url`" }),
    job_id: z.string().nullable(),
    state: z.enum(["pending", "delivered", "failed"]),
    created_at: time,
  })
  .openapi("WebhookDelivery");

export const ListedDeliverySchema = DeliverySchema.extend({
  attempt_count: z.int(),
  last_status: z.int().nullable().openapi({
    description: "Status of the last answer; `null` if there was none",
    example: 200,
  }),
  last_error: z.string().nullable().openapi({ description: "Why the last attempt failed" }),
  next_attempt_at: time.nullable().openapi({
    description: "When a pending delivery is tried again; `null`: at once",
  }),
}).openapi("ListedWebhookDelivery");

export const DeliveryWithAttempts = DeliverySchema.extend({
  attempts: z.array(
    z.object({
      attempt: z.int(),
      at: time,
      duration_ms: z.int(),
      status: z
        .int()
        .nullable()
        .openapi({ description: "`null` if there was no response", example: 200 }),
      error: z.string().nullable(),
      answer: z.string().nullable().openapi({ description: "Beginning of the response body" }),
    }),
  ),
}).openapi("Delivery");

const iso = (at: number) => new Date(at).toISOString();

export const deliveryView = (delivery: Delivery): z.infer<typeof DeliverySchema> => ({
  id: delivery.id,
  event: delivery.event,
  url: delivery.url,
  endpoint_id: delivery.endpointId,
  job_id: delivery.jobId,
  state: delivery.state,
  created_at: iso(delivery.createdAt),
});

export const listedDeliveryView = (
  delivery: ListedDelivery,
): z.infer<typeof ListedDeliverySchema> => ({
  ...deliveryView(delivery),
  attempt_count: delivery.attempts,
  last_status: delivery.lastStatus,
  last_error: delivery.lastError,
  next_attempt_at: delivery.nextAttemptAt === null ? null : iso(delivery.nextAttemptAt),
});

export const attemptView = ({
  attempt,
  at,
  durationMs,
  status,
  error,
  answer,
}: DeliveryAttempt) => ({
  attempt,
  at: iso(at),
  duration_ms: durationMs,
  status,
  error,
  answer,
});
