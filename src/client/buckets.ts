/** `fovea.buckets`: connections to S3-compatible buckets of yours. Needs the scope `buckets`. */
import { all, type Listed, type ListQuery } from "./list.ts";
import type { Bucket, BucketAccessKey, BucketCheck, NewBucket } from "./schema.ts";
import type { CallOptions, Transport } from "./transport.ts";

export class Buckets {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** Connects a bucket. The access key is never shown again. */
  create(bucket: NewBucket, options: CallOptions = {}): Promise<Bucket> {
    return this.#http.json("POST", "/v1/buckets", { json: bucket, ...options });
  }

  get(id: string, options: CallOptions = {}): Promise<Bucket> {
    return this.#http.json("GET", path(id), options);
  }

  list(query: ListQuery = {}, options: CallOptions = {}): Promise<Listed<Bucket>> {
    return this.#http.json("GET", "/v1/buckets", { query: { ...query }, ...options });
  }

  all(): AsyncGenerator<Bucket> {
    return all((page) => this.list(page));
  }

  /** Lists objects, writes a small one, reads it back and deletes it. */
  check(id: string, options: CallOptions = {}): Promise<BucketCheck> {
    return this.#http.json("POST", `${path(id)}/check`, options);
  }

  /** Replaces the access key. */
  rotate(id: string, accessKey: BucketAccessKey, options: CallOptions = {}): Promise<Bucket> {
    return this.#http.json("POST", `${path(id)}/rotate`, { json: accessKey, ...options });
  }

  /** Deletes the connection and its access key; the bucket is not touched. */
  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.noContent("DELETE", path(id), options);
  }
}

const path = (id: string) => `/v1/buckets/${encodeURIComponent(id)}`;
