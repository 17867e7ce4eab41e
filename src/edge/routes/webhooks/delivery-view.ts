/** A webhook delivery as the API shows it. */
import { z } from "@hono/zod-openapi";
import type { Delivery, DeliveryAttempt } from "../../storage/deliveries.ts";

const time = z.iso.datetime();

export const DeliverySchema = z
  .object({
    id: z.string().openapi({
      description: "The `webhook-id` of every attempt",
      example: "msg_8a1c02f4b7d95e36c0a1d2e3",
    }),
    event: z.string().openapi({ example: "job.succeeded" }),
    url: z.string().openapi({ example: "https://example.com/hooks" }),
    endpoint_id: z.string().nullable().openapi({ description: "`null`: a job's `webhook_url`" }),
    job_id: z.string().nullable(),
    state: z.enum(["pending", "delivered", "failed"]),
    created_at: time,
  })
  .openapi("WebhookDelivery");

export const DeliveryWithAttempts = DeliverySchema.extend({
  attempts: z.array(
    z.object({
      attempt: z.int(),
      at: time,
      duration_ms: z.int(),
      status: z
        .int()
        .nullable()
        .openapi({ description: "`null` when no answer came", example: 200 }),
      error: z.string().nullable(),
      answer: z.string().nullable().openapi({ description: "The beginning of the answer's body" }),
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
