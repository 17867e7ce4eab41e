/** A webhook endpoint as the API shows it. */
import { z } from "@hono/zod-openapi";
import { type Endpoint, WEBHOOK_EVENTS } from "../../storage/endpoints.ts";

export const events = z.array(z.enum(WEBHOOK_EVENTS)).min(1).max(WEBHOOK_EVENTS.length);
export const endpointUrl = z.url().max(2048);

export const EndpointSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    events,
    state: z.enum(["active", "disabled"]).openapi({
      description: "Disabled by hand, or after five deliveries in a row that failed for good",
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
