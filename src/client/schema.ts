/** Made by scripts/client-types.ts from the OpenAPI document: do not edit. */

export type File = {
  id: string;
  sha256: string;
  bytes: number;
  media_type: string;
  name: string | null;
  /** `null` until it has been opened */
  page_count: number | null;
  created_at: string;
};

export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  request_id: string;
  errors?: Array<{
    path: string;
    message: string;
  }>;
};

export type Job = {
  id: string;
  state: "queued" | "running" | "succeeded" | "partial" | "failed" | "canceled" | "expired";
  file_id: string;
  model: string;
  mode: string;
  task: string;
  prompt: string | null;
  dpi: number;
  selection: string;
  cache: "use" | "refresh" | "only";
  progress: {
    /** `null` until the pages are counted. */
    total: number | null;
    done: number;
    failed: number;
  };
  pages?: Array<PageStatus>;
  error: PageError;
  metadata: Record<string, string>;
  webhook_url: string | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  deadline_at: string;
  links: {
    self: string;
    events: string;
    result: string;
    cancel: string;
    deliveries: string;
  };
  result?: ResultDocument;
};

export type PageStatus = {
  page: number;
  state: "pending" | "done" | "failed" | "canceled";
  /** `hit`: from the cache · `read`: read for this job · `shared`: read once for several requests */
  source: "hit" | "read" | "shared";
  verdict: string | null;
  finish_reason: string | null;
  /** How often workers delivered this reading. */
  readings: number;
  error: PageError;
};

export type PageError = {
  code: string;
  message: string;
} | null;

export type ResultDocument = {
  schema: 1;
  job_id: string;
  file_id: string;
  pages: Array<StoredPageResult | {
    page: number;
    error: PageError;
  }>;
};

export type StoredPageResult = PageResult & {
  /** Who read what, signed; keys at `/.well-known/fovea-receipt-keys` */
  receipt: {
    payload: string;
    signature: string;
    key_id: string;
  };
};

export type Block = {
  id: number;
  type: "title" | "sub_title" | "text" | "list" | "table" | "table_caption" | "image" | "image_caption" | "equation" | "code" | "header" | "footer" | "page_number";
  /** x0, y0, x1, y1 in 0..1 */
  bbox: [number, number, number, number];
  text: string;
  html?: string;
  latex?: string;
  confidence: number | null;
};

export type PageResult = {
  schema: 1;
  page: number;
  width: number;
  height: number;
  dpi: number | null;
  model: string;
  model_digest: string;
  mode: string;
  task: string;
  prompt: string | null;
  vision_tokens: {
    positions: number;
    patches: number;
    valid: number;
    /** columns, rows */
    tiles?: [number, number];
    max_tiles?: number;
  } | null;
  text_tokens: number | null;
  compression: number | null;
  expected_precision: [number, number] | null;
  blocks: Array<Block>;
  markdown: string;
  finish_reason: "stop" | "length" | "loop" | "blank" | "error";
  verdict: "ok" | "blank" | "suspect" | "unreadable" | "failed";
  warnings: Array<string>;
  attempts: Array<{
    mode: string;
    tokens: number | null;
    finish_reason: "stop" | "length" | "loop" | "blank" | "error";
  }>;
  timings_ms: {
    raster: number;
    encode: number;
    prefill: number;
    decode: number;
  };
  error: PageError;
};

export type OcrRequest = {
  file?: string;
  /** `https:` URL or `data:` URL of the document */
  url?: string;
  /** Pages from 1; all when empty. Ranges past the end are clipped. */
  pages?: string;
  model?: string;
  mode?: "auto" | "tiny" | "small" | "base" | "large" | "gundam";
  task?: "markdown" | "free" | "figure" | "describe" | "locate" | "deep";
  prompt?: string;
  /** PDF raster resolution */
  dpi?: number;
  /** `refresh`: read again · `only`: answer from the cache or not at all */
  cache?: "use" | "refresh" | "only";
  webhook_url?: string;
  metadata?: Record<string, string>;
};

export type Delivery = {
  /** The `webhook-id` of every attempt */
  id: string;
  event: string;
  url: string;
  state: "pending" | "delivered" | "failed";
  created_at: string;
  attempts: Array<{
    attempt: number;
    at: string;
    duration_ms: number;
    /** `null` when no answer came */
    status: number | null;
    error: string | null;
  }>;
};

export type ChatCompletion = {
  id: string;
  object: "chat.completion";
  created: number;
  model: string;
  choices: Array<{
    index: 0;
    message: {
      role: "assistant";
      /** Markdown, page after page */
      content: string;
      refusal: null;
    };
    logprobs: null;
    finish_reason: "stop" | "length";
  }>;
  usage: {
    /** Vision tokens */
    prompt_tokens: number;
    completion_tokens: number;
    total_tokens: number;
    prompt_tokens_details: {
      cached_tokens: number;
    };
  };
  fovea: {
    job_id: string;
    file_id: string;
    state: string;
    /** Of the worst page */
    verdict: string;
    pages: Array<{
      page: number;
      verdict: string;
      source: string;
      error: {
        code: string;
        message: string;
      } | null;
    }>;
    unread_messages: number;
  };
};

export type ChatError = {
  error: {
    message: string;
    type: string;
    param: string | null;
    code: string;
  };
};

/** Other fields of OpenAI's (`temperature`, `max_tokens`, …) are taken and have no effect. */
export type ChatRequest = {
  model: string;
  /** The words of the last `user` message name a task (`markdown`, `free`, `figure`, `describe`, `deep`) or are its official wording (`Free OCR.`, `Locate <|ref|>total<|/ref|> in the image.`); none: `markdown`; others are a prompt, where the model takes one. The document is in the same message, or in the last one before that has any. No other message is read. */
  messages: Array<{
    role: "system" | "developer" | "user" | "assistant" | "tool";
    content?: string | Array<{
      type: "text";
      text: string;
    } | {
      type: "image_url";
      image_url: {
        /** `https:` URL or `data:` URL; a PDF will do too */
        url: string;
      };
    } | {
      type: "file";
      file: {
        /** Of POST /v1/files */
        file_id?: string;
        /** A `data:` URL */
        file_data?: string;
      };
    }> | null;
  }>;
  stream?: boolean | null;
  stream_options?: {
    include_usage?: boolean;
  } | null;
  n?: 1;
  tools?: Array<unknown> | null;
  response_format?: {
    type: "text";
  } | null;
  /** Options of POST /v1/ocr */
  fovea?: {
    pages?: string;
    mode?: "auto" | "tiny" | "small" | "base" | "large" | "gundam";
    /** In place of the task that the message's words name; those are then a prompt */
    task?: "markdown" | "free" | "figure" | "describe" | "locate" | "deep";
    dpi?: number;
    cache?: "use" | "refresh" | "only";
    metadata?: Record<string, string>;
  };
};

export type Model = {
  id: string;
  object: "model";
  /** When a worker first reported these weights, or 0 */
  created: number;
  owned_by: "fovea";
  fovea: {
    tasks: Array<string>;
    modes: Array<string>;
    takes_prompts: boolean;
    /** `null` until a worker has reported */
    digest: string | null;
  };
};

export type CreatedApiKey = ApiKey & {
  /** The key itself: shown now and never again */
  key: string;
};

export type ApiKey = {
  id: string;
  name: string;
  /** The key's last four characters */
  hint: string;
  environment: "live" | "test";
  scopes: Array<"read" | "write" | "webhooks" | "admin">;
  created_at: string;
  revoked_at: string | null;
  expires_at: string | null;
  /** To the minute */
  last_used_at: string | null;
  monthly_pages: number | null;
  concurrent_jobs: number | null;
  /** `null`: the service's default */
  rate_per_minute: number | null;
};

export type NewApiKey = {
  name?: string;
  environment?: "live" | "test";
  /** What the key may do; `admin` implies the rest. Default: `read` and `write`, or `admin` when made with the bootstrap secret */
  scopes?: Array<"read" | "write" | "webhooks" | "admin">;
  expires_at?: string;
  /** Requests a minute. Default: the service's */
  rate_per_minute?: number;
  /** Pages that it may have read in a calendar month (UTC). Default: no limit */
  monthly_pages?: number;
  /** Jobs that it may have open at once. Default: no limit */
  concurrent_jobs?: number;
  /** Only with the bootstrap secret: whose key; made when new. Default: `default` */
  tenant?: string;
};

export type RotateApiKey = {
  /** Seconds for which the old key stays valid */
  overlap_s?: number;
};

export type WebhookSecret = {
  secret: string;
};

export type WebhookEndpointWithSecret = WebhookEndpoint & {
  secret: string;
};

export type WebhookEndpoint = {
  id: string;
  url: string;
  events: Array<"job.succeeded" | "job.partial" | "job.failed" | "job.canceled" | "job.expired">;
  /** Disabled by hand, or after five deliveries in a row that failed for good */
  state: "active" | "disabled";
  created_at: string;
};

export type NewWebhookEndpoint = {
  url: string;
  events?: Array<"job.succeeded" | "job.partial" | "job.failed" | "job.canceled" | "job.expired">;
};

export type ChangeWebhookEndpoint = {
  url?: string;
  events?: Array<"job.succeeded" | "job.partial" | "job.failed" | "job.canceled" | "job.expired">;
  state?: "active" | "disabled";
};

export type Usage = {
  day: string;
  key_id: string;
  model: string;
  /** Read by a worker for this key */
  pages_read: number;
  /** Read once for several requests, another one's */
  pages_shared: number;
  /** From the cache */
  pages_cached: number;
  vision_tokens: number;
  text_tokens: number;
};

export type Settings = {
  /** Documents that no job has used for so long are deleted, with everything read from them */
  retention_days: number;
  retention_is_default: boolean;
};

export type ChangeSettings = {
  retention_days: number | null;
};

export type AuditEntry = {
  id: string;
  action: "key.created" | "key.rotated" | "key.revoked" | "settings.changed" | "file.deleted" | "file.expired" | "job.deleted";
  /** The id of what was made, changed or deleted */
  target: string;
  /** Who did it; `null`: the bootstrap secret, or the service itself */
  key_id: string | null;
  created_at: string;
};

export type ReceiptKeys = {
  keys: Array<{
    kty: "OKP";
    crv: "Ed25519";
    kid: string;
    x: string;
  }>;
};

export type Health = {
  status: "ok";
};

export type Ready = {
  status: "ready" | "not-ready";
  phases: {
    settings: boolean;
    database: boolean;
    storage: boolean;
    workers: boolean;
  };
  workers: Array<{
    state: string;
  }>;
};
