"""Made by `npm run types` from the OpenAPI document: do not edit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from ._base import Record


class File(Record):
    id: str
    object: Literal["file"]
    sha256: str
    bytes: int
    media_type: str
    name: str | None
    filename: str
    """The name, or the id if there is none"""
    page_count: int | None
    """`null` until the document has been opened, and for texts, whose number of pages depends on the mode"""
    created_at: int
    """Unix seconds, as in OpenAI's and Mistral's APIs"""
    purpose: Literal["ocr", "batch"] | str
    """`batch`: requests for `POST /v1/batch/jobs`; such a file is no document"""
    expires_at: int | None
    """Unix seconds; the file is deleted within a minute. `null`: the retention time of the account holds"""
    status: Literal["processed"] | None = None
    """For OpenAI's clients"""
    mimetype: str
    """`media_type`, for Mistral's clients"""
    visibility: Literal["workspace"]
    """For Mistral's clients"""
    sample_type: Literal["ocr_input", "batch_request"] | str
    """For Mistral's clients"""
    source: Literal["upload"]
    """For Mistral's clients"""
    deleted: Literal[False]
    """For Mistral's clients"""


class Problem(Record):
    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[ProblemError] | None = None


class ProblemError(Record):
    path: str
    message: str


class BatchResultFile(Record):
    id: str
    object: Literal["file"]
    bytes: int
    filename: str
    created_at: int
    purpose: Literal["batch"]
    sample_type: Literal["batch_result", "batch_error"] | str
    source: Literal["mistral"]
    mimetype: Literal["application/jsonl"]
    deleted: Literal[False]


class DeletedFile(Record):
    id: str
    object: Literal["file"]
    deleted: Literal[True]


class FileUrl(Record):
    url: str


class KeptTokens(Record):
    page: int
    dpi: float
    mode: str
    layout: str | None
    """For text documents: the requested mode, which determines the page layout"""
    model: str
    model_digest: str
    dtype: str
    positions: int
    """Rows of the tensor"""
    bytes: int
    created_at: datetime


class DeletedTokens(Record):
    deleted: int
    bytes: int


class OpenUpload(Record):
    id: str
    state: Literal["open", "checking", "done", "failed", "expired"] | str
    """`checking`: all bytes have arrived and are being hashed · `done`: see `file_id` · `expired`:
    aborted, or not completed in time"""
    bytes: int
    sha256: str
    name: str | None
    file_id: str | None
    """The file, when the state is `done`"""
    error: str | None
    """Code of the problem for which the upload failed"""
    created_at: datetime
    expires_at: datetime
    parts: list[OpenUploadPart]


class OpenUploadPart(Record):
    part: int
    bytes: int
    url: str
    """PUT the bytes of this part here, without an API key"""


class Upload(Record):
    id: str
    state: Literal["open", "checking", "done", "failed", "expired"] | str
    """`checking`: all bytes have arrived and are being hashed · `done`: see `file_id` · `expired`:
    aborted, or not completed in time"""
    bytes: int
    sha256: str
    name: str | None
    file_id: str | None
    """The file, when the state is `done`"""
    error: str | None
    """Code of the problem for which the upload failed"""
    created_at: datetime
    expires_at: datetime


class Job(Record):
    id: str
    state: Literal["queued", "running", "succeeded", "partial", "failed", "canceled", "expired"] | str
    file_id: str
    model: str
    mode: str
    task: str
    prompt: str | None
    dpi: float
    token_budget: int | None
    witness: bool
    text_layer: Literal["auto", "never", "only"] | str
    sequence: Literal["page", "document"] | str
    granularity: Literal["block", "line", "word"] | str
    """`line` and `word` add the lines of each block, and their words, with boxes and confidences.
    `fovea-nano` has lines but no words, the other models only blocks"""
    table_format: Literal["html", "markdown"] | str
    """How tables are written in the page's Markdown. `markdown`: as in GitHub's Markdown; the first row is
    the head. Tables with merged cells, which Markdown lacks, stay HTML"""
    join_tables: bool
    """Whether a table that goes on over pages is joined: the page on which it begins has all its rows"""
    figures: Literal["none", "link", "inline"] | str
    """Whether the page's Markdown shows its figures: `link`: by their addresses, which need the API key ·
    `inline`: as `data:` URLs"""
    hyperlinks: Literal["none", "list", "inline"] | str
    """Links of the document. `inline`: in the Markdown, in tables, and in `hyperlinks` of the page ·
    `list`: only there · `none`: nowhere"""
    languages: list[str]
    tokens: Literal["keep", "none"] | str
    """Whether the vision tokens of its pages are kept"""
    selection: str
    cache: Literal["use", "refresh", "only"] | str
    progress: JobProgress
    waiting_for: Literal["slot", "cold_start", "pool", "worker", "installation"] | str | None = None
    """What an open job waits for: `slot`: all workers are busy · `worker`: a worker has the job but has
    not responded yet · `cold_start`: a worker is starting · `pool`: no worker is available ·
    `installation`: the model is being installed on this machine (`GET /v1/models`). `null`: pages are
    being read, or the job has ended"""
    pages: list[PageStatus] | None = None
    error: PageError | None
    metadata: dict[str, str]
    webhook_url: str | None
    zero_retention: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime
    links: JobLinks
    result: ResultDocument | None = None
    extraction: Extraction | None = None


class JobProgress(Record):
    total: int | None
    """`null` until the pages are counted"""
    done: int
    failed: int


class JobLinks(Record):
    self: str
    events: str
    result: str
    cancel: str
    deliveries: str


class MistralOcrResponse(Record):
    pages: list[MistralOcrPage]
    model: str
    """The model that has read the document"""
    document_annotation: str | None
    """The data as JSON, by `document_annotation_format`. `null` without it, and if the extraction has
    failed: then `fovea.extraction` says why"""
    usage_info: MistralOcrResponseUsageInfo
    fovea: MistralOcrResponseFovea


class MistralOcrResponseUsageInfo(Record):
    pages_processed: int
    doc_size_bytes: int


class MistralOcrResponseFovea(Record):
    job_id: str
    file_id: str
    state: str
    extraction: MistralOcrResponseFoveaExtraction | None
    """The extraction behind `document_annotation`: `/v1/jobs/{job_id}/extractions/{id}` has its citations.
    `null` if none was asked for"""
    image_extraction: MistralOcrResponseFoveaImageExtraction | None
    """The extraction behind `image_annotation`. `null` if none was asked for"""
    pages: list[MistralOcrResponseFoveaPage]


class MistralOcrResponseFoveaExtraction(Record):
    """The extraction behind `document_annotation`: `/v1/jobs/{job_id}/extractions/{id}` has its citations.
    `null` if none was asked for"""

    id: str
    state: Literal["queued", "running", "succeeded", "failed"] | str
    error: PageError | None


class MistralOcrResponseFoveaImageExtraction(Record):
    """The extraction behind `image_annotation`. `null` if none was asked for"""

    id: str
    state: Literal["queued", "running", "succeeded", "failed"] | str
    error: PageError | None
    failed: list[MistralOcrResponseFoveaImageExtractionFailed]
    """Images without an annotation, if others have one"""


class MistralOcrResponseFoveaImageExtractionFailed(Record):
    image: str
    error: PageError


class MistralOcrResponseFoveaPage(Record):
    page: int
    """From 1"""
    verdict: str
    source: str
    error: PageError | None


class DoclingConvertResponse(Record):
    document: DoclingConvertResponseDocument
    status: Literal["success", "partial_success", "failure"] | str
    errors: list[DoclingErrorItem]
    processing_time: float
    """Seconds"""
    timings: dict[str, Any]


class DoclingConvertResponseDocument(Record):
    filename: str
    md_content: str | None
    json_content: DoclingDocument | None
    html_content: str | None
    text_content: str | None
    doctags_content: str | None


class DoclingError(Record):
    detail: str | list[DoclingErrorDetail]
    type: str
    request_id: str


class DoclingErrorDetail(Record):
    type: str
    loc: list[str | int]
    msg: str


class DoclingTaskStatus(Record):
    task_id: str
    task_type: Literal["convert"]
    task_status: Literal["pending", "started", "success", "failure"] | str
    task_position: None
    task_meta: DoclingTaskStatusTaskMeta
    error_message: str | None
    failure: DoclingFailure | None


class DoclingTaskStatusTaskMeta(Record):
    num_docs: int
    num_processed: int
    num_succeeded: int
    num_partially_succeeded: int
    num_failed: int


class DoclingTaskFailure(Record):
    kind: Literal["TaskFailureResult"]
    failure: DoclingFailure


class DoclingVersion(Record):
    service: Literal["fovea"]
    docling_document: str


class Extraction(Record):
    """The extraction that the request for the job has asked for. With its data only where `result` is
    there; otherwise at `/v1/jobs/{id}/extractions/{extraction}`"""

    id: str
    job_id: str
    state: Literal["queued", "running", "succeeded", "failed"] | str
    """`queued`: it waits for the pages, or for other extractions of the account"""
    model: str
    """Name of the model at its provider"""
    cached: bool
    """Whether it was made before: then it costs no tokens"""
    progress: ExtractionProgress
    usage: ExtractionUsage
    error: PageError | None
    created_at: datetime
    finished_at: datetime | None
    data: dict[str, Any] | None = None
    """Matches the schema. Only when it has succeeded"""
    figures: list[ExtractionFigure] | None = None
    """Instead of `data`, `citations` and `conflicts`, if Mistral's `bbox_annotation_format` has asked for
    the data of each image"""
    citations: dict[str, Any] | None = None
    """As `data`, but instead of each string, number, boolean or null a `Citation`, or `null` if the value
    is not on the pages"""
    conflicts: list[ExtractionConflict] | None = None
    """Values of which the parts of a long document have several"""
    unread_pages: list[int] | None = None
    """Pages that could not be read, so nothing is extracted from them"""


class ExtractionProgress(Record):
    total: int | None
    """Parts of the document; `null` until they are known"""
    done: int


class ExtractionUsage(Record):
    input_tokens: int
    """As the provider counts them"""
    output_tokens: int


class ExtractionFigure(Record):
    page: int
    block: int
    """Id of the figure's block"""
    data: dict[str, Any] | None
    error: PageError | None


class ExtractionConflict(Record):
    path: str
    """JSON Pointer in `data`"""
    values: list[ExtractionConflictValue]
    """The first is the one in `data`"""


class ExtractionConflictValue(Record):
    value: Any | None = None
    citation: Citation | None


class ResultDocument(Record):
    schema_: Literal[1] = Field(alias="schema")
    job_id: str
    file_id: str
    pages: list[StoredPageResult | FailedPage]


class ResultDelivery(Record):
    job_id: str
    state: Literal["pending", "delivered", "failed"] | str
    failures: int
    """Failed attempts"""
    error: ResultDeliveryError | None
    """Of the last attempt, if it has failed"""
    etag: str | None
    """What the receiver has called the object"""
    finished_at: datetime | None


class ResultDeliveryError(Record):
    """Of the last attempt, if it has failed"""

    code: str
    message: str


class Delivery(Record):
    id: str
    """Sent as `webhook-id` with every attempt"""
    event: str
    url: str
    endpoint_id: str | None
    """`null` for a job's `webhook_url`"""
    job_id: str | None
    state: Literal["pending", "delivered", "failed"] | str
    created_at: datetime
    attempts: list[DeliveryAttempt]


class DeliveryAttempt(Record):
    attempt: int
    at: datetime
    duration_ms: int
    status: int | None
    """`null` if there was no response"""
    error: str | None
    answer: str | None
    """Beginning of the response body"""


class ChatCompletion(Record):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatCompletionChoice]
    usage: ChatCompletionUsage
    fovea: ChatCompletionFovea


class ChatCompletionChoice(Record):
    index: Literal[0]
    message: ChatCompletionChoiceMessage
    logprobs: None
    finish_reason: Literal["stop", "length"] | str


class ChatCompletionChoiceMessage(Record):
    role: Literal["assistant"]
    content: str | None
    """Markdown of all pages; with a schema: JSON"""
    refusal: str | None


class ChatCompletionUsage(Record):
    prompt_tokens: int
    """Vision tokens; 0 for readers without them. With a schema: the tokens of the model that extracts, as
    the others here"""
    completion_tokens: int
    """Text tokens; estimated for readers that generate none, such as `pp-ocr`"""
    total_tokens: int
    prompt_tokens_details: ChatCompletionUsagePromptTokensDetails


class ChatCompletionUsagePromptTokensDetails(Record):
    cached_tokens: int


class ChatCompletionFovea(Record):
    job_id: str
    """Of several documents: the first, as below"""
    file_id: str
    state: str
    documents: list[ChatCompletionFoveaDocument] | None = None
    """If there are several: all of them"""
    verdict: str
    """Verdict of the worst page"""
    pages: list[ChatCompletionFoveaPage]
    unread_messages: int
    extraction_id: str | None = None
    """With a schema: `GET /v1/jobs/{id}/extractions/{id}` has the citations"""


class ChatCompletionFoveaDocument(Record):
    job_id: str
    file_id: str
    state: str


class ChatCompletionFoveaPage(Record):
    document: int | None = None
    """From 1, if there are several"""
    page: int
    verdict: str
    source: str
    error: ChatCompletionFoveaPageError | None


class ChatCompletionFoveaPageError(Record):
    code: str
    message: str


class ChatError(Record):
    error: ChatErrorError


class ChatErrorError(Record):
    message: str
    type: str
    param: str | None
    code: str


class Response(Record):
    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"] | str
    error: ResponseError | None
    incomplete_details: ResponseIncompleteDetails | None
    model: str
    output: list[ResponseOutput]
    usage: ResponseUsage | None
    fovea: ResponseFovea
    """As in a chat completion"""


class ResponseError(Record):
    code: str
    message: str


class ResponseIncompleteDetails(Record):
    reason: str


class ResponseOutput(Record):
    type: Literal["message"]
    id: str
    status: Literal["in_progress", "completed", "incomplete"] | str
    role: Literal["assistant"]
    content: list[ResponseOutputContentOutputText | ResponseOutputContentRefusal]


class ResponseOutputContentOutputText(Record):
    type: Literal["output_text"]
    text: str
    """Markdown of all pages; with a schema: JSON"""
    annotations: list[Any]
    logprobs: list[Any]


class ResponseOutputContentRefusal(Record):
    type: Literal["refusal"]
    refusal: str


class ResponseUsage(Record):
    input_tokens: int
    input_tokens_details: ResponseUsageInputTokensDetails
    output_tokens: int
    output_tokens_details: ResponseUsageOutputTokensDetails
    total_tokens: int


class ResponseUsageInputTokensDetails(Record):
    cached_tokens: int


class ResponseUsageOutputTokensDetails(Record):
    reasoning_tokens: int


class ResponseFovea(Record):
    """As in a chat completion"""

    job_id: str
    file_id: str
    state: str


class Model(Record):
    id: str
    object: Literal["model"]
    created: int
    """When a worker first reported these weights, or 0"""
    owned_by: Literal["fovea"]
    type: Literal["base"]
    """For Mistral's clients"""
    capabilities: ModelCapabilities
    """For Mistral's clients"""
    aliases: list[str]
    """Other names. All names of the form `mistral-ocr-…` mean the default model"""
    fovea: ModelFovea


class ModelCapabilities(Record):
    """For Mistral's clients"""

    ocr: Literal[True]
    vision: Literal[True]


class ModelFovea(Record):
    tasks: list[str]
    modes: list[str]
    takes_prompts: bool
    granularities: list[Literal["block", "line", "word"] | str]
    """What its results can be divided into"""
    text_layers: list[Literal["auto", "never", "only"] | str]
    """Values of `text_layer` that it supports"""
    sequences: list[Literal["page", "document"] | str]
    """Values of `sequence` that it supports. `document`: up to 32 pages together"""
    languages: list[str] | None
    """BCP-47 tags of the languages that it reads; `null` if no worker has reported any"""
    digest: str | None
    """`null` until a worker has reported it"""
    installation: ModelFoveaInstallation | None
    """On a machine of one's own, while the model is not there yet. `installing`: at `step` of `steps`,
    which is `detail`; its jobs wait · `failed`: why, and what to do, is `detail`. `null`: the model is
    installed"""


class ModelFoveaInstallation(Record):
    """On a machine of one's own, while the model is not there yet. `installing`: at `step` of `steps`,
    which is `detail`; its jobs wait · `failed`: why, and what to do, is `detail`. `null`: the model is
    installed"""

    state: Literal["installing", "failed"] | str
    step: int
    steps: int
    detail: str


class BatchManifest(Record):
    id: str
    bytes: int
    sha256: str
    created_at: datetime


class Batch(Record):
    id: str
    state: Literal["running", "paused", "canceling", "completed", "canceled", "failed"] | str
    reason: str | None
    """Why the service paused it (`quota-exceeded`, `budget-exceeded`, `too-many-failures`,
    `bucket-failed`) or why it failed (`manifest-gone`, `manifest-changed`, `manifest-empty`,
    `input-empty`, `bucket-gone`, `too-many-lines`), or `timed-out` if a job of Mistral's API was
    canceled by its timeout"""
    manifest: str | None
    """`null` if the batch has an `input`"""
    input: BatchInput | None
    output: BatchTarget | None
    bucket_error: BatchBucketError | None
    """Why a bucket that documents come from does not work at the moment; the batch asks again, and pauses
    with `bucket-failed` if that does not help"""
    delivery: BatchDelivery | None
    """Objects that are written to `output` or `deliver`, so far; `null` if there are none"""
    run: int
    """1 at first; each retry adds 1"""
    defaults: BatchDefaults
    lines: BatchLines
    pages: BatchPages
    metadata: dict[str, str]
    created_at: datetime
    finished_at: datetime | None
    links: BatchLinks


class BatchInput(Record):
    bucket: str
    """Id of a connection"""
    prefix: str | None = None
    """Objects whose keys begin with it. It must begin with the connection's prefix"""
    suffixes: list[str] | None = None
    """Only objects whose keys end with one of these, in upper or lower case; empty: all. Keys that end
    with `/` and empty objects are left out"""


class BatchBucketError(Record):
    """Why a bucket that documents come from does not work at the moment; the batch asks again, and pauses
    with `bucket-failed` if that does not help"""

    code: str
    message: str


class BatchDelivery(Record):
    """Objects that are written to `output` or `deliver`, so far; `null` if there are none"""

    state: Literal["pending", "delivered", "failed"] | str
    """`failed`: nothing is pending, and some objects could not be written. They stay in the output here;
    `POST …/deliver` tries again"""
    pending: int
    delivered: int
    failed: int
    error: BatchDeliveryError | None
    """The last failure, unless all is delivered"""


class BatchDeliveryError(Record):
    """The last failure, unless all is delivered"""

    code: str
    message: str


class BatchLines(Record):
    total: int | None
    """`null` until the lines are counted, or all objects listed"""
    succeeded: int
    partial: int
    failed: int
    canceled: int


class BatchPages(Record):
    done: int
    failed: int


class BatchLinks(Record):
    self: str
    failures: str
    output: str
    training_data: str


class BatchFailure(Record):
    line: int
    """Line of the manifest, from 1"""
    custom_id: str | None
    outcome: Literal["failed", "partial"] | str
    error: PageError
    pages: BatchFailurePages
    input: str | None
    """The line, without its `password`; `null` if it is too long or not text"""


class BatchFailurePages(Record):
    done: int
    failed: int


class BatchOutput(Record):
    schema_: Literal[1] = Field(alias="schema")
    batch_id: str
    run: int
    complete: bool
    """`true` when this run writes no more shards"""
    lines: int
    pages: int
    bytes: int
    shards: list[BatchOutputShard]


class BatchOutputShard(Record):
    number: int
    run: int
    lines: int
    pages: int
    bytes: int
    sha256: str
    path: str
    key: str | None
    """In the bucket of `output`; `null` if the batch has none"""


class MistralBatchJob(Record):
    id: str
    object: Literal["batch"]
    input_files: list[str]
    metadata: dict[str, str]
    endpoint: Literal["/v1/ocr"]
    model: str | None
    agent_id: None
    output_file: str | None
    """Id of the file with the answers, for `GET /v1/files/{id}/content`. `null` until the job is over, and
    if there are none"""
    error_file: str | None
    """Id of the file with the errors of the requests that failed"""
    errors: list[MistralBatchJobError]
    """Why the whole job waits or has failed"""
    outputs: list[dict[str, Any]] | None
    """The records of both files, when the job is over. `null` if they are not asked for, or have more than
    4 MiB"""
    status: (
        Literal[
            "QUEUED",
            "RUNNING",
            "SUCCESS",
            "FAILED",
            "TIMEOUT_EXCEEDED",
            "CANCELLATION_REQUESTED",
            "CANCELLED",
        ]
        | str
    )
    created_at: int
    """Unix seconds"""
    started_at: int | None
    completed_at: int | None
    total_requests: int
    """0 until the requests are counted"""
    completed_requests: int
    succeeded_requests: int
    """Also those of whose documents some pages could not be read"""
    failed_requests: int


class MistralBatchJobError(Record):
    message: str
    count: int


class MistralError(Record):
    object: Literal["error"]
    message: str
    type: str
    param: str | None
    code: None
    raw_status_code: int
    request_id: str
    detail: str | list[MistralErrorDetail]
    """With status 422 the list that Mistral's clients expect"""


class MistralErrorDetail(Record):
    type: str
    loc: list[str]
    msg: str


class MistralBatchJobs(Record):
    object: Literal["list"]
    data: list[MistralBatchJob]
    total: int
    """Of all pages"""


class DeletedMistralBatchJob(Record):
    id: str
    object: Literal["batch"]
    deleted: Literal[True]


class Bucket(Record):
    id: str
    endpoint: str
    region: str
    bucket: str
    prefix: str
    """All keys begin with it"""
    addressing: Literal["path", "virtual"] | str
    access_key_hint: str
    """Last characters of the access key's id"""
    created_at: datetime
    rotated_at: datetime | None


class BucketCheck(Record):
    ok: bool
    """Whether every step has succeeded"""
    steps: list[BucketCheckStep]


class BucketCheckStep(Record):
    step: Literal["list", "write", "read", "delete"] | str
    outcome: Literal["ok", "failed", "skipped"] | str
    error: BucketCheckStepError | None


class BucketCheckStepError(Record):
    code: str
    message: str


class Context(Record):
    id: str
    name: str | None
    profile: str
    token_budget: int | None
    recent: int
    fade: Fade | None
    summaries: bool
    reader: str | None
    erase_after: int | None
    metadata: dict[str, str]
    last_message: int
    """Number of the newest message; numbers start at 1"""
    error: PageError | None
    """Why the last step of ageing failed"""
    created_at: datetime
    aged_at: datetime | None
    links: ContextLinks


class ContextLinks(Record):
    self: str
    messages: str
    segments: str
    view: str
    search: str
    export: str


class ImportedContext(Record):
    id: str
    name: str | None
    profile: str
    token_budget: int | None
    recent: int
    fade: Fade | None
    summaries: bool
    reader: str | None
    erase_after: int | None
    metadata: dict[str, str]
    last_message: int
    """Number of the newest message; numbers start at 1"""
    error: PageError | None
    """Why the last step of ageing failed"""
    created_at: datetime
    aged_at: datetime | None
    links: ImportedContextLinks
    imported: int
    skipped: list[int]
    """Their old numbers"""


class ImportedContextLinks(Record):
    self: str
    messages: str
    segments: str
    view: str
    search: str
    export: str


class ContextMessage(Record):
    number: int
    role: Literal["system", "developer", "user", "assistant", "tool"] | str
    pinned: bool
    importance: float
    text_tokens: int
    """Estimate for DeepSeek's tokenizer"""
    characters: int
    sha256: str
    """Of its text as Markdown"""
    segment: str | None
    """`null`: it is not sealed yet"""
    original: Literal["kept", "erased"] | str
    """`erased`: only the images of its segment are left"""
    created_at: datetime


class ContextMessages(Record):
    data: list[ContextMessageWithText]
    next_after: int | None
    """`after` of the next page; `null` on the last page"""


class ContextMessageWithText(Record):
    number: int
    role: Literal["system", "developer", "user", "assistant", "tool"] | str
    pinned: bool
    importance: float
    text_tokens: int
    """Estimate for DeepSeek's tokenizer"""
    characters: int
    sha256: str
    """Of its text as Markdown"""
    segment: str | None
    """`null`: it is not sealed yet"""
    original: Literal["kept", "erased"] | str
    """`erased`: only the images of its segment are left"""
    created_at: datetime
    name: str | None
    parts: list[MessagePart] | None
    """`null` if the text is erased"""
    text: str | None
    """The parts as Markdown"""


class ContextView(Record):
    context_id: str
    profile: str
    profile_version: str
    """Date of the provider's rules"""
    token_budget: int | None
    over_budget: bool
    over_budget_reason: str | None
    hidden_segments: int
    """The oldest segments, which are left out altogether because even their lines are too many for the
    budget. Searches find their messages"""
    tokens: ContextTokens
    cost: ContextCost | None
    """For one request; `null` if the profile is not priced by tokens"""
    stable_items: int
    """Leading items that stay as they are until segments are sealed or become fainter: a prompt cache can
    end after them"""
    items: (
        list[ContextViewItemMessage | ContextViewItemImage | ContextViewItemSummary | ContextViewItemIndex]
        | None
    ) = None
    messages: list[dict[str, Any]] | None = None
    """With `format=openai` and `format=anthropic`"""
    system: list[dict[str, Any]] | None = None
    """With `format=anthropic`"""
    contents: list[dict[str, Any]] | None = None
    """With `format=gemini`"""
    systemInstruction: dict[str, Any] | None = None
    """With `format=gemini`"""


class ContextViewItemMessage(Record):
    type: Literal["message"]
    number: int
    role: Literal["system", "developer", "user", "assistant", "tool"] | str
    name: str | None
    parts: list[MessagePart]
    text: str
    """The parts as Markdown"""
    tokens: int


class ContextViewItemImage(Record):
    type: Literal["image"]
    segment: str
    form: str
    """`text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is
    in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with
    type of 12 pixels"""
    first_message: int
    last_message: int
    tokens: int
    """Of its pages and of what is written beside them"""
    index: str
    """What is in the segment, in a line"""
    sidecar: list[str]
    """Ids, numbers and names that a reader did not read exactly in the images"""
    pages: list[ContextViewItemImagePage]


class ContextViewItemImagePage(Record):
    url: str
    """Empty with `images=none`"""
    width: int
    height: int
    tokens: int
    """What the profile's provider charges for it"""
    detail: str | None
    """How the provider is to read it: OpenAI's `detail`, Gemini's `media_resolution`, DeepSeek-OCR's mode"""
    messages: list[ContextViewItemImagePageMessage]


class ContextViewItemImagePageMessage(Record):
    number: int
    role: Literal["system", "developer", "user", "assistant", "tool"] | str


class ContextViewItemSummary(Record):
    type: Literal["summary"]
    segment: str
    first_message: int
    last_message: int
    text: str
    """What a model wrote about these messages. Not their words, and it can be wrong"""
    model: str
    tokens: int


class ContextViewItemIndex(Record):
    type: Literal["index"]
    segment: str
    first_message: int
    last_message: int
    text: str
    tokens: int


class ContextCosts(Record):
    context_id: str
    data: list[ContextCostsData]


class ContextCostsData(Record):
    profile: str
    profile_version: str
    tokens: int
    tokens_as_text: int
    usd: float | None
    usd_as_text: float | None
    advice: str | None


class Ageing(Record):
    context_id: str
    dry_run: bool
    at: datetime
    state: Literal["done", "making", "busy", "failed"] | str
    """`making`: images or summaries are being made, ask again · `busy`: another request or the service
    itself is ageing the context · `failed`: see `error`; the next attempt is in ten minutes"""
    sealed: int
    """New segments"""
    changes: list[AgeingChange]
    """What the view of the context's own profile shows differently"""
    tokens: AgeingTokens
    expected_tokens: int
    """After everything that is due"""
    token_budget: int | None
    over_budget: bool
    over_budget_reason: str | None
    error: AgeingError | None


class AgeingChange(Record):
    segment: str
    first_message: int
    last_message: int
    from_: str = Field(alias="from")
    """`text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is
    in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with
    type of 12 pixels"""
    to: str
    """`text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is
    in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with
    type of 12 pixels"""
    tokens_before: int
    tokens_after: int
    """Expected, if the image is not made yet"""


class AgeingTokens(Record):
    total: int
    text: int
    """Of messages that are text. Estimated"""
    vision: int
    """Of images. Counted by the provider's formula"""
    index: int
    """Of the lines of segments that are left out"""
    summary: int
    """Of summaries by a model"""
    as_text: int
    """Of all messages as text. Estimated"""


class AgeingError(Record):
    code: str
    message: str


class ContextSegment(Record):
    id: str
    first_message: int
    last_message: int
    text_tokens: int
    importance: float
    index: str
    """What is in the segment, in a line"""
    original: Literal["kept", "erased"] | str
    summary: ContextSummary | None
    """`null`: it was not asked for yet, the context has no summaries, the segment is too short for one, or
    its texts are erased"""
    form: str
    """In the view of the context's own profile"""
    renders: list[ContextRender]
    newest_at: datetime
    created_at: datetime


class ContextSegmentWithMessages(Record):
    id: str
    first_message: int
    last_message: int
    text_tokens: int
    importance: float
    index: str
    """What is in the segment, in a line"""
    original: Literal["kept", "erased"] | str
    summary: ContextSummary | None
    """`null`: it was not asked for yet, the context has no summaries, the segment is too short for one, or
    its texts are erased"""
    form: str
    """In the view of the context's own profile"""
    renders: list[ContextRender]
    newest_at: datetime
    created_at: datetime
    messages: list[ContextMessageWithText]


class ContextZoom(Record):
    context_id: str
    segment: str
    profile: str
    form: str
    """`text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is
    in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with
    type of 12 pixels"""
    state: Literal["making", "ready"] | str
    """`making`: repeat the request"""
    pages: list[ContextZoomPage]


class ContextZoomPage(Record):
    url: str
    """Empty with `images=none`"""
    width: int
    height: int
    tokens: int
    """What the profile's provider charges for it"""
    detail: str | None
    """How the provider is to read it: OpenAI's `detail`, Gemini's `media_resolution`, DeepSeek-OCR's mode"""
    messages: list[ContextZoomPageMessage]


class ContextZoomPageMessage(Record):
    number: int
    role: Literal["system", "developer", "user", "assistant", "tool"] | str


class MemoryProfile(Record):
    id: str
    provider: str
    version: str
    """Date on which `source` said so"""
    source: str
    forms: list[MemoryProfileForm]
    limits: MemoryProfileLimits
    prices: MemoryProfilePrices1 | None
    """Dollars for a million tokens"""
    advice: str | None
    """Why images do not pay, if they do not"""


class MemoryProfileForm(Record):
    id: str
    """`text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is
    in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with
    type of 12 pixels"""
    width: int
    height: int
    type_size: float
    """In pixels"""
    tokens: int
    """Of a full page"""
    text_tokens: int
    """About how many a full page holds"""
    detail: str | None


class MemoryProfileLimits(Record):
    images: int
    image_bytes: int
    side: int
    """Longest side in pixels"""


class MemoryProfilePrices1(Record):
    input: float
    cached_input: float
    cache_write: float


class ContextSearch(Record):
    context_id: str
    complete: bool
    """`false`: older messages are still being indexed; repeat the search to find them all"""
    data: list[ContextSearchData]


class ContextSearchData(Record):
    number: int
    role: Literal["system", "developer", "user", "assistant", "tool"] | str
    pinned: bool
    importance: float
    text_tokens: int
    """Estimate for DeepSeek's tokenizer"""
    characters: int
    sha256: str
    """Of its text as Markdown"""
    segment: str | None
    """`null`: it is not sealed yet"""
    original: Literal["kept", "erased"] | str
    """`erased`: only the images of its segment are left"""
    created_at: datetime
    snippet: str
    score: float
    """Higher is better. By meaning: the cosine of the vectors, up to 1"""


class Recall(Record):
    context_id: str
    message: int
    role: Literal["system", "developer", "user", "assistant", "tool"] | str
    form: str
    """Of the image that holds the message; `text` if there is none"""
    state: Literal["recalled", "reading"] | str
    source: Literal["original", "image"] | str
    """Whether `text` is the text that was stored, or was read from the image"""
    text: str | None
    scope: Literal["message", "pages"] | str | None
    """`pages`: where the message is on its pages is not known (an image from before segments), so `text`
    is their whole text"""
    verdict: Literal["ok", "blank", "suspect", "unreadable", "failed"] | str | None
    expected_precision: tuple[float, float] | None
    """Lowest and highest precision that the DeepSeek-OCR paper measured at this compression; `null`
    outside the range that it measured"""
    model: str | None
    model_digest: str | None
    measured: RecallMeasured1 | None
    """Compared with the original; `null` unless the context keeps it"""
    verified: bool | None
    """Whether the words have the same hash as those of the original"""
    characters: int
    """Length of the original"""
    jobs: list[str]


class RecallMeasured1(Record):
    cer: float | None
    wer: float | None
    precision: float | None
    characters: int


class Compressed(Record):
    job_id: str
    file_id: str
    state: Literal["queued", "running", "succeeded", "partial", "failed", "canceled", "expired"] | str
    mode: Literal["gundam", "large", "base", "small", "tiny"] | str
    text_tokens: int | None
    vision_tokens: int | None
    compression: float | None
    expected_precision: tuple[float, float] | None
    """Lowest and highest precision that the DeepSeek-OCR paper measured at this compression; `null`
    outside the range that it measured"""
    pages: list[CompressedPage]
    verification: CompressedVerification1 | None


class CompressedPage(Record):
    page: int
    image: str
    """Path of the image; requests need the API key"""
    width: int
    height: int
    vision_tokens: int
    text_tokens: int
    compression: float | None
    expected_precision: tuple[float, float] | None
    """Lowest and highest precision that the DeepSeek-OCR paper measured at this compression; `null`
    outside the range that it measured"""
    measured: CompressedPageMeasured1 | None


class CompressedPageMeasured1(Record):
    cer: float | None
    wer: float | None
    precision: float | None


class CompressedVerification1(Record):
    model: str
    state: Literal["reading", "done", "failed"] | str
    jobs: list[str]
    cer: float | None
    wer: float | None
    precision: float | None


class FidelityReport(Record):
    model: str
    state: Literal["reading", "done"] | str
    modes: list[FidelityReportMode]


class FidelityReportMode(Record):
    mode: str
    job_id: str
    state: Literal["queued", "running", "succeeded", "partial", "failed", "canceled", "expired"] | str
    vision_tokens: int | None
    text_tokens: int | None
    compression: float | None
    expected_precision: tuple[float, float] | None
    """Lowest and highest precision that the DeepSeek-OCR paper measured at this compression; `null`
    outside the range that it measured"""
    cer: float | None
    """Character error rate; `null` while pages are being read, or if a page failed"""
    wer: float | None
    precision: float | None


class CreatedApiKey(Record):
    id: str
    name: str
    hint: str
    """The key's last four characters"""
    environment: Literal["live", "test"] | str
    scopes: list[Literal["read", "write", "webhooks", "buckets", "admin"] | str]
    created_at: datetime
    revoked_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    """Precise to the minute"""
    monthly_pages: int | None
    concurrent_jobs: int | None
    allowed_cidrs: list[str] | None
    """Networks from which the key may be used; `null`: any"""
    rate_per_minute: int | None
    """`null`: the service's default"""
    key: str
    """The key itself. It is shown only once"""


class ApiKey(Record):
    id: str
    name: str
    hint: str
    """The key's last four characters"""
    environment: Literal["live", "test"] | str
    scopes: list[Literal["read", "write", "webhooks", "buckets", "admin"] | str]
    created_at: datetime
    revoked_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    """Precise to the minute"""
    monthly_pages: int | None
    concurrent_jobs: int | None
    allowed_cidrs: list[str] | None
    """Networks from which the key may be used; `null`: any"""
    rate_per_minute: int | None
    """`null`: the service's default"""


class BrowserToken(Record):
    token: str
    scope: Literal["read", "write"] | str
    job_id: str
    expires_at: datetime


class WebhookSecret(Record):
    secret: str


class WebhookEndpointWithSecret(Record):
    id: str
    url: str
    events: list[
        Literal[
            "job.succeeded",
            "job.partial",
            "job.failed",
            "job.canceled",
            "job.expired",
            "page.completed",
            "key.created",
            "key.changed",
            "key.rotated",
            "key.revoked",
            "endpoint.disabled",
            "batch.completed",
            "batch.delivered",
            "extraction.completed",
        ]
        | str
    ]
    state: Literal["active", "disabled"] | str
    """`disabled`: on request, or after five consecutive failed deliveries"""
    disabled_at: datetime | None
    disabled_reason: Literal["failures", "request"] | str | None
    created_at: datetime
    secret: str


class WebhookEndpoint(Record):
    id: str
    url: str
    events: list[
        Literal[
            "job.succeeded",
            "job.partial",
            "job.failed",
            "job.canceled",
            "job.expired",
            "page.completed",
            "key.created",
            "key.changed",
            "key.rotated",
            "key.revoked",
            "endpoint.disabled",
            "batch.completed",
            "batch.delivered",
            "extraction.completed",
        ]
        | str
    ]
    state: Literal["active", "disabled"] | str
    """`disabled`: on request, or after five consecutive failed deliveries"""
    disabled_at: datetime | None
    disabled_reason: Literal["failures", "request"] | str | None
    created_at: datetime


class WebhookDelivery(Record):
    id: str
    """Sent as `webhook-id` with every attempt"""
    event: str
    url: str
    endpoint_id: str | None
    """`null` for a job's `webhook_url`"""
    job_id: str | None
    state: Literal["pending", "delivered", "failed"] | str
    created_at: datetime


class ListedWebhookDelivery(Record):
    id: str
    """Sent as `webhook-id` with every attempt"""
    event: str
    url: str
    endpoint_id: str | None
    """`null` for a job's `webhook_url`"""
    job_id: str | None
    state: Literal["pending", "delivered", "failed"] | str
    created_at: datetime
    attempt_count: int
    last_status: int | None
    """Status of the last answer; `null` if there was none"""
    last_error: str | None
    """Why the last attempt failed"""
    next_attempt_at: datetime | None
    """When a pending delivery is tried again; `null`: at once"""


class WebhookDeliveryLog(Record):
    id: str
    """Sent as `webhook-id` with every attempt"""
    event: str
    url: str
    endpoint_id: str | None
    """`null` for a job's `webhook_url`"""
    job_id: str | None
    state: Literal["pending", "delivered", "failed"] | str
    created_at: datetime
    attempts: list[WebhookDeliveryLogAttempt]
    request: WebhookDeliveryLogRequest | None
    """The body of every attempt; `null` if the job was deleted"""


class WebhookDeliveryLogAttempt(Record):
    attempt: int
    at: datetime
    duration_ms: int
    status: int | None
    """`null` if there was no response"""
    error: str | None
    answer: str | None
    """Beginning of the response body"""


class WebhookDeliveryLogRequest(Record):
    """The body of every attempt; `null` if the job was deleted"""

    body: dict[str, Any]


class Usage(Record):
    day: str
    key_id: str
    model: str
    pages_read: int
    """Pages that a worker read for this key"""
    pages_shared: int
    """Pages that were being read for another request at the same time"""
    pages_cached: int
    """Pages from the cache"""
    pages_failed: int
    """Pages that a worker could not read"""
    vision_tokens: int
    text_tokens: int
    pages_from_tokens: int
    """Pages read that were decoded from kept vision tokens"""
    extractions: int
    """Extractions that a model has made; `model` is that of the provider"""
    extractions_cached: int
    """Extractions from the cache"""
    extraction_input_tokens: int
    """Tokens that the provider has counted, also those of extractions that failed, of summaries of
    contexts and of searches by meaning"""
    extraction_output_tokens: int
    cost_usd: float
    """Cost of the pages read, by the model's price per page, and of the tokens of extractions, summaries
    and searches by meaning, by the model's prices for these; 0 without a price"""


class UsageTotal(Record):
    pages_read: int
    """Pages that a worker read for this key"""
    pages_shared: int
    """Pages that were being read for another request at the same time"""
    pages_cached: int
    """Pages from the cache"""
    pages_failed: int
    """Pages that a worker could not read"""
    vision_tokens: int
    text_tokens: int
    pages_from_tokens: int
    """Pages read that were decoded from kept vision tokens"""
    extractions: int
    """Extractions that a model has made; `model` is that of the provider"""
    extractions_cached: int
    """Extractions from the cache"""
    extraction_input_tokens: int
    """Tokens that the provider has counted, also those of extractions that failed, of summaries of
    contexts and of searches by meaning"""
    extraction_output_tokens: int
    cost_usd: float
    """Cost of the pages read, by the model's price per page, and of the tokens of extractions, summaries
    and searches by meaning, by the model's prices for these; 0 without a price"""


class Settings(Record):
    retention_days: int
    """Days after its last use until a document is deleted, with everything read from it"""
    retention_is_default: bool
    job_retention_days: int
    """Days after its end until a job is deleted. Its document has its own time"""
    daily_pages: int | None
    """Limit of pages read per day (UTC); `null`: no limit"""
    daily_usd: float | None
    """Limit of spending per day, by the service's prices; `null`: no limit"""
    keep_tokens: bool
    """Whether vision tokens are kept for requests that do not set `tokens`"""
    token_bytes: int
    """Bytes of vision tokens that are kept"""
    token_bytes_max: int
    """Limit of `token_bytes`; beyond it, no tokens are kept"""


class AuditEntry(Record):
    id: str
    action: (
        Literal[
            "key.created",
            "key.changed",
            "key.rotated",
            "key.revoked",
            "settings.changed",
            "file.deleted",
            "file.expired",
            "file.erased",
            "job.deleted",
            "endpoint.created",
            "endpoint.changed",
            "endpoint.rotated",
            "endpoint.disabled",
            "endpoint.deleted",
            "delivery.replayed",
            "batch.created",
            "batch.paused",
            "batch.resumed",
            "batch.canceled",
            "batch.retried",
            "bucket.created",
            "bucket.rotated",
            "bucket.deleted",
            "batch.deleted",
            "batch.expired",
            "tokens.deleted",
            "context.deleted",
        ]
        | str
    )
    target: str
    """Id of the resource that was created, changed or deleted"""
    fields: list[str]
    """Names of what was changed, without values"""
    key_id: str | None
    """The key that did it; `null`: the bootstrap secret, or the service itself"""
    key_name: str | None
    """Name of that key today"""
    created_at: datetime


class ReceiptKeys(Record):
    keys: list[ReceiptKeysKey]


class ReceiptKeysKey(Record):
    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    kid: str
    x: str


class Health(Record):
    status: Literal["ok"]


class Ready(Record):
    status: Literal["ready", "not-ready"] | str
    phases: ReadyPhases
    workers: list[ReadyWorker]


class ReadyPhases(Record):
    settings: bool
    database: bool
    storage: bool
    workers: bool


class ReadyWorker(Record):
    state: str


class Pools(Record):
    pools: list[Pool]
    counters_since: datetime
    """When the scheduler started; without work it stops after a while"""
    queue: PoolsQueue


class PoolsQueue(Record):
    shards: int
    """Shards that wait for a slot"""
    pages: int
    batch_pages: int
    """Pages of them that only batches wait for"""
    tenants: int
    oldest_at: datetime | None
    """Since when the oldest shard waits"""


class PageStatus(Record):
    page: int
    state: Literal["pending", "done", "failed", "canceled"] | str
    source: Literal["hit", "read", "shared"] | str
    """`hit`: from the cache · `read`: read for this job · `shared`: read for another job at the same time"""
    verdict: str | None
    finish_reason: str | None
    readings: int
    """How often workers delivered this reading"""
    error: PageError | None


class PageError(Record):
    code: str
    message: str


class MistralOcrPage(Record):
    index: int
    """From 0"""
    markdown: str
    images: list[MistralOcrPageImage]
    dimensions: MistralOcrPageDimensions | None
    """The page's raster. `dpi` of images is 72"""
    tables: list[MistralOcrPageTable]
    hyperlinks: list[str]
    header: str | None
    footer: str | None
    blocks: list[MistralOcrPageBlock] | None
    confidence_scores: MistralOcrPageConfidenceScores | None


class MistralOcrPageImage(Record):
    id: str
    top_left_x: int
    top_left_y: int
    bottom_right_x: int
    bottom_right_y: int
    image_base64: str | None
    """A `data:` URL"""
    image_annotation: str | None
    """The data as JSON, by `bbox_annotation_format`. `null` without it, and if there are none for this
    image: then `fovea.image_extraction` says why"""


class MistralOcrPageDimensions(Record):
    """The page's raster. `dpi` of images is 72"""

    dpi: int
    height: int
    width: int


class MistralOcrPageTable(Record):
    id: str
    content: str
    format: Literal["markdown", "html"] | str
    word_confidence_scores: list[MistralOcrPageTableWordConfidenceScore] | None


class MistralOcrPageTableWordConfidenceScore(Record):
    text: str
    confidence: float
    start_index: int
    """In the page's Markdown, or in the table's content; in code points"""


class MistralOcrPageBlock(Record):
    type: str
    top_left_x: int
    top_left_y: int
    bottom_right_x: int
    bottom_right_y: int
    content: str


class MistralOcrPageConfidenceScores(Record):
    average_page_confidence_score: float
    minimum_page_confidence_score: float
    word_confidence_scores: list[MistralOcrPageConfidenceScoresWordConfidenceScore] | None = None


class MistralOcrPageConfidenceScoresWordConfidenceScore(Record):
    text: str
    confidence: float
    start_index: int
    """In the page's Markdown, or in the table's content; in code points"""


class DoclingDocument(Record):
    """As docling-core defines it; `GET /v1/jobs/{id}/result?format=docling` has it too"""

    schema_name: Literal["DoclingDocument"]
    version: str
    name: str


class DoclingErrorItem(Record):
    component_type: Literal["document_backend", "model"] | str
    module_name: str
    error_message: str
    page_no: int | None


class DoclingFailure(Record):
    category: Literal["unknown"]
    message: str
    retryable: bool
    phase: Literal["execution"]
    details: dict[str, str]


class Citation(Record):
    page: int
    blocks: list[int]
    """Ids of the page's blocks, in reading order"""
    boxes: list[tuple[float, float, float, float]]
    """x0, y0, x1, y1 in 0..1, one for each line or cell"""
    match: Literal["exact", "normalized"] | str
    """`exact`: the characters of the value, except for white space · `normalized`: the same value in
    another writing"""
    text: str
    """As it is written on the page"""


class StoredPageResult(Record):
    schema_: Literal[1] = Field(alias="schema")
    page: int
    width: int
    height: int
    dpi: float | None
    model: str
    model_digest: str
    mode: str
    task: str
    prompt: str | None
    vision_tokens: StoredPageResultVisionTokens | None
    text_tokens: int | None
    compression: float | None
    expected_precision: tuple[float, float] | None
    blocks: list[Block]
    hyperlinks: list[Hyperlink] | None = None
    """Links of the document, in the order of the text. Left out with `hyperlinks: none`, and by readings
    from before links were read"""
    markdown: str
    finish_reason: Literal["stop", "length", "loop", "blank", "error"] | str
    verdict: Literal["ok", "blank", "suspect", "unreadable", "failed"] | str
    warnings: list[str]
    attempts: list[StoredPageResultAttempt]
    timings_ms: StoredPageResultTimingsMs
    error: None
    text_source: Literal["text_layer", "recognition", "mixed", "file"] | str | None = None
    """Where the characters come from: the text layer of the PDF, recognition, or both; `file`: an Office
    document, web page, book or CSV file has its text itself. Only from readers that use text layers"""
    witness: StoredPageResultWitness | None = None
    """Check by a second reader: the share of words that both read; `null` if there are too few words"""
    receipt: StoredPageResultReceipt
    """Signed statement of which model read which page, and the result; keys at
    `/.well-known/fovea-receipt-keys`"""


class StoredPageResultVisionTokens(Record):
    positions: int
    patches: int
    valid: int
    tiles: tuple[int, int] | None = None
    """columns, rows"""
    max_tiles: int | None = None


class StoredPageResultAttempt(Record):
    mode: str
    tokens: int | None
    finish_reason: Literal["stop", "length", "loop", "blank", "error"] | str
    encoded: Literal["stored"] | None = None
    """`stored`: the page was not encoded, because its vision tokens were kept from an earlier reading"""


class StoredPageResultTimingsMs(Record):
    raster: float
    encode: float
    prefill: float
    decode: float


class StoredPageResultWitness(Record):
    """Check by a second reader: the share of words that both read; `null` if there are too few words"""

    model: str
    model_digest: str
    agreement: float | None


class StoredPageResultReceipt(Record):
    """Signed statement of which model read which page, and the result; keys at
    `/.well-known/fovea-receipt-keys`"""

    payload: str
    signature: str
    key_id: str


class FailedPage(Record):
    page: int
    error: PageError


class BatchTarget(Record):
    bucket: str
    """Id of a connection"""
    prefix: str | None = None
    """The keys of the output are this, the batch's id, `/` and the name of the file. Default: the
    connection's prefix"""
    training_data: list[Literal["ok", "blank", "suspect", "unreadable"] | str] | None = None
    """Also write training data, of pages with these verdicts"""


class BatchDefaults(Record):
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    """JSON Schema of the data to extract from each document, as for `POST /v1/ocr`"""
    instructions: str | None = None
    """What the model should know beyond the schema"""
    pages: str | None = None
    model: str | None = None
    mode: Literal["auto", "tiny", "small", "base", "large", "gundam"] | str | None = None
    token_budget: int | None = None
    witness: bool | None = None
    text_layer: Literal["auto", "never", "only"] | str | None = None
    sequence: Literal["page", "document"] | str | None = None
    task: (
        Literal["markdown", "free", "ocr", "figure", "describe", "locate", "deep", "encode"] | str | None
    ) = None
    prompt: str | None = None
    dpi: int | None = None
    languages: list[str] | None = None
    granularity: Literal["block", "line", "word"] | str | None = None
    """`line` and `word` add the lines of each block, and their words, with boxes and confidences.
    `fovea-nano` has lines but no words, the other models only blocks"""
    table_format: Literal["html", "markdown"] | str | None = None
    """How tables are written in the page's Markdown. `markdown`: as in GitHub's Markdown; the first row is
    the head. Tables with merged cells, which Markdown lacks, stay HTML"""
    join_tables: bool | None = None
    """Whether a table that goes on over pages is joined: the page on which it begins has all its rows"""
    figures: Literal["none", "inline"] | str | None = None
    """`inline`: the pages' figures, as `data:` URLs. There are no addresses, because the jobs of lines are
    not kept"""
    hyperlinks: Literal["none", "list", "inline"] | str | None = None
    """Links of the documents. `list`, the default here: in `hyperlinks` of the pages; the Markdown, which
    is also the text of training data, has none · `inline`: there, too · `none`: nowhere"""


class Fade(Record):
    by: Literal["time", "rounds"] | str | None = None
    """`rounds`: age is the number of later messages with the role `user`"""
    rungs: list[FadeRung]


class FadeRung(Record):
    form: str
    """`text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is
    in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with
    type of 12 pixels"""
    after: float
    """Seconds, or rounds"""


class MessagePartText(Record):
    type: Literal["text"]
    text: str


class MessagePartToolCall(Record):
    type: Literal["tool_call"]
    id: str
    name: str
    arguments: str
    """JSON text"""


class MessagePartToolResult(Record):
    type: Literal["tool_result"]
    id: str
    """`id` of the `tool_call`"""
    name: str | None = None
    text: str
    is_error: bool | None = None


class MessagePartImage(Record):
    type: Literal["image"]
    url: str | None = None
    """`https:` or `data:`"""
    file_id: str | None = None
    alt: str | None = None


class ContextTokens(Record):
    total: int
    text: int
    """Of messages that are text. Estimated"""
    vision: int
    """Of images. Counted by the provider's formula"""
    index: int
    """Of the lines of segments that are left out"""
    summary: int
    """Of summaries by a model"""
    as_text: int
    """Of all messages as text. Estimated"""


class ContextCost(Record):
    usd: float
    usd_cached: float
    """If the whole view is in the prompt cache"""
    usd_as_text: float
    usd_as_text_cached: float


class ContextSummary(Record):
    state: Literal["making", "ready", "failed"] | str
    text: str | None
    """What a model wrote about the segment. Not its words, and it can be wrong"""
    model: str | None
    tokens: int
    """Estimated, with its label in a view"""
    error: PageError | None
    """Why the last request for it failed"""


class ContextRender(Record):
    profile: str
    form: str
    """`text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is
    in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with
    type of 12 pixels"""
    state: Literal["making", "checking", "ready", "failed"] | str
    """`checking`: a reader is reading its pages"""
    tokens: int
    """Of its pages and its sidecar"""
    pages: int
    compression: float | None
    """Text tokens of the segment for each token of the image"""
    precision: float | None
    """Share of characters that the context's reader read; `null`: not checked"""
    expected_precision: tuple[float, float] | None
    """Lowest and highest precision that the DeepSeek-OCR paper measured at this compression; `null`
    outside the range that it measured"""
    sidecar: list[str]
    error: PageError | None


class Pool(Record):
    name: str
    type: Literal["cog", "replicate"] | str
    address: str
    """Origin of the Cog server, or name of the Replicate deployment"""
    models: list[str]
    slots: int
    taken: int
    """Slots in use"""
    draining: bool
    """It gets no new shards"""
    starting: bool
    """It was still starting when last asked"""
    resting_until: datetime | None
    """It was full, was starting or did not answer, and gets no shard before this time"""
    breaker: PoolBreaker
    probe: PoolProbe | None
    """The last health check, made once a minute; `null` before the first"""
    counters: PoolCounters
    """Since `counters_since`"""


class PoolBreaker(Record):
    state: Literal["closed", "open", "half-open"] | str
    strikes: int
    """Failures since it last worked; three open it"""
    open_until: datetime | None
    """When one shard may try again"""


class PoolProbe(Record):
    """The last health check, made once a minute; `null` before the first"""

    at: datetime
    healthy: bool
    state: str
    """The pool's own word, or `UNREACHABLE` or `LATE`"""


class PoolCounters(Record):
    """Since `counters_since`"""

    dispatched: int
    refused: int
    """Shards that it did not accept"""
    lost: int
    """Shards that it accepted and lost"""
    first_word_ms: int | None
    """Mean time from dispatch to the worker's first message"""


class Block(Record):
    id: int
    type: (
        Literal[
            "title",
            "sub_title",
            "text",
            "list",
            "table",
            "table_caption",
            "image",
            "image_caption",
            "equation",
            "code",
            "footnote",
            "header",
            "footer",
            "page_number",
        ]
        | str
    )
    bbox: tuple[float, float, float, float]
    """x0, y0, x1, y1 in 0..1"""
    text: str
    html: str | None = None
    latex: str | None = None
    confidence: float | None
    lines: list[Line] | None = None
    """Only with `granularity: line` or `word`"""
    cells: list[TableCell] | None = None
    """Of a table; rows and columns count from 0"""
    figure: BlockFigure | None = None
    """Of an image: its picture, at `/v1/jobs/{id}/pages/{n}/figures/{id}`"""


class BlockFigure(Record):
    """Of an image: its picture, at `/v1/jobs/{id}/pages/{n}/figures/{id}`"""

    media_type: Literal["image/png", "image/jpeg"] | str
    width: int
    height: int
    bytes: int
    url: str | None = None
    """With `figures: link` the address, with `figures: inline` a `data:` URL"""


class Hyperlink(Record):
    url: str
    """An address of the kinds `https`, `http`, `mailto` and `tel`, in ASCII"""
    text: str
    """The words of the link; empty if it has none, such as one over a picture"""
    bbox: tuple[float, float, float, float]
    block: int | None
    """The id of the block in which it stands; `null` if it stands in none"""
    start: int | None = None
    """Where `text` begins in the block's `text`, in code points. Left out if it was not found there"""


class Line(Record):
    text: str
    bbox: tuple[float, float, float, float]
    confidence: float | None
    words: list[Word] | None = None
    """Only with `granularity: word`, if the places of the words are known"""


class TableCell(Record):
    row: int
    column: int
    rowspan: int
    colspan: int
    text: str
    bbox: tuple[float, float, float, float] | None
    """The box of its text, not of the cell between its ruling lines; `null` if it is empty or its place is
    not known"""


class Word(Record):
    text: str
    bbox: tuple[float, float, float, float]
    confidence: float | None


MessagePart = MessagePartText | MessagePartToolCall | MessagePartToolResult | MessagePartImage
