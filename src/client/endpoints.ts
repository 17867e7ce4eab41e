/** `fovea.webhooks`: who is told when jobs end. Needs a key with the scope `webhooks`. */
import type { Listed, ListQuery } from "./list.ts";
import type {
  ChangeWebhookEndpoint,
  NewWebhookEndpoint,
  WebhookEndpoint,
  WebhookEndpointWithSecret,
} from "./schema.ts";
import type { CallOptions, Transport } from "./transport.ts";

export class Webhooks {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** The secret that signs webhooks to a job's own `webhook_url`; endpoints have theirs. */
  async secret(options: CallOptions = {}): Promise<string> {
    const path = "/v1/webhooks/secret";
    return (await this.#http.json<{ secret: string }>("GET", path, options)).secret;
  }

  /** The endpoint with its secret. */
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

  /** A new secret; the old one signs beside it for a day. */
  rotate(id: string, options: CallOptions = {}): Promise<WebhookEndpointWithSecret> {
    return this.#http.json("POST", `${endpoint(id)}/rotate`, options);
  }

  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.nothing("DELETE", endpoint(id), options);
  }

  /** Sends a delivery (`fovea.jobs.deliveries(id)` lists them) once more. */
  replay(deliveryId: string, options: CallOptions = {}): Promise<void> {
    const path = `/v1/webhooks/deliveries/${encodeURIComponent(deliveryId)}/replay`;
    return this.#http.nothing("POST", path, options);
  }
}

const endpoint = (id: string) => `/v1/webhooks/endpoints/${encodeURIComponent(id)}`;
