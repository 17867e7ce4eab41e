/** `fovea.webhooks`: endpoints that are notified when jobs end. Needs the scope `webhooks`. */
import type { Listed, ListQuery } from "./list.ts";
import type {
  ChangeWebhookEndpoint,
  NewWebhookEndpoint,
  WebhookDelivery,
  WebhookEndpoint,
  WebhookEndpointWithSecret,
} from "./schema.ts";
import type { CallOptions, Transport } from "./transport.ts";

export class Webhooks {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** The secret that signs webhooks to a job's `webhook_url`. Each endpoint has its own secret. */
  async secret(options: CallOptions = {}): Promise<string> {
    const path = "/v1/webhooks/secret";
    return (await this.#http.json<{ secret: string }>("GET", path, options)).secret;
  }

  /** Creates an endpoint; only this response and `rotate` contain its secret. */
  create(endpoint: NewWebhookEndpoint, options: CallOptions = {}) {
    const path = "/v1/webhooks/endpoints";
    return this.#http.json<WebhookEndpointWithSecret>("POST", path, { json: endpoint, ...options });
  }

  list(query: ListQuery = {}, options: CallOptions = {}): Promise<Listed<WebhookEndpoint>> {
    return this.#http.json("GET", "/v1/webhooks/endpoints", { query: { ...query }, ...options });
  }

  change(id: string, change: ChangeWebhookEndpoint, options: CallOptions = {}) {
    return this.#http.json<WebhookEndpoint>("PATCH", endpoint(id), { json: change, ...options });
  }

  /** Replaces the secret. For a day, webhooks carry signatures of both secrets. */
  rotate(id: string, options: CallOptions = {}): Promise<WebhookEndpointWithSecret> {
    return this.#http.json("POST", `${endpoint(id)}/rotate`, options);
  }

  /** Sends the event `endpoint.test`, once. */
  test(id: string, options: CallOptions = {}): Promise<WebhookDelivery> {
    return this.#http.json("POST", `${endpoint(id)}/test`, options);
  }

  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.noContent("DELETE", endpoint(id), options);
  }

  /** Sends a delivery again. `fovea.jobs.deliveries(id)` lists deliveries. */
  replay(deliveryId: string, options: CallOptions = {}): Promise<void> {
    const path = `/v1/webhooks/deliveries/${encodeURIComponent(deliveryId)}/replay`;
    return this.#http.noContent("POST", path, options);
  }
}

const endpoint = (id: string) => `/v1/webhooks/endpoints/${encodeURIComponent(id)}`;
