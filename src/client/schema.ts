/** Made by `npm run types` from the OpenAPI document: do not edit. */

export type MistralError = {
  object: "error";
  message: string;
  type: string;
  param: string | null;
  code: null;
  raw_status_code: number;
  request_id: string;
  /** With status 422 the list that Mistral's clients expect */
  detail: string | Array<{
    type: string;
    loc: Array<string>;
    msg: string;
  }>;
};

export type File = {
  id: string;
  object: "file";
  sha256: string;
  bytes: number;
  media_type: string;
  name: string | null;
  /** The name, or the id if there is none */
  filename: string;
  /** `null` until the document has been opened, and for texts, whose number of pages depends on the mode */
  page_count: number | null;
  /** Unix seconds, as in OpenAI's and Mistral's APIs */
  created_at: number;
  /** `batch`: requests for `POST /v1/batch/jobs`; such a file is no document */
  purpose: "ocr" | "batch";
  /** Unix seconds; the file is deleted within a minute. `null`: the retention time of the account holds */
  expires_at: number | null;
  /** For OpenAI's clients */
  status?: "processed";
  /** `media_type`, for Mistral's clients */
  mimetype: string;
  /** For Mistral's clients */
  visibility: "workspace";
  /** For Mistral's clients */
  sample_type: "ocr_input" | "batch_request";
  /** For Mistral's clients */
  source: "upload";
  /** For Mistral's clients */
  deleted: false;
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

export type BatchResultFile = {
  id: string;
  object: "file";
  bytes: number;
  filename: string;
  created_at: number;
  purpose: "batch";
  sample_type: "batch_result" | "batch_error";
  source: "mistral";
  mimetype: "application/jsonl";
  deleted: false;
};

export type DeletedFile = {
  id: string;
  object: "file";
  deleted: true;
};

export type FileUrl = {
  url: string;
};

export type KeptTokens = {
  page: number;
  dpi: number;
  mode: string;
  /** For text documents: the requested mode, which determines the page layout */
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

export type OpenUpload = {
  id: string;
  /** `checking`: all bytes have arrived and are being hashed · `done`: see `file_id` · `expired`: aborted, or not completed in time */
  state: "open" | "checking" | "done" | "failed" | "expired";
  bytes: number;
  sha256: string;
  name: string | null;
  /** The file, when the state is `done` */
  file_id: string | null;
  /** Code of the problem for which the upload failed */
  error: string | null;
  created_at: string;
  expires_at: string;
  parts: Array<{
    part: number;
    bytes: number;
    /** PUT the bytes of this part here, without an API key */
    url: string;
  }>;
};

export type Upload = {
  id: string;
  /** `checking`: all bytes have arrived and are being hashed · `done`: see `file_id` · `expired`: aborted, or not completed in time */
  state: "open" | "checking" | "done" | "failed" | "expired";
  bytes: number;
  sha256: string;
  name: string | null;
  /** The file, when the state is `done` */
  file_id: string | null;
  /** Code of the problem for which the upload failed */
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
    /** The header `ETag` of the response to the part's PUT */
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
  text_layer: "auto" | "never" | "only";
  sequence: "page" | "document";
  /** `line` and `word` add the lines of each block, and their words, with boxes and confidences. `fovea-nano` has lines but no words, the other models only blocks */
  granularity: "block" | "line" | "word";
  /** How tables are written in the page's Markdown. `markdown`: as in GitHub's Markdown; the first row is the head. Tables with merged cells, which Markdown lacks, stay HTML */
  table_format: "html" | "markdown";
  /** Whether a table that goes on over pages is joined: the page on which it begins has all its rows */
  join_tables: boolean;
  /** Whether the page's Markdown shows its figures: `link`: by their addresses, which need the API key · `inline`: as `data:` URLs */
  figures: "none" | "link" | "inline";
  /** Links of the document. `inline`: in the Markdown, in tables, and in `hyperlinks` of the page · `list`: only there · `none`: nowhere */
  hyperlinks: "none" | "list" | "inline";
  languages: Array<string>;
  /** Whether the vision tokens of its pages are kept */
  tokens: "keep" | "none";
  selection: string;
  cache: "use" | "refresh" | "only";
  progress: {
    /** `null` until the pages are counted */
    total: number | null;
    done: number;
    failed: number;
  };
  /** What an open job waits for: `slot`: all workers are busy · `worker`: a worker has the job but has not responded yet · `cold_start`: a worker is starting · `pool`: no worker is available · `installation`: the model is being installed on this machine (`GET /v1/models`). `null`: pages are being read, or the job has ended */
  waiting_for?: "slot" | "cold_start" | "pool" | "worker" | "installation" | null;
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
  extraction?: Extraction;
};

export type PageStatus = {
  page: number;
  state: "pending" | "done" | "failed" | "canceled";
  /** `hit`: from the cache · `read`: read for this job · `shared`: read for another job at the same time */
  source: "hit" | "read" | "shared";
  verdict: string | null;
  finish_reason: string | null;
  /** How often workers delivered this reading */
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
  pages: Array<StoredPageResult | FailedPage>;
};

export type StoredPageResult = {
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
  /** Links of the document, in the order of the text. Left out with `hyperlinks: none`, and by readings from before links were read */
  hyperlinks?: Array<Hyperlink>;
  markdown: string;
  finish_reason: "stop" | "length" | "loop" | "blank" | "error";
  verdict: "ok" | "blank" | "suspect" | "unreadable" | "failed";
  warnings: Array<string>;
  attempts: Array<{
    mode: string;
    tokens: number | null;
    finish_reason: "stop" | "length" | "loop" | "blank" | "error";
    /** `stored`: the page was not encoded, because its vision tokens were kept from an earlier reading */
    encoded?: "stored";
  }>;
  timings_ms: {
    raster: number;
    encode: number;
    prefill: number;
    decode: number;
  };
  error: null;
  /** Where the characters come from: the text layer of the PDF, recognition, or both; `file`: an Office document, web page, book or CSV file has its text itself. Only from readers that use text layers */
  text_source?: "text_layer" | "recognition" | "mixed" | "file";
  /** Check by a second reader: the share of words that both read; `null` if there are too few words */
  witness?: {
    model: string;
    model_digest: string;
    agreement: number | null;
  };
  /** Signed statement of which model read which page, and the result; keys at `/.well-known/fovea-receipt-keys` */
  receipt: {
    payload: string;
    signature: string;
    key_id: string;
  };
};

export type Block = {
  id: number;
  type: "title" | "sub_title" | "text" | "list" | "table" | "table_caption" | "image" | "image_caption" | "equation" | "code" | "footnote" | "header" | "footer" | "page_number";
  /** x0, y0, x1, y1 in 0..1 */
  bbox: [number, number, number, number];
  text: string;
  html?: string;
  latex?: string;
  confidence: number | null;
  /** Only with `granularity: line` or `word` */
  lines?: Array<Line>;
  /** Of a table; rows and columns count from 0 */
  cells?: Array<TableCell>;
  /** Of an image: its picture, at `/v1/jobs/{id}/pages/{n}/figures/{id}` */
  figure?: {
    media_type: "image/png" | "image/jpeg";
    width: number;
    height: number;
    bytes: number;
    /** With `figures: link` the address, with `figures: inline` a `data:` URL */
    url?: string;
  };
};

export type Line = {
  text: string;
  bbox: [number, number, number, number];
  confidence: number | null;
  /** Only with `granularity: word`, if the places of the words are known */
  words?: Array<Word>;
};

export type Word = {
  text: string;
  bbox: [number, number, number, number];
  confidence: number | null;
};

export type TableCell = {
  row: number;
  column: number;
  rowspan: number;
  colspan: number;
  text: string;
  /** The box of its text, not of the cell between its ruling lines; `null` if it is empty or its place is not known */
  bbox: [number, number, number, number] | null;
};

export type Hyperlink = {
  /** An address of the kinds `https`, `http`, `mailto` and `tel`, in ASCII */
  url: string;
  /** The words of the link; empty if it has none, such as one over a picture */
  text: string;
  bbox: [number, number, number, number];
  /** The id of the block in which it stands; `null` if it stands in none */
  block: number | null;
  /** Where `text` begins in the block's `text`, in code points. Left out if it was not found there */
  start?: number;
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
  blocks: Array<PushedBlock>;
  /** Links of the document, in the order of the text. Left out if it is not known */
  hyperlinks?: Array<PushedHyperlink>;
  markdown: string;
  finish_reason: "stop" | "length" | "loop" | "blank" | "error";
  verdict: "ok" | "blank" | "suspect" | "unreadable" | "failed";
  warnings: Array<string>;
  attempts: Array<{
    mode: string;
    tokens: number | null;
    finish_reason: "stop" | "length" | "loop" | "blank" | "error";
    /** `stored`: the page was not encoded, because its vision tokens were kept from an earlier reading */
    encoded?: "stored";
  }>;
  timings_ms: {
    raster: number;
    encode: number;
    prefill: number;
    decode: number;
  };
  error: PageError | null;
  /** Where the characters come from: the text layer of the PDF, recognition, or both; `file`: an Office document, web page, book or CSV file has its text itself. Only from readers that use text layers */
  text_source?: "text_layer" | "recognition" | "mixed" | "file";
  /** Check by a second reader: the share of words that both read; `null` if there are too few words */
  witness?: {
    model: string;
    model_digest: string;
    agreement: number | null;
  };
};

export type PushedBlock = {
  id: number;
  type: "title" | "sub_title" | "text" | "list" | "table" | "table_caption" | "image" | "image_caption" | "equation" | "code" | "footnote" | "header" | "footer" | "page_number";
  /** x0, y0, x1, y1 in 0..1 */
  bbox: [number, number, number, number];
  text: string;
  html?: string;
  latex?: string;
  confidence: number | null;
  /** Only with `granularity: line` or `word` */
  lines?: Array<Line>;
  /** Of a table; rows and columns count from 0 */
  cells?: Array<TableCell>;
  figure?: Figure;
  /** Of a table without spans: the table in GitHub's Markdown */
  markdown?: string;
  /** Of a table or an image: where it stands in the page's Markdown, in code points */
  place?: [number, number];
  /** Of a conversation: number of the message */
  message?: number;
};

export type Figure = {
  media_type: "image/png" | "image/jpeg";
  width: number;
  height: number;
  bytes: number;
};

export type PushedHyperlink = {
  /** An address of the kinds `https`, `http`, `mailto` and `tel`, in ASCII */
  url: string;
  /** The words of the link; empty if it has none, such as one over a picture */
  text: string;
  bbox: [number, number, number, number];
  /** The id of the block in which it stands; `null` if it stands in none */
  block: number | null;
  /** Where `text` begins in the block's `text`, in code points. Left out if it was not found there */
  start?: number;
  /** Where its words stand in the page's Markdown */
  place?: [number, number];
  /** Where its words stand in the `markdown` of its block, a table */
  table_place?: [number, number];
};

export type FailedPage = {
  page: number;
  error: PageError;
};

/** The extraction that the request for the job has asked for. With its data only where `result` is there; otherwise at `/v1/jobs/{id}/extractions/{extraction}` */
export type Extraction = {
  id: string;
  job_id: string;
  /** `queued`: it waits for the pages, or for other extractions of the account */
  state: "queued" | "running" | "succeeded" | "failed";
  /** Name of the model at its provider */
  model: string;
  /** Whether it was made before: then it costs no tokens */
  cached: boolean;
  progress: {
    /** Parts of the document; `null` until they are known */
    total: number | null;
    done: number;
  };
  usage: {
    /** As the provider counts them */
    input_tokens: number;
    output_tokens: number;
  };
  error: PageError | null;
  created_at: string;
  finished_at: string | null;
  /** Matches the schema. Only when it has succeeded */
  data?: Record<string, unknown>;
  /** Instead of `data`, `citations` and `conflicts`, if Mistral's `bbox_annotation_format` has asked for the data of each image */
  figures?: Array<{
    page: number;
    /** Id of the figure's block */
    block: number;
    data: Record<string, unknown> | null;
    error: PageError | null;
  }>;
  /** As `data`, but instead of each string, number, boolean or null a `Citation`, or `null` if the value is not on the pages */
  citations?: Record<string, unknown>;
  /** Values of which the parts of a long document have several */
  conflicts?: Array<{
    /** JSON Pointer in `data` */
    path: string;
    /** The first is the one in `data` */
    values: Array<{
      value?: unknown;
      citation: Citation | null;
    }>;
  }>;
  /** Pages that could not be read, so nothing is extracted from them */
  unread_pages?: Array<number>;
};

export type Citation = {
  page: number;
  /** Ids of the page's blocks, in reading order */
  blocks: Array<number>;
  /** x0, y0, x1, y1 in 0..1, one for each line or cell */
  boxes: Array<[number, number, number, number]>;
  /** `exact`: the characters of the value, except for white space · `normalized`: the same value in another writing */
  match: "exact" | "normalized";
  /** As it is written on the page */
  text: string;
};

export type MistralOcrResponse = {
  pages: Array<MistralOcrPage>;
  /** The model that has read the document */
  model: string;
  /** The data as JSON, by `document_annotation_format`. `null` without it, and if the extraction has failed: then `fovea.extraction` says why */
  document_annotation: string | null;
  usage_info: {
    pages_processed: number;
    doc_size_bytes: number;
  };
  fovea: {
    job_id: string;
    file_id: string;
    state: string;
    /** The extraction behind `document_annotation`: `/v1/jobs/{job_id}/extractions/{id}` has its citations. `null` if none was asked for */
    extraction: {
      id: string;
      state: "queued" | "running" | "succeeded" | "failed";
      error: PageError | null;
    } | null;
    /** The extraction behind `image_annotation`. `null` if none was asked for */
    image_extraction: {
      id: string;
      state: "queued" | "running" | "succeeded" | "failed";
      error: PageError | null;
      /** Images without an annotation, if others have one */
      failed: Array<{
        image: string;
        error: PageError;
      }>;
    } | null;
    pages: Array<{
      /** From 1 */
      page: number;
      verdict: string;
      source: string;
      error: PageError | null;
    }>;
  };
};

export type MistralOcrPage = {
  /** From 0 */
  index: number;
  markdown: string;
  images: Array<{
    id: string;
    top_left_x: number;
    top_left_y: number;
    bottom_right_x: number;
    bottom_right_y: number;
    /** A `data:` URL */
    image_base64: string | null;
    /** The data as JSON, by `bbox_annotation_format`. `null` without it, and if there are none for this image: then `fovea.image_extraction` says why */
    image_annotation: string | null;
  }>;
  /** The page's raster. `dpi` of images is 72 */
  dimensions: {
    dpi: number;
    height: number;
    width: number;
  } | null;
  tables: Array<{
    id: string;
    content: string;
    format: "markdown" | "html";
    word_confidence_scores: Array<{
      text: string;
      confidence: number;
      /** In the page's Markdown, or in the table's content; in code points */
      start_index: number;
    }> | null;
  }>;
  hyperlinks: Array<string>;
  header: string | null;
  footer: string | null;
  blocks: Array<{
    type: string;
    top_left_x: number;
    top_left_y: number;
    bottom_right_x: number;
    bottom_right_y: number;
    content: string;
  }> | null;
  confidence_scores: {
    average_page_confidence_score: number;
    minimum_page_confidence_score: number;
    word_confidence_scores?: Array<{
      text: string;
      confidence: number;
      /** In the page's Markdown, or in the table's content; in code points */
      start_index: number;
    }>;
  } | null;
};

export type OcrRequest = {
  /** Id of a file, or an object in a bucket that is connected by `POST /v1/buckets` */
  file?: string | {
    /** Id of a connection */
    bucket: string;
    key: string;
    etag?: string;
  };
  /** `https:` URL or `data:` URL of the document */
  url?: string;
  /** PUT the result there, as JSON, when the job and its extraction have ended, whatever their state */
  deliver?: {
    /** A presigned address for PUT, of S3, R2, Google Cloud Storage, Azure or your server */
    url: string;
    /** Headers that are signed with the address: `Content-Type`, `Content-Disposition`, `Content-MD5`, `Cache-Control`, `x-amz-…`, `x-goog-…`, `x-ms-…` */
    headers?: Record<string, string>;
  };
  /** Page numbers start at 1; empty: all pages. Ranges beyond the end are clipped. */
  pages?: string;
  model?: string;
  mode?: "auto" | "tiny" | "small" | "base" | "large" | "gundam";
  /** Limit of vision tokens for all selected pages together: within it, each page gets the mode that its text needs. Only with `mode: auto`. `pp-ocr`, which has no vision tokens, ignores it; `fovea-nano` does not support it. */
  token_budget?: number;
  /** Check the words of each page against a classic recogniser; where they differ, the page is `suspect`. */
  witness?: boolean;
  /** Whether `pp-ocr` takes characters from the text layer of a PDF. `auto`: where the layer is right · `never`: all characters are recognised · `only`: none are; a page whose layer is missing is `unreadable`, one whose layer is doubtful `suspect`. Other readers recognise all characters: they support `auto` and `never`, which are the same for them */
  text_layer?: "auto" | "never" | "only";
  /** What the model reads in one sequence. `page`: each page alone · `document`: up to 32 selected pages together, so that it sees what is on the others; longer selections are several sequences in the order of the pages. Only for models with `document` in `GET /v1/models`, with `mode: auto`, `task: markdown`, without `prompt`, `token_budget` and `tokens: keep` */
  sequence?: "page" | "document";
  /** `line` and `word` add the lines of each block, and their words, with boxes and confidences. `fovea-nano` has lines but no words, the other models only blocks */
  granularity?: "block" | "line" | "word";
  /** How tables are written in the page's Markdown. `markdown`: as in GitHub's Markdown; the first row is the head. Tables with merged cells, which Markdown lacks, stay HTML */
  table_format?: "html" | "markdown";
  /** Whether a table that goes on over pages is joined: the page on which it begins has all its rows */
  join_tables?: boolean;
  /** Whether the page's Markdown shows its figures: `link`: by their addresses, which need the API key · `inline`: as `data:` URLs */
  figures?: "none" | "link" | "inline";
  /** Links of the document. `inline`: in the Markdown, in tables, and in `hyperlinks` of the page · `list`: only there · `none`: nowhere */
  hyperlinks?: "none" | "list" | "inline";
  /** The document's languages as BCP-47 tags: a hint, for readers that list theirs in `GET /v1/models`. A language that the reader lacks is refused. */
  languages?: Array<string>;
  task?: "markdown" | "free" | "ocr" | "figure" | "describe" | "locate" | "deep" | "encode";
  prompt?: string;
  /** The password of an encrypted PDF. It is kept, encrypted, until the job ends, and shown nowhere. Only requests with the same password share readings of the document */
  password?: string;
  /** `keep`: keep the vision tokens of the pages, so that another task or prompt needs no encoding. Default: the setting `keep_tokens` */
  tokens?: "keep" | "none";
  /** Resolution of PDF pages */
  dpi?: number;
  /** `refresh`: read all pages again · `only`: use only the cache; 404 if a page is not cached */
  cache?: "use" | "refresh" | "only";
  /** Erase the document and everything read from it after the whole result has been fetched once, or an hour after the job ends */
  zero_retention?: boolean;
  webhook_url?: string;
  metadata?: Record<string, string>;
  /** JSON Schema of the data, with `type: object` at its root. References lead to places in the schema itself */
  schema?: Record<string, unknown>;
  /** What the model should know beyond the schema */
  instructions?: string;
};

/** Mistral's shape: a body with `document`. It excludes `file` and `url` and the options of the other shape. */
export type MistralOcrRequest = {
  document: MistralDocument;
  /** A model of `GET /v1/models`. `mistral-ocr-latest`, every other name that begins with `mistral-ocr` or `mistral-document-ai`, and `null` mean the default model */
  model?: string | null;
  /** Accepted and ignored: earlier clients have it */
  id?: string | null;
  /** Pages start at 0: a list, or a text such as `0,2-4`. `null`: all */
  pages?: string | Array<number> | null;
  include_image_base64?: boolean | null;
  /** Most images of the answer */
  image_limit?: number | null;
  /** Least width and height of an image, in pixels of the page */
  image_min_size?: number | null;
  /** Takes tables out of the Markdown, into `tables`. A table with merged cells is always HTML. `null`: tables stay in the Markdown */
  table_format?: "markdown" | "html" | null;
  extract_header?: boolean | null;
  extract_footer?: boolean | null;
  /** Default: `true` */
  include_blocks?: boolean | null;
  /** `word` needs a model with the granularity `word` */
  confidence_scores_granularity?: "page" | "block" | "word" | null;
  /** What to extract from each image of the answer. The model gets the image itself, so it must be one that takes images */
  bbox_annotation_format?: {
    type: "json_schema";
    json_schema: {
      /** Accepted and ignored */
      name: string;
      /** JSON Schema of the data, with `type: object` at its root. References lead to places in the schema itself */
      schema: Record<string, unknown>;
      /** Accepted and ignored */
      description?: string | null;
      /** Accepted and ignored: every answer is validated */
      strict?: boolean | null;
    };
  } | null;
  /** What to extract from the pages; see `POST /v1/jobs/{id}/extract` */
  document_annotation_format?: {
    type: "json_schema";
    json_schema: {
      /** Accepted and ignored */
      name: string;
      /** JSON Schema of the data, with `type: object` at its root. References lead to places in the schema itself */
      schema: Record<string, unknown>;
      /** Accepted and ignored */
      description?: string | null;
      /** Accepted and ignored: every answer is validated */
      strict?: boolean | null;
    };
  } | null;
  /** What the model should know beyond the schema. Needs `document_annotation_format` */
  document_annotation_prompt?: string | null;
};

export type MistralDocument = {
  type?: "document_url";
  /** `https:` URL or `data:` URL, of a PDF or an image */
  document_url: string;
  /** Accepted and ignored */
  document_name?: string | null;
} | {
  type?: "image_url";
  image_url: string | {
    /** `https:` URL or `data:` URL, of a PDF or an image */
    url: string;
    /** Accepted and ignored */
    detail?: string | null;
  };
} | {
  type?: "file";
  /** Id from `POST /v1/files` */
  file_id: string;
};

export type DoclingConvertResponse = {
  document: {
    filename: string;
    md_content: string | null;
    json_content: DoclingDocument | null;
    html_content: string | null;
    text_content: string | null;
    doctags_content: string | null;
  };
  status: "success" | "partial_success" | "failure";
  errors: Array<DoclingErrorItem>;
  /** Seconds */
  processing_time: number;
  timings: Record<string, unknown>;
};

/** As docling-core defines it; `GET /v1/jobs/{id}/result?format=docling` has it too */
export type DoclingDocument = {
  schema_name: "DoclingDocument";
  version: string;
  name: string;
};

export type DoclingErrorItem = {
  component_type: "document_backend" | "model";
  module_name: string;
  error_message: string;
  page_no: number | null;
};

export type DoclingError = {
  detail: string | Array<{
    type: string;
    loc: Array<string | number>;
    msg: string;
  }>;
  type: string;
  request_id: string;
};

export type DoclingConvertRequest = {
  sources: Array<DoclingSource>;
  options?: {
    /** Accepted and ignored: the type of a document is told by its bytes */
    from_formats?: Array<string>;
    to_formats?: Array<"md" | "json" | "html" | "text" | "doctags">;
    /** `referenced`: in a ZIP archive, files in `artifacts/`; in the body, addresses that need the API key */
    image_export_mode?: "placeholder" | "embedded" | "referenced";
    /** `false`: as `image_export_mode: placeholder` */
    include_images?: boolean;
    /** `false`: only characters from the text layer, by a model that can take them */
    do_ocr?: boolean;
    /** All characters are recognised, also those that the document has as text */
    force_ocr?: boolean;
    /** A model of `GET /v1/models`. The names of Docling's engines mean the default model, if there is no model of that name */
    ocr_preset?: string;
    /** The earlier name of `ocr_preset` */
    ocr_engine?: string;
    /** BCP-47 tags, or the codes of Tesseract and EasyOCR */
    ocr_lang?: Array<string> | null;
    /** The first and the last page, from 1 */
    page_range?: [number, number];
    /** Stands between the pages of the Markdown */
    md_page_break_placeholder?: string;
    /** Accepted and ignored */
    pipeline?: "standard" | "legacy" | "vlm";
    /** Accepted and ignored */
    pdf_backend?: string;
    /** Accepted and ignored */
    table_mode?: string;
    /** Accepted and ignored */
    table_cell_matching?: boolean;
    /** Accepted and ignored */
    do_table_structure?: boolean;
    /** Accepted and ignored */
    do_pdf_heading_hierarchy?: boolean;
    /** Accepted and ignored */
    images_scale?: number;
    /** Accepted and ignored */
    document_timeout?: number | null;
    /** Accepted and ignored */
    abort_on_error?: boolean;
    /** Accepted and ignored */
    md_compact_tables?: boolean;
    include_page_images?: boolean;
    do_code_enrichment?: boolean;
    do_formula_enrichment?: boolean;
    do_picture_classification?: boolean;
    do_picture_description?: boolean;
    do_chart_extraction?: boolean;
    ocr_custom_config?: unknown;
    table_structure_custom_config?: unknown;
    layout_custom_config?: unknown;
    vlm_pipeline_model?: unknown;
    vlm_pipeline_model_local?: unknown;
    vlm_pipeline_model_api?: unknown;
    vlm_pipeline_custom_config?: unknown;
    picture_description_local?: unknown;
    picture_description_api?: unknown;
    picture_description_custom_config?: unknown;
    picture_classification_custom_config?: unknown;
    chart_extraction_custom_config?: unknown;
    code_formula_custom_config?: unknown;
    chunking_options?: unknown;
    chunking_preset?: unknown;
  };
  target?: {
    kind: "inbody" | "zip" | "presigned_url";
  };
  callbacks?: Array<unknown>;
};

export type DoclingSource = {
  kind: "http";
  /** An `https:` URL */
  url: string;
  headers?: Record<string, unknown>;
} | {
  kind: "file";
  base64_string: string;
  filename: string;
};

export type DoclingTaskStatus = {
  task_id: string;
  task_type: "convert";
  task_status: "pending" | "started" | "success" | "failure";
  task_position: null;
  task_meta: {
    num_docs: number;
    num_processed: number;
    num_succeeded: number;
    num_partially_succeeded: number;
    num_failed: number;
  };
  error_message: string | null;
  failure: DoclingFailure | null;
};

export type DoclingFailure = {
  category: "unknown";
  message: string;
  retryable: boolean;
  phase: "execution";
  details: Record<string, string>;
};

export type DoclingTaskFailure = {
  kind: "TaskFailureResult";
  failure: DoclingFailure;
};

export type DoclingVersion = {
  service: "fovea";
  docling_document: string;
};

export type ExtractRequest = {
  /** JSON Schema of the data, with `type: object` at its root. References lead to places in the schema itself */
  schema: Record<string, unknown>;
  /** What the model should know beyond the schema */
  instructions?: string;
};

/** `mdzip`: the Markdown and its figures as files, in a ZIP archive · `html`: contains the figures, unless `figures` says otherwise · `csv`, `xlsx`: only the tables; `xlsx` has a sheet for each · `hocr`, `alto`: blocks, lines and words with boxes and confidences, as fine as the reader has them, unless `granularity` says otherwise · `docx`: a Word document with the figures, unless `figures` is `none` · `chunks`: JSON lines for retrieval, with pages, headings and boxes · `docling`: a DoclingDocument, for the chunkers and exporters of docling-core · `pdf`: a searchable PDF of the page images; it needs the images that `fovea-render` makes (409 `page-images-missing` has the `request` that makes them) · `overlay`: the same PDF with the boxes of the blocks */
export type ResultFormat = "json" | "md" | "mdzip" | "html" | "txt" | "csv" | "xlsx" | "hocr" | "alto" | "chunks" | "docling" | "docx" | "pdf" | "overlay";

export type ResultDelivery = {
  job_id: string;
  state: "pending" | "delivered" | "failed";
  /** Failed attempts */
  failures: number;
  /** Of the last attempt, if it has failed */
  error: {
    code: string;
    message: string;
  } | null;
  /** What the receiver has called the object */
  etag: string | null;
  finished_at: string | null;
};

export type Delivery = {
  /** Sent as `webhook-id` with every attempt */
  id: string;
  event: string;
  url: string;
  /** `null` for a job's `webhook_url` */
  endpoint_id: string | null;
  job_id: string | null;
  state: "pending" | "delivered" | "failed";
  created_at: string;
  attempts: Array<{
    attempt: number;
    at: string;
    duration_ms: number;
    /** `null` if there was no response */
    status: number | null;
    error: string | null;
    /** Beginning of the response body */
    answer: string | null;
  }>;
};

export type WebhookDelivery = {
  /** Sent as `webhook-id` with every attempt */
  id: string;
  event: string;
  url: string;
  /** `null` for a job's `webhook_url` */
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
      /** Markdown of all pages; with a schema: JSON */
      content: string | null;
      refusal: string | null;
    };
    logprobs: null;
    finish_reason: "stop" | "length";
  }>;
  usage: {
    /** Vision tokens; 0 for readers without them. With a schema: the tokens of the model that extracts, as the others here */
    prompt_tokens: number;
    /** Text tokens; estimated for readers that generate none, such as `pp-ocr` */
    completion_tokens: number;
    total_tokens: number;
    prompt_tokens_details: {
      cached_tokens: number;
    };
  };
  fovea: {
    /** Of several documents: the first, as below */
    job_id: string;
    file_id: string;
    state: string;
    /** If there are several: all of them */
    documents?: Array<{
      job_id: string;
      file_id: string;
      state: string;
    }>;
    /** Verdict of the worst page */
    verdict: string;
    pages: Array<{
      /** From 1, if there are several */
      document?: number;
      page: number;
      verdict: string;
      source: string;
      error: {
        code: string;
        message: string;
      } | null;
    }>;
    unread_messages: number;
    /** With a schema: `GET /v1/jobs/{id}/extractions/{id}` has the citations */
    extraction_id?: string;
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

/** Other fields of OpenAI's API (`temperature`, `max_tokens`, `tools`, …) are accepted and ignored. */
export type ChatRequest = {
  model: string;
  /** The text of the last `user` message is a task (`markdown`, `free`, `ocr`, `figure`, `describe`, `deep`), the official wording of a task (`Free OCR.`, `Locate <|ref|>total<|/ref|> in the image.`), or a prompt, if the model takes prompts. Without text, the task is `markdown`. The documents, at most 20, are in the same message or in the last message before it that has one, and their texts follow each other. All other messages are ignored. */
  messages: Array<{
    role: "user";
    content: string | Array<{
      type: "text";
      text: string;
    } | {
      type: "image_url";
      image_url: string | {
        /** `https:` URL or `data:` URL of an image or PDF */
        url: string;
      };
    } | {
      type: "file";
      file: {
        /** Id from POST /v1/files */
        file_id?: string | null;
        /** A `data:` URL, or base64 */
        file_data?: string | null;
      };
    }>;
  } | {
    role: "system" | "developer" | "assistant" | "tool" | "function";
  }>;
  stream?: boolean | null;
  stream_options?: {
    include_usage?: boolean;
  } | null;
  n?: 1;
  tool_choice?: "auto" | "none" | null;
  response_format?: {
    type: "text";
  } | {
    type: "json_schema";
    json_schema: {
      /** A JSON Schema: the answer is data that is extracted from the pages */
      schema: Record<string, unknown>;
    };
  } | null;
  /** Options of POST /v1/ocr */
  fovea?: {
    pages?: string;
    mode?: "auto" | "tiny" | "small" | "base" | "large" | "gundam";
    token_budget?: number;
    witness?: boolean;
    text_layer?: "auto" | "never" | "only";
    sequence?: "page" | "document";
    languages?: Array<string>;
    /** How tables are written in the page's Markdown. `markdown`: as in GitHub's Markdown; the first row is the head. Tables with merged cells, which Markdown lacks, stay HTML */
    table_format?: "html" | "markdown";
    /** Whether the page's Markdown shows its figures: `link`: by their addresses, which need the API key · `inline`: as `data:` URLs */
    figures?: "none" | "link" | "inline";
    /** Links of the document. `inline`: in the Markdown, in tables, and in `hyperlinks` of the page · `list`: only there · `none`: nowhere */
    hyperlinks?: "none" | "list" | "inline";
    /** Overrides the task in the message, whose text is then a prompt */
    task?: "markdown" | "free" | "ocr" | "figure" | "describe" | "locate" | "deep";
    dpi?: number;
    /** `keep`: later questions about the same pages need no encoding */
    tokens?: "keep" | "none";
    /** The password of an encrypted PDF. It is kept, encrypted, until the job ends, and shown nowhere. Only requests with the same password share readings of the document */
    password?: string;
    cache?: "use" | "refresh" | "only";
    metadata?: Record<string, string>;
  };
};

export type Response = {
  id: string;
  object: "response";
  created_at: number;
  status: "in_progress" | "completed" | "incomplete" | "failed";
  error: {
    code: string;
    message: string;
  } | null;
  incomplete_details: {
    reason: string;
  } | null;
  model: string;
  output: Array<{
    type: "message";
    id: string;
    status: "in_progress" | "completed" | "incomplete";
    role: "assistant";
    content: Array<{
      type: "output_text";
      /** Markdown of all pages; with a schema: JSON */
      text: string;
      annotations: Array<unknown>;
      logprobs: Array<unknown>;
    } | {
      type: "refusal";
      refusal: string;
    }>;
  }>;
  usage: {
    input_tokens: number;
    input_tokens_details: {
      cached_tokens: number;
    };
    output_tokens: number;
    output_tokens_details: {
      reasoning_tokens: number;
    };
    total_tokens: number;
  } | null;
  /** As in a chat completion */
  fovea: {
    job_id: string;
    file_id: string;
    state: string;
  };
};

/** Other fields of OpenAI's API (`instructions`, `temperature`, `tools`, `store`, …) are accepted and ignored. */
export type ResponsesRequest = {
  model: string;
  /** As the `messages` of `POST /v1/chat/completions`: the last `user` message counts */
  input: string | Array<{
    type?: "message";
    role: "user";
    content: string | Array<{
      type: "input_text";
      text: string;
    } | {
      type: "input_image";
      /** `https:` URL or `data:` URL */
      image_url?: string | null;
      file_id?: string | null;
    } | {
      type: "input_file";
      /** Id from POST /v1/files */
      file_id?: string | null;
      /** A `data:` URL, or base64 */
      file_data?: string | null;
      /** `https:` URL */
      file_url?: string | null;
    }>;
  } | {
    type?: string | null;
    role?: "system" | "developer" | "assistant";
  }>;
  stream?: boolean | null;
  tool_choice?: "auto" | "none" | null;
  text?: {
    format?: {
      type: "text";
    } | {
      type: "json_schema";
      /** A JSON Schema: the answer is data that is extracted from the pages */
      schema: Record<string, unknown>;
    } | null;
  } | null;
  previous_response_id?: null;
  background?: false;
  /** Options of POST /v1/ocr */
  fovea?: {
    pages?: string;
    mode?: "auto" | "tiny" | "small" | "base" | "large" | "gundam";
    token_budget?: number;
    witness?: boolean;
    text_layer?: "auto" | "never" | "only";
    sequence?: "page" | "document";
    languages?: Array<string>;
    /** How tables are written in the page's Markdown. `markdown`: as in GitHub's Markdown; the first row is the head. Tables with merged cells, which Markdown lacks, stay HTML */
    table_format?: "html" | "markdown";
    /** Whether the page's Markdown shows its figures: `link`: by their addresses, which need the API key · `inline`: as `data:` URLs */
    figures?: "none" | "link" | "inline";
    /** Links of the document. `inline`: in the Markdown, in tables, and in `hyperlinks` of the page · `list`: only there · `none`: nowhere */
    hyperlinks?: "none" | "list" | "inline";
    /** Overrides the task in the message, whose text is then a prompt */
    task?: "markdown" | "free" | "ocr" | "figure" | "describe" | "locate" | "deep";
    dpi?: number;
    /** `keep`: later questions about the same pages need no encoding */
    tokens?: "keep" | "none";
    /** The password of an encrypted PDF. It is kept, encrypted, until the job ends, and shown nowhere. Only requests with the same password share readings of the document */
    password?: string;
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
  /** For Mistral's clients */
  type: "base";
  /** For Mistral's clients */
  capabilities: {
    ocr: true;
    vision: true;
  };
  /** Other names. All names of the form `mistral-ocr-…` mean the default model */
  aliases: Array<string>;
  fovea: {
    tasks: Array<string>;
    modes: Array<string>;
    takes_prompts: boolean;
    /** What its results can be divided into */
    granularities: Array<"block" | "line" | "word">;
    /** Values of `text_layer` that it supports */
    text_layers: Array<"auto" | "never" | "only">;
    /** Values of `sequence` that it supports. `document`: up to 32 pages together */
    sequences: Array<"page" | "document">;
    /** BCP-47 tags of the languages that it reads; `null` if no worker has reported any */
    languages: Array<string> | null;
    /** `null` until a worker has reported it */
    digest: string | null;
    /** On a machine of one's own, while the model is not there yet. `installing`: at `step` of `steps`, which is `detail`; its jobs wait · `failed`: why, and what to do, is `detail`. `null`: the model is installed */
    installation: {
      state: "installing" | "failed";
      step: number;
      steps: number;
      detail: string;
    } | null;
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
  /** Why the service paused it (`quota-exceeded`, `budget-exceeded`, `too-many-failures`, `bucket-failed`) or why it failed (`manifest-gone`, `manifest-changed`, `manifest-empty`, `input-empty`, `bucket-gone`, `too-many-lines`), or `timed-out` if a job of Mistral's API was canceled by its timeout */
  reason: string | null;
  /** `null` if the batch has an `input` */
  manifest: string | null;
  input: {
    /** Id of a connection */
    bucket: string;
    /** Objects whose keys begin with it. It must begin with the connection's prefix */
    prefix?: string;
    /** Only objects whose keys end with one of these, in upper or lower case; empty: all. Keys that end with `/` and empty objects are left out */
    suffixes?: Array<string>;
  } | null;
  output: BatchTarget | null;
  /** Why a bucket that documents come from does not work at the moment; the batch asks again, and pauses with `bucket-failed` if that does not help */
  bucket_error: {
    code: string;
    message: string;
  } | null;
  /** Objects that are written to `output` or `deliver`, so far; `null` if there are none */
  delivery: {
    /** `failed`: nothing is pending, and some objects could not be written. They stay in the output here; `POST …/deliver` tries again */
    state: "pending" | "delivered" | "failed";
    pending: number;
    delivered: number;
    failed: number;
    /** The last failure, unless all is delivered */
    error: {
      code: string;
      message: string;
    } | null;
  } | null;
  /** 1 at first; each retry adds 1 */
  run: number;
  defaults: BatchDefaults;
  lines: {
    /** `null` until the lines are counted, or all objects listed */
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

export type BatchTarget = {
  /** Id of a connection */
  bucket: string;
  /** The keys of the output are this, the batch's id, `/` and the name of the file. Default: the connection's prefix */
  prefix?: string;
  /** Also write training data, of pages with these verdicts */
  training_data?: Array<"ok" | "blank" | "suspect" | "unreadable">;
};

export type BatchDefaults = {
  /** JSON Schema of the data to extract from each document, as for `POST /v1/ocr` */
  schema?: Record<string, unknown>;
  /** What the model should know beyond the schema */
  instructions?: string;
  pages?: string;
  model?: string;
  mode?: "auto" | "tiny" | "small" | "base" | "large" | "gundam";
  token_budget?: number;
  witness?: boolean;
  text_layer?: "auto" | "never" | "only";
  sequence?: "page" | "document";
  task?: "markdown" | "free" | "ocr" | "figure" | "describe" | "locate" | "deep" | "encode";
  prompt?: string;
  dpi?: number;
  languages?: Array<string>;
  /** `line` and `word` add the lines of each block, and their words, with boxes and confidences. `fovea-nano` has lines but no words, the other models only blocks */
  granularity?: "block" | "line" | "word";
  /** How tables are written in the page's Markdown. `markdown`: as in GitHub's Markdown; the first row is the head. Tables with merged cells, which Markdown lacks, stay HTML */
  table_format?: "html" | "markdown";
  /** Whether a table that goes on over pages is joined: the page on which it begins has all its rows */
  join_tables?: boolean;
  /** `inline`: the pages' figures, as `data:` URLs. There are no addresses, because the jobs of lines are not kept */
  figures?: "none" | "inline";
  /** Links of the documents. `list`, the default here: in `hyperlinks` of the pages; the Markdown, which is also the text of training data, has none · `inline`: there, too · `none`: nowhere */
  hyperlinks?: "none" | "list" | "inline";
};

export type NewBatch = {
  /** Id of an uploaded manifest, or name of an object that the operator has put into the bucket under `manifests/{tenant id}/` */
  manifest?: string;
  /** Objects of a bucket, instead of a manifest: each is a line */
  input?: {
    /** Id of a connection */
    bucket: string;
    /** Objects whose keys begin with it. It must begin with the connection's prefix */
    prefix?: string;
    /** Only objects whose keys end with one of these, in upper or lower case; empty: all. Keys that end with `/` and empty objects are left out */
    suffixes?: Array<string>;
  };
  /** Write the shards of the output, and at the end the list of them, into a bucket. They also stay here as long as the batch */
  output?: {
    /** Id of a connection */
    bucket: string;
    /** The keys of the output are this, the batch's id, `/` and the name of the file. Default: the connection's prefix */
    prefix?: string;
    /** Also write training data, of pages with these verdicts */
    training_data?: Array<"ok" | "blank" | "suspect" | "unreadable">;
  };
  /** PUT the whole output as one JSONL file, of at most 5 GiB, when the batch ends */
  deliver?: {
    /** A presigned address for PUT, of S3, R2, Google Cloud Storage, Azure or your server */
    url: string;
    /** Headers that are signed with the address: `Content-Type`, `Content-Disposition`, `Content-MD5`, `Cache-Control`, `x-amz-…`, `x-goog-…`, `x-ms-…` */
    headers?: Record<string, string>;
  };
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
  /** The line, without its `password`; `null` if it is too long or not text */
  input: string | null;
};

export type BatchOutput = {
  schema: 1;
  batch_id: string;
  run: number;
  /** `true` when this run writes no more shards */
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
    /** In the bucket of `output`; `null` if the batch has none */
    key: string | null;
  }>;
};

export type MistralBatchJob = {
  id: string;
  object: "batch";
  input_files: Array<string>;
  metadata: Record<string, string>;
  endpoint: "/v1/ocr";
  model: string | null;
  agent_id: null;
  /** Id of the file with the answers, for `GET /v1/files/{id}/content`. `null` until the job is over, and if there are none */
  output_file: string | null;
  /** Id of the file with the errors of the requests that failed */
  error_file: string | null;
  /** Why the whole job waits or has failed */
  errors: Array<{
    message: string;
    count: number;
  }>;
  /** The records of both files, when the job is over. `null` if they are not asked for, or have more than 4 MiB */
  outputs: Array<Record<string, unknown>> | null;
  status: "QUEUED" | "RUNNING" | "SUCCESS" | "FAILED" | "TIMEOUT_EXCEEDED" | "CANCELLATION_REQUESTED" | "CANCELLED";
  /** Unix seconds */
  created_at: number;
  started_at: number | null;
  completed_at: number | null;
  /** 0 until the requests are counted */
  total_requests: number;
  completed_requests: number;
  /** Also those of whose documents some pages could not be read */
  succeeded_requests: number;
  failed_requests: number;
};

export type MistralNewBatchJob = {
  endpoint: "/v1/ocr";
  /** Ids of files with the purpose `batch`. Each line is `{"custom_id": …, "body": …}`, with a body of `POST /v1/ocr` in Mistral's shape */
  input_files?: Array<string> | null;
  /** The lines themselves, instead of files */
  requests?: Array<{
    custom_id?: string | null;
    body: Record<string, unknown>;
  }> | null;
  /** For bodies that name none; as in `POST /v1/ocr` */
  model?: string | null;
  agent_id?: null;
  metadata?: Record<string, string> | null;
  /** Then the job is canceled. What has been read is in its output */
  timeout_hours?: number;
};

export type MistralBatchJobs = {
  object: "list";
  data: Array<MistralBatchJob>;
  /** Of all pages */
  total: number;
};

export type DeletedMistralBatchJob = {
  id: string;
  object: "batch";
  deleted: true;
};

export type Bucket = {
  id: string;
  endpoint: string;
  region: string;
  bucket: string;
  /** All keys begin with it */
  prefix: string;
  addressing: "path" | "virtual";
  /** Last characters of the access key's id */
  access_key_hint: string;
  created_at: string;
  rotated_at: string | null;
};

export type NewBucket = {
  endpoint: string;
  region?: string;
  bucket: string;
  prefix?: string;
  addressing?: "path" | "virtual";
  access_key_id: string;
  secret_access_key: string;
};

export type BucketAccessKey = {
  access_key_id: string;
  secret_access_key: string;
};

export type BucketCheck = {
  /** Whether every step has succeeded */
  ok: boolean;
  steps: Array<{
    step: "list" | "write" | "read" | "delete";
    outcome: "ok" | "failed" | "skipped";
    error: {
      code: string;
      message: string;
    } | null;
  }>;
};

export type Context = {
  id: string;
  name: string | null;
  profile: string;
  token_budget: number | null;
  recent: number;
  fade: Fade | null;
  summaries: boolean;
  reader: string | null;
  erase_after: number | null;
  metadata: Record<string, string>;
  /** Number of the newest message; numbers start at 1 */
  last_message: number;
  /** Why the last step of ageing failed */
  error: PageError | null;
  created_at: string;
  aged_at: string | null;
  links: {
    self: string;
    messages: string;
    segments: string;
    view: string;
    search: string;
    export: string;
  };
};

export type Fade = {
  /** `rounds`: age is the number of later messages with the role `user` */
  by?: "time" | "rounds";
  rungs: Array<{
    /** `text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with type of 12 pixels */
    form: string;
    /** Seconds, or rounds */
    after: number;
  }>;
};

export type NewContext = {
  name?: string;
  /** Whose tokens and prices count (`GET /v1/memory/profiles`) */
  profile?: string;
  /** Limit of tokens for the whole view, in tokens of the profile: older segments become fainter to meet it, and then only their index lines are left. The view says `over_budget` where it cannot be met */
  token_budget?: number;
  /** How many of the newest messages always stay text */
  recent?: number;
  /** A ladder by age, as the DeepSeek-OCR paper proposes: from when on a segment is shown in which form of the profile. `null`: only the budget makes segments fainter */
  fade?: Fade | null;
  /** Whether the operator's model for extractions writes a summary of each segment, which views show where a budget has no room for its images. It is not the words: these are kept. `false` in a change deletes the summaries */
  summaries?: boolean;
  /** Model that checks images when they are made. What it does not read exactly (ids, numbers, names) is written beside the image, and images that it cannot read are made again in a clearer form. `null`: images are not checked */
  reader?: string | null;
  /** Age in seconds at which texts of segments that are shown as images are erased; SHA-256 and length of their messages stay. `0`: as soon as the images exist · `null`: never */
  erase_after?: number | null;
  metadata?: Record<string, string>;
};

export type ImportedContext = {
  id: string;
  name: string | null;
  profile: string;
  token_budget: number | null;
  recent: number;
  fade: Fade | null;
  summaries: boolean;
  reader: string | null;
  erase_after: number | null;
  metadata: Record<string, string>;
  /** Number of the newest message; numbers start at 1 */
  last_message: number;
  /** Why the last step of ageing failed */
  error: PageError | null;
  created_at: string;
  aged_at: string | null;
  links: {
    self: string;
    messages: string;
    segments: string;
    view: string;
    search: string;
    export: string;
  };
  imported: number;
  /** Their old numbers */
  skipped: Array<number>;
};

export type ChangeContext = {
  name?: string | null;
  /** Whose tokens and prices count (`GET /v1/memory/profiles`) */
  profile?: string;
  /** Limit of tokens for the whole view, in tokens of the profile: older segments become fainter to meet it, and then only their index lines are left. The view says `over_budget` where it cannot be met */
  token_budget?: number | null;
  /** How many of the newest messages always stay text */
  recent?: number;
  /** A ladder by age, as the DeepSeek-OCR paper proposes: from when on a segment is shown in which form of the profile. `null`: only the budget makes segments fainter */
  fade?: Fade | null;
  /** Whether the operator's model for extractions writes a summary of each segment, which views show where a budget has no room for its images. It is not the words: these are kept. `false` in a change deletes the summaries */
  summaries?: boolean;
  /** Model that checks images when they are made. What it does not read exactly (ids, numbers, names) is written beside the image, and images that it cannot read are made again in a clearer form. `null`: images are not checked */
  reader?: string | null;
  /** Age in seconds at which texts of segments that are shown as images are erased; SHA-256 and length of their messages stay. `0`: as soon as the images exist · `null`: never */
  erase_after?: number | null;
  metadata?: Record<string, string>;
};

export type ContextMessage = {
  number: number;
  role: "system" | "developer" | "user" | "assistant" | "tool";
  pinned: boolean;
  importance: number;
  /** Estimate for DeepSeek's tokenizer */
  text_tokens: number;
  characters: number;
  /** Of its text as Markdown */
  sha256: string;
  /** `null`: it is not sealed yet */
  segment: string | null;
  /** `erased`: only the images of its segment are left */
  original: "kept" | "erased";
  created_at: string;
};

export type NewMessages = NewContextMessages | NewProviderMessages;

export type NewContextMessages = {
  format?: "fovea";
  messages: Array<{
    role: "system" | "developer" | "user" | "assistant" | "tool";
    /** Markdown, or parts in order; `null` or `[]`: nothing was said */
    content: string | Array<MessagePart> | null;
    name?: string | null;
    /** A view always shows it as text */
    pinned?: boolean;
    /** 0 to 1: at 1 the message ages at a tenth of the speed. A segment ages by its most important message */
    importance?: number;
    /** Time of the message, if it is older than the request */
    created_at?: string;
  }>;
};

export type MessagePart = {
  type: "text";
  text: string;
} | {
  type: "tool_call";
  id: string;
  name: string;
  /** JSON text */
  arguments: string;
} | {
  type: "tool_result";
  /** `id` of the `tool_call` */
  id: string;
  name?: string | null;
  text: string;
  is_error?: boolean;
} | {
  type: "image";
  /** `https:` or `data:` */
  url?: string | null;
  file_id?: string | null;
  alt?: string | null;
};

export type NewProviderMessages = {
  /** `openai`: `messages` of Chat Completions, or `input` of Responses · `anthropic`: `messages` and `system` · `gemini`: `contents` and `systemInstruction`. Other members are ignored */
  format: "openai" | "anthropic" | "gemini";
  /** A view always shows it as text */
  pinned?: boolean;
  /** 0 to 1: at 1 the message ages at a tenth of the speed. A segment ages by its most important message */
  importance?: number;
};

export type ContextMessages = {
  data: Array<ContextMessageWithText>;
  /** `after` of the next page; `null` on the last page */
  next_after: number | null;
};

export type ContextMessageWithText = {
  number: number;
  role: "system" | "developer" | "user" | "assistant" | "tool";
  pinned: boolean;
  importance: number;
  /** Estimate for DeepSeek's tokenizer */
  text_tokens: number;
  characters: number;
  /** Of its text as Markdown */
  sha256: string;
  /** `null`: it is not sealed yet */
  segment: string | null;
  /** `erased`: only the images of its segment are left */
  original: "kept" | "erased";
  created_at: string;
  name: string | null;
  /** `null` if the text is erased */
  parts: Array<MessagePart> | null;
  /** The parts as Markdown */
  text: string | null;
};

export type ChangeContextMessage = {
  /** A view always shows it as text */
  pinned?: boolean;
  /** 0 to 1: at 1 the message ages at a tenth of the speed. A segment ages by its most important message */
  importance?: number;
};

export type ContextView = {
  context_id: string;
  profile: string;
  /** Date of the provider's rules */
  profile_version: string;
  token_budget: number | null;
  over_budget: boolean;
  over_budget_reason: string | null;
  /** The oldest segments, which are left out altogether because even their lines are too many for the budget. Searches find their messages */
  hidden_segments: number;
  tokens: ContextTokens;
  /** For one request; `null` if the profile is not priced by tokens */
  cost: ContextCost | null;
  /** Leading items that stay as they are until segments are sealed or become fainter: a prompt cache can end after them */
  stable_items: number;
  items?: Array<{
    type: "message";
    number: number;
    role: "system" | "developer" | "user" | "assistant" | "tool";
    name: string | null;
    parts: Array<MessagePart>;
    /** The parts as Markdown */
    text: string;
    tokens: number;
  } | {
    type: "image";
    segment: string;
    /** `text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with type of 12 pixels */
    form: string;
    first_message: number;
    last_message: number;
    /** Of its pages and of what is written beside them */
    tokens: number;
    /** What is in the segment, in a line */
    index: string;
    /** Ids, numbers and names that a reader did not read exactly in the images */
    sidecar: Array<string>;
    pages: Array<{
      /** Empty with `images=none` */
      url: string;
      width: number;
      height: number;
      /** What the profile's provider charges for it */
      tokens: number;
      /** How the provider is to read it: OpenAI's `detail`, Gemini's `media_resolution`, DeepSeek-OCR's mode */
      detail: string | null;
      messages: Array<{
        number: number;
        role: "system" | "developer" | "user" | "assistant" | "tool";
      }>;
    }>;
  } | {
    type: "summary";
    segment: string;
    first_message: number;
    last_message: number;
    /** What a model wrote about these messages. Not their words, and it can be wrong */
    text: string;
    model: string;
    tokens: number;
  } | {
    type: "index";
    segment: string;
    first_message: number;
    last_message: number;
    text: string;
    tokens: number;
  }>;
  /** With `format=openai` and `format=anthropic` */
  messages?: Array<Record<string, unknown>>;
  /** With `format=anthropic` */
  system?: Array<Record<string, unknown>>;
  /** With `format=gemini` */
  contents?: Array<Record<string, unknown>>;
  /** With `format=gemini` */
  systemInstruction?: Record<string, unknown>;
};

export type ContextTokens = {
  total: number;
  /** Of messages that are text. Estimated */
  text: number;
  /** Of images. Counted by the provider's formula */
  vision: number;
  /** Of the lines of segments that are left out */
  index: number;
  /** Of summaries by a model */
  summary: number;
  /** Of all messages as text. Estimated */
  as_text: number;
};

export type ContextCost = {
  usd: number;
  /** If the whole view is in the prompt cache */
  usd_cached: number;
  usd_as_text: number;
  usd_as_text_cached: number;
};

export type ContextCosts = {
  context_id: string;
  data: Array<{
    profile: string;
    profile_version: string;
    tokens: number;
    tokens_as_text: number;
    usd: number | null;
    usd_as_text: number | null;
    advice: string | null;
  }>;
};

export type Ageing = {
  context_id: string;
  dry_run: boolean;
  at: string;
  /** `making`: images or summaries are being made, ask again · `busy`: another request or the service itself is ageing the context · `failed`: see `error`; the next attempt is in ten minutes */
  state: "done" | "making" | "busy" | "failed";
  /** New segments */
  sealed: number;
  /** What the view of the context's own profile shows differently */
  changes: Array<{
    segment: string;
    first_message: number;
    last_message: number;
    /** `text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with type of 12 pixels */
    from: string;
    /** `text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with type of 12 pixels */
    to: string;
    tokens_before: number;
    /** Expected, if the image is not made yet */
    tokens_after: number;
  }>;
  tokens: {
    total: number;
    /** Of messages that are text. Estimated */
    text: number;
    /** Of images. Counted by the provider's formula */
    vision: number;
    /** Of the lines of segments that are left out */
    index: number;
    /** Of summaries by a model */
    summary: number;
    /** Of all messages as text. Estimated */
    as_text: number;
  };
  /** After everything that is due */
  expected_tokens: number;
  token_budget: number | null;
  over_budget: boolean;
  over_budget_reason: string | null;
  error: {
    code: string;
    message: string;
  } | null;
};

export type AgeContext = {
  /** Only report what is due */
  dry_run?: boolean;
  /** Age as if it were this time, which must not be in the past. Without `dry_run`, this ageing is final. */
  at?: string;
};

export type ContextSegment = {
  id: string;
  first_message: number;
  last_message: number;
  text_tokens: number;
  importance: number;
  /** What is in the segment, in a line */
  index: string;
  original: "kept" | "erased";
  /** `null`: it was not asked for yet, the context has no summaries, the segment is too short for one, or its texts are erased */
  summary: ContextSummary | null;
  /** In the view of the context's own profile */
  form: string;
  renders: Array<ContextRender>;
  newest_at: string;
  created_at: string;
};

export type ContextSummary = {
  state: "making" | "ready" | "failed";
  /** What a model wrote about the segment. Not its words, and it can be wrong */
  text: string | null;
  model: string | null;
  /** Estimated, with its label in a view */
  tokens: number;
  /** Why the last request for it failed */
  error: PageError | null;
};

export type ContextRender = {
  profile: string;
  /** `text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with type of 12 pixels */
  form: string;
  /** `checking`: a reader is reading its pages */
  state: "making" | "checking" | "ready" | "failed";
  /** Of its pages and its sidecar */
  tokens: number;
  pages: number;
  /** Text tokens of the segment for each token of the image */
  compression: number | null;
  /** Share of characters that the context's reader read; `null`: not checked */
  precision: number | null;
  /** Lowest and highest precision that the DeepSeek-OCR paper measured at this compression; `null` outside the range that it measured */
  expected_precision: [number, number] | null;
  sidecar: Array<string>;
  error: PageError | null;
};

export type ContextSegmentWithMessages = {
  id: string;
  first_message: number;
  last_message: number;
  text_tokens: number;
  importance: number;
  /** What is in the segment, in a line */
  index: string;
  original: "kept" | "erased";
  /** `null`: it was not asked for yet, the context has no summaries, the segment is too short for one, or its texts are erased */
  summary: ContextSummary | null;
  /** In the view of the context's own profile */
  form: string;
  renders: Array<ContextRender>;
  newest_at: string;
  created_at: string;
  messages: Array<ContextMessageWithText>;
};

export type ContextZoom = {
  context_id: string;
  segment: string;
  profile: string;
  /** `text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with type of 12 pixels */
  form: string;
  /** `making`: repeat the request */
  state: "making" | "ready";
  pages: Array<{
    /** Empty with `images=none` */
    url: string;
    width: number;
    height: number;
    /** What the profile's provider charges for it */
    tokens: number;
    /** How the provider is to read it: OpenAI's `detail`, Gemini's `media_resolution`, DeepSeek-OCR's mode */
    detail: string | null;
    messages: Array<{
      number: number;
      role: "system" | "developer" | "user" | "assistant" | "tool";
    }>;
  }>;
};

export type ZoomContextSegment = {
  profile?: string;
  /** `text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with type of 12 pixels */
  form: string;
};

export type MemoryProfile = {
  id: string;
  provider: string;
  /** Date on which `source` said so */
  version: string;
  source: string;
  forms: Array<{
    /** `text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with type of 12 pixels */
    id: string;
    width: number;
    height: number;
    /** In pixels */
    type_size: number;
    /** Of a full page */
    tokens: number;
    /** About how many a full page holds */
    text_tokens: number;
    detail: string | null;
  }>;
  limits: {
    images: number;
    image_bytes: number;
    /** Longest side in pixels */
    side: number;
  };
  /** Dollars for a million tokens */
  prices: {
    input: number;
    cached_input: number;
    cache_write: number;
  } | null;
  /** Why images do not pay, if they do not */
  advice: string | null;
};

export type ContextSearch = {
  context_id: string;
  /** `false`: older messages are still being indexed; repeat the search to find them all */
  complete: boolean;
  data: Array<{
    number: number;
    role: "system" | "developer" | "user" | "assistant" | "tool";
    pinned: boolean;
    importance: number;
    /** Estimate for DeepSeek's tokenizer */
    text_tokens: number;
    characters: number;
    /** Of its text as Markdown */
    sha256: string;
    /** `null`: it is not sealed yet */
    segment: string | null;
    /** `erased`: only the images of its segment are left */
    original: "kept" | "erased";
    created_at: string;
    snippet: string;
    /** Higher is better. By meaning: the cosine of the vectors, up to 1 */
    score: number;
  }>;
};

export type Recall = {
  context_id: string;
  message: number;
  role: "system" | "developer" | "user" | "assistant" | "tool";
  /** Of the image that holds the message; `text` if there is none */
  form: string;
  state: "recalled" | "reading";
  /** Whether `text` is the text that was stored, or was read from the image */
  source: "original" | "image";
  text: string | null;
  /** `pages`: where the message is on its pages is not known (an image from before segments), so `text` is their whole text */
  scope: "message" | "pages" | null;
  verdict: "ok" | "blank" | "suspect" | "unreadable" | "failed" | null;
  /** Lowest and highest precision that the DeepSeek-OCR paper measured at this compression; `null` outside the range that it measured */
  expected_precision: [number, number] | null;
  model: string | null;
  model_digest: string | null;
  /** Compared with the original; `null` unless the context keeps it */
  measured: {
    cer: number | null;
    wer: number | null;
    precision: number | null;
    characters: number;
  } | null;
  /** Whether the words have the same hash as those of the original */
  verified: boolean | null;
  /** Length of the original */
  characters: number;
  jobs: Array<string>;
};

export type Compressed = {
  job_id: string;
  file_id: string;
  state: "queued" | "running" | "succeeded" | "partial" | "failed" | "canceled" | "expired";
  mode: "gundam" | "large" | "base" | "small" | "tiny";
  text_tokens: number | null;
  vision_tokens: number | null;
  compression: number | null;
  /** Lowest and highest precision that the DeepSeek-OCR paper measured at this compression; `null` outside the range that it measured */
  expected_precision: [number, number] | null;
  pages: Array<{
    page: number;
    /** Path of the image; requests need the API key */
    image: string;
    width: number;
    height: number;
    vision_tokens: number;
    text_tokens: number;
    compression: number | null;
    /** Lowest and highest precision that the DeepSeek-OCR paper measured at this compression; `null` outside the range that it measured */
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
  /** `auto`: the mode with the fewest tokens that is expected to reach `target_precision` */
  mode?: "auto" | "gundam" | "large" | "base" | "small" | "tiny";
  target_precision?: number;
  /** Read the images back and measure how much of the text is recovered */
  verify?: boolean;
  /** The model that reads the images back */
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
    /** Lowest and highest precision that the DeepSeek-OCR paper measured at this compression; `null` outside the range that it measured */
    expected_precision: [number, number] | null;
    /** Character error rate; `null` while pages are being read, or if a page failed */
    cer: number | null;
    wer: number | null;
    precision: number | null;
  }>;
};

export type FidelityRequest = {
  file?: string;
  /** `https:` or `data:` URL */
  url?: string;
  /** Instead of a document: use the result of this job */
  job?: string;
  /** The true text of the document */
  truth: string;
  pages?: string;
  model?: string;
  /** Default: all of the reader. Readers without vision tokens have only one */
  modes?: Array<"auto" | "tiny" | "small" | "base" | "large" | "gundam">;
};

export type McpMessage = {
  jsonrpc: "2.0";
  method?: string;
};

export type CreatedApiKey = {
  id: string;
  name: string;
  /** The key's last four characters */
  hint: string;
  environment: "live" | "test";
  scopes: Array<"read" | "write" | "webhooks" | "buckets" | "admin">;
  created_at: string;
  revoked_at: string | null;
  expires_at: string | null;
  /** Precise to the minute */
  last_used_at: string | null;
  monthly_pages: number | null;
  concurrent_jobs: number | null;
  /** Networks from which the key may be used; `null`: any */
  allowed_cidrs: Array<string> | null;
  /** `null`: the service's default */
  rate_per_minute: number | null;
  /** The key itself. It is shown only once */
  key: string;
};

export type ApiKey = {
  id: string;
  name: string;
  /** The key's last four characters */
  hint: string;
  environment: "live" | "test";
  scopes: Array<"read" | "write" | "webhooks" | "buckets" | "admin">;
  created_at: string;
  revoked_at: string | null;
  expires_at: string | null;
  /** Precise to the minute */
  last_used_at: string | null;
  monthly_pages: number | null;
  concurrent_jobs: number | null;
  /** Networks from which the key may be used; `null`: any */
  allowed_cidrs: Array<string> | null;
  /** `null`: the service's default */
  rate_per_minute: number | null;
};

export type NewApiKey = {
  name?: string;
  environment?: "live" | "test";
  /** `admin` includes all other scopes. Default: `read` and `write`, or `admin` with the bootstrap secret */
  scopes?: Array<"read" | "write" | "webhooks" | "buckets" | "admin">;
  expires_at?: string;
  /** Requests per minute. Default: the service's limit */
  rate_per_minute?: number;
  /** Limit of pages read per calendar month (UTC). Default: no limit */
  monthly_pages?: number;
  /** Limit of open jobs. Default: no limit */
  concurrent_jobs?: number;
  /** IPv4 and IPv6 networks from which the key may be used. Default: any */
  allowed_cidrs?: Array<string>;
  /** Only with the bootstrap secret: the tenant, which is created if it does not exist. Default: `default` */
  tenant?: string;
};

export type ChangeApiKey = {
  name?: string;
  expires_at?: string | null;
  rate_per_minute?: number | null;
  monthly_pages?: number | null;
  concurrent_jobs?: number | null;
  allowed_cidrs?: Array<string> | null;
};

export type RotateApiKey = {
  /** Seconds for which the old key remains valid */
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
  /** The job. Default: the id of a new job, which a `write` token can start once */
  job?: string;
};

export type WebhookSecret = {
  secret: string;
};

export type WebhookEndpointWithSecret = {
  id: string;
  url: string;
  events: Array<"job.succeeded" | "job.partial" | "job.failed" | "job.canceled" | "job.expired" | "page.completed" | "key.created" | "key.changed" | "key.rotated" | "key.revoked" | "endpoint.disabled" | "batch.completed" | "batch.delivered" | "extraction.completed">;
  /** `disabled`: on request, or after five consecutive failed deliveries */
  state: "active" | "disabled";
  disabled_at: string | null;
  disabled_reason: "failures" | "request" | null;
  created_at: string;
  secret: string;
};

export type WebhookEndpoint = {
  id: string;
  url: string;
  events: Array<"job.succeeded" | "job.partial" | "job.failed" | "job.canceled" | "job.expired" | "page.completed" | "key.created" | "key.changed" | "key.rotated" | "key.revoked" | "endpoint.disabled" | "batch.completed" | "batch.delivered" | "extraction.completed">;
  /** `disabled`: on request, or after five consecutive failed deliveries */
  state: "active" | "disabled";
  disabled_at: string | null;
  disabled_reason: "failures" | "request" | null;
  created_at: string;
};

export type NewWebhookEndpoint = {
  url: string;
  events?: Array<"job.succeeded" | "job.partial" | "job.failed" | "job.canceled" | "job.expired" | "page.completed" | "key.created" | "key.changed" | "key.rotated" | "key.revoked" | "endpoint.disabled" | "batch.completed" | "batch.delivered" | "extraction.completed">;
};

export type ChangeWebhookEndpoint = {
  url?: string;
  events?: Array<"job.succeeded" | "job.partial" | "job.failed" | "job.canceled" | "job.expired" | "page.completed" | "key.created" | "key.changed" | "key.rotated" | "key.revoked" | "endpoint.disabled" | "batch.completed" | "batch.delivered" | "extraction.completed">;
  state?: "active" | "disabled";
};

export type ListedWebhookDelivery = {
  /** Sent as `webhook-id` with every attempt */
  id: string;
  event: string;
  url: string;
  /** `null` for a job's `webhook_url` */
  endpoint_id: string | null;
  job_id: string | null;
  state: "pending" | "delivered" | "failed";
  created_at: string;
  attempt_count: number;
  /** Status of the last answer; `null` if there was none */
  last_status: number | null;
  /** Why the last attempt failed */
  last_error: string | null;
  /** When a pending delivery is tried again; `null`: at once */
  next_attempt_at: string | null;
};

export type WebhookDeliveryLog = {
  /** Sent as `webhook-id` with every attempt */
  id: string;
  event: string;
  url: string;
  /** `null` for a job's `webhook_url` */
  endpoint_id: string | null;
  job_id: string | null;
  state: "pending" | "delivered" | "failed";
  created_at: string;
  attempts: Array<{
    attempt: number;
    at: string;
    duration_ms: number;
    /** `null` if there was no response */
    status: number | null;
    error: string | null;
    /** Beginning of the response body */
    answer: string | null;
  }>;
  /** The body of every attempt; `null` if the job was deleted */
  request: {
    body: Record<string, unknown>;
  } | null;
};

export type Usage = {
  day: string;
  key_id: string;
  model: string;
  /** Pages that a worker read for this key */
  pages_read: number;
  /** Pages that were being read for another request at the same time */
  pages_shared: number;
  /** Pages from the cache */
  pages_cached: number;
  /** Pages that a worker could not read */
  pages_failed: number;
  vision_tokens: number;
  text_tokens: number;
  /** Pages read that were decoded from kept vision tokens */
  pages_from_tokens: number;
  /** Extractions that a model has made; `model` is that of the provider */
  extractions: number;
  /** Extractions from the cache */
  extractions_cached: number;
  /** Tokens that the provider has counted, also those of extractions that failed, of summaries of contexts and of searches by meaning */
  extraction_input_tokens: number;
  extraction_output_tokens: number;
  /** Cost of the pages read, by the model's price per page, and of the tokens of extractions, summaries and searches by meaning, by the model's prices for these; 0 without a price */
  cost_usd: number;
};

export type UsageTotal = {
  /** Pages that a worker read for this key */
  pages_read: number;
  /** Pages that were being read for another request at the same time */
  pages_shared: number;
  /** Pages from the cache */
  pages_cached: number;
  /** Pages that a worker could not read */
  pages_failed: number;
  vision_tokens: number;
  text_tokens: number;
  /** Pages read that were decoded from kept vision tokens */
  pages_from_tokens: number;
  /** Extractions that a model has made; `model` is that of the provider */
  extractions: number;
  /** Extractions from the cache */
  extractions_cached: number;
  /** Tokens that the provider has counted, also those of extractions that failed, of summaries of contexts and of searches by meaning */
  extraction_input_tokens: number;
  extraction_output_tokens: number;
  /** Cost of the pages read, by the model's price per page, and of the tokens of extractions, summaries and searches by meaning, by the model's prices for these; 0 without a price */
  cost_usd: number;
};

export type Settings = {
  /** Days after its last use until a document is deleted, with everything read from it */
  retention_days: number;
  retention_is_default: boolean;
  /** Days after its end until a job is deleted. Its document has its own time */
  job_retention_days: number;
  /** Limit of pages read per day (UTC); `null`: no limit */
  daily_pages: number | null;
  /** Limit of spending per day, by the service's prices; `null`: no limit */
  daily_usd: number | null;
  /** Whether vision tokens are kept for requests that do not set `tokens` */
  keep_tokens: boolean;
  /** Bytes of vision tokens that are kept */
  token_bytes: number;
  /** Limit of `token_bytes`; beyond it, no tokens are kept */
  token_bytes_max: number;
};

export type ChangeSettings = {
  retention_days?: number | null;
  job_retention_days?: number | null;
  daily_pages?: number | null;
  daily_usd?: number | null;
  keep_tokens?: boolean;
};

export type AuditEntry = {
  id: string;
  action: "key.created" | "key.changed" | "key.rotated" | "key.revoked" | "settings.changed" | "file.deleted" | "file.expired" | "file.erased" | "job.deleted" | "endpoint.created" | "endpoint.changed" | "endpoint.rotated" | "endpoint.disabled" | "endpoint.deleted" | "delivery.replayed" | "batch.created" | "batch.paused" | "batch.resumed" | "batch.canceled" | "batch.retried" | "bucket.created" | "bucket.rotated" | "bucket.deleted" | "batch.deleted" | "batch.expired" | "tokens.deleted" | "context.deleted";
  /** Id of the resource that was created, changed or deleted */
  target: string;
  /** Names of what was changed, without values */
  fields: Array<string>;
  /** The key that did it; `null`: the bootstrap secret, or the service itself */
  key_id: string | null;
  /** Name of that key today */
  key_name: string | null;
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

export type Pools = {
  pools: Array<Pool>;
  /** When the scheduler started; without work it stops after a while */
  counters_since: string;
  queue: {
    /** Shards that wait for a slot */
    shards: number;
    pages: number;
    /** Pages of them that only batches wait for */
    batch_pages: number;
    tenants: number;
    /** Since when the oldest shard waits */
    oldest_at: string | null;
  };
};

export type Pool = {
  name: string;
  type: "cog" | "replicate";
  /** Origin of the Cog server, or name of the Replicate deployment */
  address: string;
  models: Array<string>;
  slots: number;
  /** Slots in use */
  taken: number;
  /** It gets no new shards */
  draining: boolean;
  /** It was still starting when last asked */
  starting: boolean;
  /** It was full, was starting or did not answer, and gets no shard before this time */
  resting_until: string | null;
  breaker: {
    state: "closed" | "open" | "half-open";
    /** Failures since it last worked; three open it */
    strikes: number;
    /** When one shard may try again */
    open_until: string | null;
  };
  /** The last health check, made once a minute; `null` before the first */
  probe: {
    at: string;
    healthy: boolean;
    /** The pool's own word, or `UNREACHABLE` or `LATE` */
    state: string;
  } | null;
  /** Since `counters_since` */
  counters: {
    dispatched: number;
    /** Shards that it did not accept */
    refused: number;
    /** Shards that it accepted and lost */
    lost: number;
    /** Mean time from dispatch to the worker's first message */
    first_word_ms: number | null;
  };
};
