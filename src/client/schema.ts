/** Made by scripts/client-types.ts from the OpenAPI document: do not edit. */

export type File = {
  id: string;
  sha256: string;
  bytes: number;
  media_type: string;
  name: string | null;
  /** `null` until it has been opened, and for texts, whose pages depend on the mode */
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

export type KeptTokens = {
  page: number;
  dpi: number;
  mode: string;
  /** Of a text: the mode that was asked for, for which its pages are laid out */
  layout: string | null;
  model: string;
  model_digest: string;
  dtype: string;
  /** Rows of the tensor */
  positions: number;
  bytes: number;
  created_at: string;
};

export type DeletedTokens = {
  deleted: number;
  bytes: number;
};

export type OpenUpload = Upload & {
  parts: Array<{
    part: number;
    bytes: number;
    /** PUT exactly these bytes of the document here, without an API key */
    url: string;
  }>;
};

export type Upload = {
  id: string;
  /** `checking`: the bytes are there and being hashed · `done`: see `file_id` · `expired`: aborted, or not completed in time */
  state: "open" | "checking" | "done" | "failed" | "expired";
  bytes: number;
  sha256: string;
  name: string | null;
  /** The file, once it is `done` */
  file_id: string | null;
  /** The code of the problem for which it failed */
  error: string | null;
  created_at: string;
  expires_at: string;
};

export type NewUpload = {
  bytes: number;
  sha256: string;
  name?: string;
};

export type CompleteUpload = {
  parts: Array<{
    part: number;
    /** The header `ETag` of the answer to the part's PUT */
    etag: string;
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
  token_budget: number | null;
  witness: boolean;
  /** Whether the vision tokens of its pages are kept */
  tokens: "keep" | "none";
  selection: string;
  cache: "use" | "refresh" | "only";
  progress: {
    /** `null` until the pages are counted. */
    total: number | null;
    done: number;
    failed: number;
  };
  /** What an open job waits for before a page is read: `slot`: every worker is busy · `worker`: one has it and has not said a word yet · `cold_start`: one is starting up · `pool`: none answers. `null`: nothing; pages are being read, or the job is over */
  waiting_for?: "slot" | "cold_start" | "pool" | "worker" | null;
  pages?: Array<PageStatus>;
  error: PageError | null;
  metadata: Record<string, string>;
  webhook_url: string | null;
  zero_retention: boolean;
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
  error: PageError | null;
};

export type PageError = {
  code: string;
  message: string;
};

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
    /** The page was not encoded: its vision tokens were kept from an earlier reading. */
    encoded?: "stored";
  }>;
  timings_ms: {
    raster: number;
    encode: number;
    prefill: number;
    decode: number;
  };
  error: PageError | null;
  /** The check by a second reader: the share of words in common, `null` where there are too few. */
  witness?: {
    model: string;
    model_digest: string;
    agreement: number | null;
  };
};

export type OcrRequest = {
  file?: string;
  /** `https:` URL or `data:` URL of the document */
  url?: string;
  /** Pages from 1; all when empty. Ranges past the end are clipped. */
  pages?: string;
  model?: string;
  mode?: "auto" | "tiny" | "small" | "base" | "large" | "gundam";
  /** Vision tokens for all selected pages together: each page gets the mode that its text needs, as far as they go. With `mode: auto` only; `pp-ocr`, which has no vision tokens, ignores it, and `fovea-nano` takes none. */
  token_budget?: number;
  /** Check the words of each page against a classic recogniser; where they differ, the page is `suspect`. */
  witness?: boolean;
  task?: "markdown" | "free" | "figure" | "describe" | "locate" | "deep" | "encode";
  prompt?: string;
  /** `keep`: the vision tokens of the pages are kept, so that another task or prompt on them is answered without encoding; without it the setting `keep_tokens` decides */
  tokens?: "keep" | "none";
  /** PDF raster resolution */
  dpi?: number;
  /** `refresh`: read again · `only`: answer from the cache or not at all */
  cache?: "use" | "refresh" | "only";
  /** Erase the document and everything read from it when the whole result was handed over once, or an hour after the end */
  zero_retention?: boolean;
  webhook_url?: string;
  metadata?: Record<string, string>;
};

/** `csv`: only the tables · `docx`: a Word document · `chunks`: JSON lines for retrieval, with pages, headings and boxes · `pdf`: a searchable PDF of the page images; it needs the images that `fovea-render` makes (409 `page-images-missing` has the `request` that makes them) · `overlay`: the same PDF with the boxes of the blocks */
export type ResultFormat = "json" | "md" | "html" | "txt" | "csv" | "chunks" | "docx" | "pdf" | "overlay";

export type Delivery = WebhookDelivery & {
  attempts: Array<{
    attempt: number;
    at: string;
    duration_ms: number;
    /** `null` when no answer came */
    status: number | null;
    error: string | null;
    /** The beginning of the answer's body */
    answer: string | null;
  }>;
};

export type WebhookDelivery = {
  /** The `webhook-id` of every attempt */
  id: string;
  event: string;
  url: string;
  /** `null`: a job's `webhook_url` */
  endpoint_id: string | null;
  job_id: string | null;
  state: "pending" | "delivered" | "failed";
  created_at: string;
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
    token_budget?: number;
    witness?: boolean;
    /** In place of the task that the message's words name; those are then a prompt */
    task?: "markdown" | "free" | "figure" | "describe" | "locate" | "deep";
    dpi?: number;
    /** `keep`: the next question about the same pages is answered without encoding */
    tokens?: "keep" | "none";
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

export type BatchManifest = {
  id: string;
  bytes: number;
  sha256: string;
  created_at: string;
};

export type Batch = {
  id: string;
  state: "running" | "paused" | "canceling" | "completed" | "canceled" | "failed";
  /** Why it is paused (`quota-exceeded`, `budget-exceeded`, `too-many-failures`) or failed (`manifest-gone`, `manifest-changed`, `manifest-empty`, `too-many-lines`), when nobody asked for it */
  reason: string | null;
  manifest: string;
  /** 1, and one more for each retry */
  run: number;
  defaults: BatchDefaults;
  lines: {
    /** `null` until they are counted */
    total: number | null;
    succeeded: number;
    partial: number;
    failed: number;
    canceled: number;
  };
  pages: {
    done: number;
    failed: number;
  };
  metadata: Record<string, string>;
  created_at: string;
  finished_at: string | null;
  links: {
    self: string;
    failures: string;
    output: string;
    training_data: string;
  };
};

export type BatchDefaults = {
  pages?: string;
  model?: string;
  mode?: "auto" | "tiny" | "small" | "base" | "large" | "gundam";
  token_budget?: number;
  witness?: boolean;
  task?: "markdown" | "free" | "figure" | "describe" | "locate" | "deep" | "encode";
  prompt?: string;
  dpi?: number;
};

export type NewBatch = {
  /** The id of an uploaded manifest, or the name of an object that the operator has put into the bucket under `manifests/{tenant id}/` */
  manifest: string;
  defaults?: BatchDefaults;
  metadata?: Record<string, string>;
};

export type BatchFailure = {
  /** Line of the manifest, from 1 */
  line: number;
  custom_id: string | null;
  outcome: "failed" | "partial";
  error: PageError;
  pages: {
    done: number;
    failed: number;
  };
  /** The line; `null` when it is too long or not text */
  input: string | null;
};

export type BatchOutput = {
  schema: 1;
  batch_id: string;
  run: number;
  /** Whether no shard will follow in this run */
  complete: boolean;
  lines: number;
  pages: number;
  bytes: number;
  shards: Array<{
    number: number;
    run: number;
    lines: number;
    pages: number;
    bytes: number;
    sha256: string;
    path: string;
  }>;
};

export type Context = {
  id: string;
  name: string | null;
  ladder: Ladder;
  token_budget: number | null;
  keep: "hash" | "original";
  metadata: Record<string, string>;
  /** Number of the newest message; they count from 1 */
  last_message: number;
  /** Why the last ageing could not go on */
  error: PageError | null;
  created_at: string;
  aged_at: string | null;
  links: {
    self: string;
    view: string;
    loss: string;
    export: string;
  };
};

export type Ladder = {
  /** `rounds`: how many messages of the role `user` came later */
  by?: "time" | "rounds";
  rungs: Array<{
    form: "text" | "gundam" | "large" | "base" | "small" | "tiny";
    /** Seconds, or rounds */
    after: number;
  }>;
};

export type NewContext = {
  name?: string;
  ladder?: Ladder;
  /** What the whole may cost: older messages go further down for it */
  token_budget?: number;
  /** What stays of a text whose message has become an image: `hash`: its SHA-256 and length · `original`: the text, to measure what was lost */
  keep?: "hash" | "original";
  metadata?: Record<string, string>;
};

export type ContextMessage = {
  number: number;
  role: "system" | "user" | "assistant" | "tool";
  pinned: boolean;
  importance: number;
  form: "text" | "gundam" | "large" | "base" | "small" | "tiny";
  /** Estimated for DeepSeek's tokenizer */
  text_tokens: number;
  characters: number;
  sha256: string;
  /** `text`: it still is text · `kept`, `erased`: it is an image, and its text was */
  original: "text" | "kept" | "erased";
  created_at: string;
};

export type NewContextMessages = {
  messages: Array<{
    role: "system" | "user" | "assistant" | "tool";
    /** Markdown */
    content: string;
    /** Stays as it is, whatever its age and the budget; in an image: with the whole image */
    pinned?: boolean;
    /** 0 to 1: at 1 it ages at a tenth of the speed; of an image its most important message counts */
    importance?: number;
    /** When it was said, for what is older than its request */
    created_at?: string;
  }>;
};

export type ChangeContextMessage = {
  /** Stays as it is, whatever its age and the budget; in an image: with the whole image */
  pinned?: boolean;
  /** 0 to 1: at 1 it ages at a tenth of the speed; of an image its most important message counts */
  importance?: number;
};

export type ContextView = {
  context_id: string;
  token_budget: number | null;
  tokens: {
    total: number;
    /** Estimated */
    text: number;
    /** Counted */
    vision: number;
    /** What all messages would be as text */
    as_text: number;
  };
  items?: Array<{
    type: "text";
    message: number;
    role: "system" | "user" | "assistant" | "tool";
    text: string;
    tokens: number;
  } | {
    type: "image";
    id: string;
    form: "gundam" | "large" | "base" | "small" | "tiny";
    first_message: number;
    last_message: number;
    /** Vision tokens, as the worker counted them */
    tokens: number;
    /** What its messages were as text */
    text_tokens: number;
    compression: number | null;
    /** Lowest and highest precision that was measured at this compression by the DeepSeek-OCR paper; `null` beyond what it measured */
    expected_precision: [number, number] | null;
    pages: Array<{
      url: string | null;
      width: number;
      height: number;
      tokens: number;
      first_message: number;
      last_message: number;
    }>;
  }>;
  /** With `format=openai`: the `content` of a chat message */
  content?: Array<{
    type: "text";
    text: string;
  } | {
    type: "image_url";
    image_url: {
      url: string;
    };
  }>;
};

export type Ageing = {
  context_id: string;
  dry_run: boolean;
  at: string;
  /** `making`: images are on their way, ask again · `busy`: somebody else ages it at this moment · `failed`: see `error`; it is tried again in ten minutes */
  state: "done" | "making" | "busy" | "failed";
  changes: Array<{
    first_message: number;
    last_message: number;
    from: "text" | "gundam" | "large" | "base" | "small" | "tiny";
    to: "gundam" | "large" | "base" | "small" | "tiny";
    tokens_before: number;
    /** Expected */
    tokens_after: number;
  }>;
  tokens: {
    total: number;
    /** Estimated */
    text: number;
    /** Counted */
    vision: number;
    /** What all messages would be as text */
    as_text: number;
  };
  /** When everything that is due is done */
  expected_tokens: number;
  token_budget: number | null;
  error: {
    code: string;
    message: string;
  } | null;
};

export type AgeContext = {
  /** Only say what is due */
  dry_run?: boolean;
  /** As if it were that time; not before now. Without `dry_run` what fades by it has faded for good. */
  at?: string;
};

export type Recall = {
  context_id: string;
  message: number;
  role: "system" | "user" | "assistant" | "tool";
  form: "text" | "gundam" | "large" | "base" | "small" | "tiny";
  state: "text" | "recalled" | "reading";
  text: string | null;
  /** `pages`: the message's place was not found, and `text` is all that its pages have */
  scope: "message" | "pages" | null;
  verdict: "ok" | "blank" | "suspect" | "unreadable" | "failed" | null;
  /** Lowest and highest precision that was measured at this compression by the DeepSeek-OCR paper; `null` beyond what it measured */
  expected_precision: [number, number] | null;
  model: string | null;
  model_digest: string | null;
  /** Against the original, where the context keeps it */
  measured: {
    cer: number | null;
    wer: number | null;
    precision: number | null;
    characters: number;
  } | null;
  /** Whether the words have the hash of the original's */
  verified: boolean | null;
  /** Of the original */
  characters: number;
  jobs: Array<string>;
};

export type LossReport = {
  context_id: string;
  tokens: {
    total: number;
    /** Estimated */
    text: number;
    /** Counted */
    vision: number;
    /** What all messages would be as text */
    as_text: number;
  };
  messages: Array<ContextMessage & {
    /** Its share of its image's, or its text's */
    tokens: number;
    compression: number | null;
    /** Lowest and highest precision that was measured at this compression by the DeepSeek-OCR paper; `null` beyond what it measured */
    expected_precision: [number, number] | null;
    /** Its last reading on this rung; nothing is read for this report */
    recall: {
      model: string;
      model_digest: string;
      verdict: string;
      /** Where the original is kept */
      cer: number | null;
      /** Whether the words had the hash of the original's */
      verified: boolean;
      at: string;
    } | null;
  }>;
};

export type Compressed = {
  job_id: string;
  file_id: string;
  state: "queued" | "running" | "succeeded" | "partial" | "failed" | "canceled" | "expired";
  mode: "gundam" | "large" | "base" | "small" | "tiny";
  text_tokens: number | null;
  vision_tokens: number | null;
  compression: number | null;
  /** Lowest and highest precision that was measured at this compression by the DeepSeek-OCR paper; `null` beyond what it measured */
  expected_precision: [number, number] | null;
  pages: Array<{
    page: number;
    /** Its address here; it needs the API key */
    image: string;
    width: number;
    height: number;
    vision_tokens: number;
    text_tokens: number;
    compression: number | null;
    /** Lowest and highest precision that was measured at this compression by the DeepSeek-OCR paper; `null` beyond what it measured */
    expected_precision: [number, number] | null;
    measured: {
      cer: number | null;
      wer: number | null;
      precision: number | null;
    } | null;
  }>;
  verification: {
    model: string;
    state: "reading" | "done" | "failed";
    jobs: Array<string>;
    cer: number | null;
    wer: number | null;
    precision: number | null;
  } | null;
};

export type CompressRequest = {
  /** Markdown */
  text: string;
  /** `auto`: the cheapest that is expected to reach `target_precision` */
  mode?: "auto" | "gundam" | "large" | "base" | "small" | "tiny";
  target_precision?: number;
  /** Read the images back, and say how much of the text was found */
  verify?: boolean;
  /** The model that reads them back */
  reader?: string;
};

export type FidelityReport = {
  model: string;
  state: "reading" | "done";
  modes: Array<{
    mode: string;
    job_id: string;
    state: "queued" | "running" | "succeeded" | "partial" | "failed" | "canceled" | "expired";
    vision_tokens: number | null;
    text_tokens: number | null;
    compression: number | null;
    /** Lowest and highest precision that was measured at this compression by the DeepSeek-OCR paper; `null` beyond what it measured */
    expected_precision: [number, number] | null;
    /** Character error rate; `null` while it is read, or where a page failed */
    cer: number | null;
    wer: number | null;
    precision: number | null;
  }>;
};

export type FidelityRequest = {
  file?: string;
  /** `https:` or `data:` URL */
  url?: string;
  /** In place of a document: what this job has read */
  job?: string;
  /** The text that is on it */
  truth: string;
  pages?: string;
  model?: string;
  /** All five where it is left out; readers without vision tokens have one */
  modes?: Array<"auto" | "tiny" | "small" | "base" | "large" | "gundam">;
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
  /** Networks from which it may be used; `null`: from anywhere */
  allowed_cidrs: Array<string> | null;
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
  /** IPv4 and IPv6 networks from which it may be used. Default: from anywhere */
  allowed_cidrs?: Array<string>;
  /** Only with the bootstrap secret: whose key; made when new. Default: `default` */
  tenant?: string;
};

export type RotateApiKey = {
  /** Seconds for which the old key stays valid */
  overlap_s?: number;
};

export type BrowserToken = {
  token: string;
  scope: "read" | "write";
  job_id: string;
  expires_at: string;
};

export type NewBrowserToken = {
  /** `write`: start one job · `read`: read one job */
  scope: "read" | "write";
  /** The job. Default: the id of a new one, which a `write` token starts, once */
  job?: string;
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
  events: Array<"job.succeeded" | "job.partial" | "job.failed" | "job.canceled" | "job.expired" | "page.completed" | "key.created" | "key.rotated" | "key.revoked" | "endpoint.disabled" | "batch.completed">;
  /** Disabled by hand, or after five deliveries in a row that failed for good */
  state: "active" | "disabled";
  disabled_at: string | null;
  disabled_reason: "failures" | "request" | null;
  created_at: string;
};

export type NewWebhookEndpoint = {
  url: string;
  events?: Array<"job.succeeded" | "job.partial" | "job.failed" | "job.canceled" | "job.expired" | "page.completed" | "key.created" | "key.rotated" | "key.revoked" | "endpoint.disabled" | "batch.completed">;
};

export type ChangeWebhookEndpoint = {
  url?: string;
  events?: Array<"job.succeeded" | "job.partial" | "job.failed" | "job.canceled" | "job.expired" | "page.completed" | "key.created" | "key.rotated" | "key.revoked" | "endpoint.disabled" | "batch.completed">;
  state?: "active" | "disabled";
};

export type WebhookDeliveryLog = Delivery & {
  /** What is posted, the same at every attempt; `null`: its job was deleted */
  request: {
    body: Record<string, unknown>;
  } | null;
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
  /** Given to a worker, and not readable */
  pages_failed: number;
  vision_tokens: number;
  text_tokens: number;
  /** Of the pages read: those that were decoded from kept vision tokens */
  pages_from_tokens: number;
  /** The pages read, by the service's price of a page of the model; 0 without one */
  cost_usd: number;
};

export type UsageTotal = {
  /** Read by a worker for this key */
  pages_read: number;
  /** Read once for several requests, another one's */
  pages_shared: number;
  /** From the cache */
  pages_cached: number;
  /** Given to a worker, and not readable */
  pages_failed: number;
  vision_tokens: number;
  text_tokens: number;
  /** Of the pages read: those that were decoded from kept vision tokens */
  pages_from_tokens: number;
  /** The pages read, by the service's price of a page of the model; 0 without one */
  cost_usd: number;
};

export type Settings = {
  /** Documents that no job has used for so long are deleted, with everything read from them */
  retention_days: number;
  retention_is_default: boolean;
  /** Pages that may be read for the account in a day (UTC); `null`: no limit */
  daily_pages: number | null;
  /** What they may cost in a day, by the service's prices; `null`: no limit */
  daily_usd: number | null;
  /** Whether vision tokens of pages are kept where a request does not say */
  keep_tokens: boolean;
  /** What is kept of them */
  token_bytes: number;
  /** More is not kept */
  token_bytes_max: number;
};

export type ChangeSettings = {
  retention_days?: number | null;
  daily_pages?: number | null;
  daily_usd?: number | null;
  keep_tokens?: boolean;
};

export type AuditEntry = {
  id: string;
  action: "key.created" | "key.rotated" | "key.revoked" | "settings.changed" | "file.deleted" | "file.expired" | "file.erased" | "job.deleted" | "endpoint.disabled" | "batch.deleted" | "batch.expired" | "tokens.deleted" | "context.deleted";
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
