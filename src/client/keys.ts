/** `fovea.keys`: the tenant's API keys. Needs the scope `admin`. */
import { all, type Listed, type ListQuery } from "./list.ts";
import type { ApiKey, ChangeApiKey, CreatedApiKey, NewApiKey } from "./schema.ts";
import type { CallOptions, Transport } from "./transport.ts";

export class Keys {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** Creates a key. Only this response contains the `key` itself. */
  create(key: NewApiKey = {}, options: CallOptions = {}): Promise<CreatedApiKey> {
    return this.#http.json("POST", "/v1/keys", { json: key, ...options });
  }

  list(query: ListQuery = {}, options: CallOptions = {}): Promise<Listed<ApiKey>> {
    return this.#http.json("GET", "/v1/keys", { query: { ...query }, ...options });
  }

  all(): AsyncGenerator<ApiKey> {
    return all((page) => this.list(page));
  }

  /** Changes a key's name, expiry and limits; `null` removes a limit. */
  change(id: string, change: ChangeApiKey, options: CallOptions = {}): Promise<ApiKey> {
    return this.#http.json("PATCH", `/v1/keys/${encodeURIComponent(id)}`, {
      json: change,
      ...options,
    });
  }

  /** Creates a key with the same rights. The old key stays valid for `overlapS` seconds (default: a day). */
  rotate(
    id: string,
    { overlapS, ...call }: CallOptions & { overlapS?: number | undefined } = {},
  ): Promise<CreatedApiKey> {
    const json = overlapS === undefined ? {} : { overlap_s: overlapS };
    return this.#http.json("POST", `/v1/keys/${encodeURIComponent(id)}/rotate`, { json, ...call });
  }

  revoke(id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.noContent("DELETE", `/v1/keys/${encodeURIComponent(id)}`, options);
  }
}
