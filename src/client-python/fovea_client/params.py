"""Made by `npm run types` from the OpenAPI document: do not edit."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import Required, TypedDict


class NewUpload(TypedDict, total=False):
    bytes: Required[int]
    sha256: Required[str]
    name: str


class CompleteUpload(TypedDict, total=False):
    parts: Required[list[CompleteUploadPart]]


class CompleteUploadPart(TypedDict, total=False):
    part: Required[int]
    etag: Required[str]
    """The header `ETag` of the response to the part's PUT"""


class OcrOptions(TypedDict, total=False):
    deliver: OcrRequestDeliver
    """PUT the result there, as JSON, when the job and its extraction have ended, whatever their state"""
    pages: str
    """Page numbers start at 1; empty: all pages. Ranges beyond the end are clipped."""
    model: str
    mode: Literal["auto", "tiny", "small", "base", "large", "gundam"]
    token_budget: int
    """Limit of vision tokens for all selected pages together: within it, each page gets the mode that its
    text needs. Only with `mode: auto`. `pp-ocr`, which has no vision tokens, ignores it; `fovea-nano`
    does not support it."""
    witness: bool
    """Check the words of each page against a classic recogniser; where they differ, the page is `suspect`."""
    text_layer: Literal["auto", "never", "only"]
    """Whether `pp-ocr` takes characters from the text layer of a PDF. `auto`: where the layer is right ·
    `never`: all characters are recognised · `only`: none are; a page whose layer is missing is
    `unreadable`, one whose layer is doubtful `suspect`. Other readers recognise all characters: they
    support `auto` and `never`, which are the same for them"""
    sequence: Literal["page", "document"]
    """What the model reads in one sequence. `page`: each page alone · `document`: up to 32 selected pages
    together, so that it sees what is on the others; longer selections are several sequences in the
    order of the pages. Only for models with `document` in `GET /v1/models`, with `mode: auto`, `task:
    markdown`, without `prompt`, `token_budget` and `tokens: keep`"""
    granularity: Literal["block", "line", "word"]
    """`line` and `word` add the lines of each block, and their words, with boxes and confidences.
    `fovea-nano` has lines but no words, the other models only blocks"""
    table_format: Literal["html", "markdown"]
    """How tables are written in the page's Markdown. `markdown`: as in GitHub's Markdown; the first row is
    the head. Tables with merged cells, which Markdown lacks, stay HTML"""
    join_tables: bool
    """Whether a table that goes on over pages is joined: the page on which it begins has all its rows"""
    figures: Literal["none", "link", "inline"]
    """Whether the page's Markdown shows its figures: `link`: by their addresses, which need the API key ·
    `inline`: as `data:` URLs"""
    hyperlinks: Literal["none", "list", "inline"]
    """Links of the document. `inline`: in the Markdown, in tables, and in `hyperlinks` of the page ·
    `list`: only there · `none`: nowhere"""
    languages: list[str]
    """The document's languages as BCP-47 tags: a hint, for readers that list theirs in `GET /v1/models`. A
    language that the reader lacks is refused."""
    task: Literal["markdown", "free", "ocr", "figure", "describe", "locate", "deep", "encode"]
    prompt: str
    password: str
    """The password of an encrypted PDF. It is kept, encrypted, until the job ends, and shown nowhere. Only
    requests with the same password share readings of the document"""
    tokens: Literal["keep", "none"]
    """`keep`: keep the vision tokens of the pages, so that another task or prompt needs no encoding.
    Default: the setting `keep_tokens`"""
    dpi: int
    """Resolution of PDF pages"""
    cache: Literal["use", "refresh", "only"]
    """`refresh`: read all pages again · `only`: use only the cache; 404 if a page is not cached"""
    zero_retention: bool
    """Erase the document and everything read from it after the whole result has been fetched once, or an
    hour after the job ends"""
    webhook_url: str
    metadata: dict[str, str]
    schema: dict[str, Any]
    """JSON Schema of the data, with `type: object` at its root. References lead to places in the schema
    itself"""
    instructions: str
    """What the model should know beyond the schema"""


class OcrRequest(OcrOptions, total=False):
    file: str | OcrRequestFile2
    """Id of a file, or an object in a bucket that is connected by `POST /v1/buckets`"""
    url: str
    """`https:` URL or `data:` URL of the document"""


class OcrRequestDeliver(TypedDict, total=False):
    """PUT the result there, as JSON, when the job and its extraction have ended, whatever their state"""

    url: Required[str]
    """A presigned address for PUT, of S3, R2, Google Cloud Storage, Azure or your server"""
    headers: dict[str, str]
    """Headers that are signed with the address: `Content-Type`, `Content-Disposition`, `Content-MD5`,
    `Cache-Control`, `x-amz-…`, `x-goog-…`, `x-ms-…`"""


class OcrRequestFile2(TypedDict, total=False):
    bucket: Required[str]
    """Id of a connection"""
    key: Required[str]
    etag: str


class MistralOcrRequest(TypedDict, total=False):
    """Mistral's shape: a body with `document`. It excludes `file` and `url` and the options of the other
    shape."""

    document: Required[MistralDocument]
    model: str | None
    """A model of `GET /v1/models`. `mistral-ocr-latest`, every other name that begins with `mistral-ocr`
    or `mistral-document-ai`, and `null` mean the default model"""
    id: str | None
    """Accepted and ignored: earlier clients have it"""
    pages: str | list[int] | None
    """Pages start at 0: a list, or a text such as `0,2-4`. `null`: all"""
    include_image_base64: bool | None
    image_limit: int | None
    """Most images of the answer"""
    image_min_size: int | None
    """Least width and height of an image, in pixels of the page"""
    table_format: Literal["markdown", "html"] | None
    """Takes tables out of the Markdown, into `tables`. A table with merged cells is always HTML. `null`:
    tables stay in the Markdown"""
    extract_header: bool | None
    extract_footer: bool | None
    include_blocks: bool | None
    """Default: `true`"""
    confidence_scores_granularity: Literal["page", "block", "word"] | None
    """`word` needs a model with the granularity `word`"""
    bbox_annotation_format: MistralOcrRequestBboxAnnotationFormat | None
    """What to extract from each image of the answer. The model gets the image itself, so it must be one
    that takes images"""
    document_annotation_format: MistralOcrRequestDocumentAnnotationFormat | None
    """What to extract from the pages; see `POST /v1/jobs/{id}/extract`"""
    document_annotation_prompt: str | None
    """What the model should know beyond the schema. Needs `document_annotation_format`"""


class MistralOcrRequestBboxAnnotationFormat(TypedDict, total=False):
    """What to extract from each image of the answer. The model gets the image itself, so it must be one
    that takes images"""

    type: Required[Literal["json_schema"]]
    json_schema: Required[MistralOcrRequestBboxAnnotationFormatJsonSchema]


class MistralOcrRequestBboxAnnotationFormatJsonSchema(TypedDict, total=False):
    name: Required[str]
    """Accepted and ignored"""
    schema: Required[dict[str, Any]]
    """JSON Schema of the data, with `type: object` at its root. References lead to places in the schema
    itself"""
    description: str | None
    """Accepted and ignored"""
    strict: bool | None
    """Accepted and ignored: every answer is validated"""


class MistralOcrRequestDocumentAnnotationFormat(TypedDict, total=False):
    """What to extract from the pages; see `POST /v1/jobs/{id}/extract`"""

    type: Required[Literal["json_schema"]]
    json_schema: Required[MistralOcrRequestDocumentAnnotationFormatJsonSchema]


class MistralOcrRequestDocumentAnnotationFormatJsonSchema(TypedDict, total=False):
    name: Required[str]
    """Accepted and ignored"""
    schema: Required[dict[str, Any]]
    """JSON Schema of the data, with `type: object` at its root. References lead to places in the schema
    itself"""
    description: str | None
    """Accepted and ignored"""
    strict: bool | None
    """Accepted and ignored: every answer is validated"""


class DoclingConvertRequest(TypedDict, total=False):
    sources: Required[list[DoclingSource]]
    options: DoclingConvertRequestOptions
    target: DoclingConvertRequestTarget
    callbacks: list[Any]


class DoclingConvertRequestOptions(TypedDict, total=False):
    from_formats: list[str]
    """Accepted and ignored: the type of a document is told by its bytes"""
    to_formats: list[Literal["md", "json", "html", "text", "doctags"]]
    image_export_mode: Literal["placeholder", "embedded", "referenced"]
    """`referenced`: in a ZIP archive, files in `artifacts/`; in the body, addresses that need the API key"""
    include_images: bool
    """`false`: as `image_export_mode: placeholder`"""
    do_ocr: bool
    """`false`: only characters from the text layer, by a model that can take them"""
    force_ocr: bool
    """All characters are recognised, also those that the document has as text"""
    ocr_preset: str
    """A model of `GET /v1/models`. The names of Docling's engines mean the default model, if there is no
    model of that name"""
    ocr_engine: str
    """The earlier name of `ocr_preset`"""
    ocr_lang: list[str] | None
    """BCP-47 tags, or the codes of Tesseract and EasyOCR"""
    page_range: tuple[float, float]
    """The first and the last page, from 1"""
    md_page_break_placeholder: str
    """Stands between the pages of the Markdown"""
    pipeline: Literal["standard", "legacy", "vlm"]
    """Accepted and ignored"""
    pdf_backend: str
    """Accepted and ignored"""
    table_mode: str
    """Accepted and ignored"""
    table_cell_matching: bool
    """Accepted and ignored"""
    do_table_structure: bool
    """Accepted and ignored"""
    do_pdf_heading_hierarchy: bool
    """Accepted and ignored"""
    images_scale: float
    """Accepted and ignored"""
    document_timeout: float | None
    """Accepted and ignored"""
    abort_on_error: bool
    """Accepted and ignored"""
    md_compact_tables: bool
    """Accepted and ignored"""
    include_page_images: bool
    do_code_enrichment: bool
    do_formula_enrichment: bool
    do_picture_classification: bool
    do_picture_description: bool
    do_chart_extraction: bool
    ocr_custom_config: Any
    table_structure_custom_config: Any
    layout_custom_config: Any
    vlm_pipeline_model: Any
    vlm_pipeline_model_local: Any
    vlm_pipeline_model_api: Any
    vlm_pipeline_custom_config: Any
    picture_description_local: Any
    picture_description_api: Any
    picture_description_custom_config: Any
    picture_classification_custom_config: Any
    chart_extraction_custom_config: Any
    code_formula_custom_config: Any
    chunking_options: Any
    chunking_preset: Any


class DoclingConvertRequestTarget(TypedDict, total=False):
    kind: Required[Literal["inbody", "zip"] | Literal["presigned_url"]]


class ExtractRequest(TypedDict, total=False):
    schema: Required[dict[str, Any]]
    """JSON Schema of the data, with `type: object` at its root. References lead to places in the schema
    itself"""
    instructions: str
    """What the model should know beyond the schema"""


class ChatRequest(TypedDict, total=False):
    """Other fields of OpenAI's API (`temperature`, `max_tokens`, `tools`, …) are accepted and ignored."""

    model: Required[str]
    messages: Required[list[ChatRequestMessage1 | ChatRequestMessage2]]
    """The text of the last `user` message is a task (`markdown`, `free`, `ocr`, `figure`, `describe`,
    `deep`), the official wording of a task (`Free OCR.`, `Locate <|ref|>total<|/ref|> in the image.`),
    or a prompt, if the model takes prompts. Without text, the task is `markdown`. The documents, at
    most 20, are in the same message or in the last message before it that has one, and their texts
    follow each other. All other messages are ignored."""
    stream: bool | None
    stream_options: ChatRequestStreamOptions | None
    n: Literal[1]
    tool_choice: Literal["auto", "none"] | None
    response_format: ChatRequestResponseFormatText | ChatRequestResponseFormatJsonSchema | None
    fovea: ChatRequestFovea
    """Options of POST /v1/ocr"""


class ChatRequestMessage1(TypedDict, total=False):
    role: Required[Literal["user"]]
    content: Required[
        str
        | list[
            ChatRequestMessage1ContentText
            | ChatRequestMessage1ContentImageUrl
            | ChatRequestMessage1ContentFile
        ]
    ]


class ChatRequestMessage1ContentText(TypedDict, total=False):
    type: Required[Literal["text"]]
    text: Required[str]


class ChatRequestMessage1ContentImageUrl(TypedDict, total=False):
    type: Required[Literal["image_url"]]
    image_url: Required[str | ChatRequestMessage1ContentImageUrlImageUrl2]


class ChatRequestMessage1ContentImageUrlImageUrl2(TypedDict, total=False):
    url: Required[str]
    """`https:` URL or `data:` URL of an image or PDF"""


class ChatRequestMessage1ContentFile(TypedDict, total=False):
    type: Required[Literal["file"]]
    file: Required[ChatRequestMessage1ContentFileFile]


class ChatRequestMessage1ContentFileFile(TypedDict, total=False):
    file_id: str | None
    """Id from POST /v1/files"""
    file_data: str | None
    """A `data:` URL, or base64"""


class ChatRequestMessage2(TypedDict, total=False):
    role: Required[Literal["system", "developer", "assistant", "tool", "function"]]


class ChatRequestStreamOptions(TypedDict, total=False):
    include_usage: bool


class ChatRequestResponseFormatText(TypedDict, total=False):
    type: Required[Literal["text"]]


class ChatRequestResponseFormatJsonSchema(TypedDict, total=False):
    type: Required[Literal["json_schema"]]
    json_schema: Required[ChatRequestResponseFormatJsonSchemaJsonSchema]


class ChatRequestResponseFormatJsonSchemaJsonSchema(TypedDict, total=False):
    schema: Required[dict[str, Any]]
    """A JSON Schema: the answer is data that is extracted from the pages"""


class ChatRequestFovea(TypedDict, total=False):
    """Options of POST /v1/ocr"""

    pages: str
    mode: Literal["auto", "tiny", "small", "base", "large", "gundam"]
    token_budget: int
    witness: bool
    text_layer: Literal["auto", "never", "only"]
    sequence: Literal["page", "document"]
    languages: list[str]
    table_format: Literal["html", "markdown"]
    """How tables are written in the page's Markdown. `markdown`: as in GitHub's Markdown; the first row is
    the head. Tables with merged cells, which Markdown lacks, stay HTML"""
    figures: Literal["none", "link", "inline"]
    """Whether the page's Markdown shows its figures: `link`: by their addresses, which need the API key ·
    `inline`: as `data:` URLs"""
    hyperlinks: Literal["none", "list", "inline"]
    """Links of the document. `inline`: in the Markdown, in tables, and in `hyperlinks` of the page ·
    `list`: only there · `none`: nowhere"""
    task: Literal["markdown", "free", "ocr", "figure", "describe", "locate", "deep"]
    """Overrides the task in the message, whose text is then a prompt"""
    dpi: int
    tokens: Literal["keep", "none"]
    """`keep`: later questions about the same pages need no encoding"""
    password: str
    """The password of an encrypted PDF. It is kept, encrypted, until the job ends, and shown nowhere. Only
    requests with the same password share readings of the document"""
    cache: Literal["use", "refresh", "only"]
    metadata: dict[str, str]


class ResponsesRequest(TypedDict, total=False):
    """Other fields of OpenAI's API (`instructions`, `temperature`, `tools`, `store`, …) are accepted and
    ignored."""

    model: Required[str]
    input: Required[str | list[ResponsesRequestInputMessage | ResponsesRequestInput2]]
    """As the `messages` of `POST /v1/chat/completions`: the last `user` message counts"""
    stream: bool | None
    tool_choice: Literal["auto", "none"] | None
    text: ResponsesRequestText | None
    previous_response_id: None
    background: Literal[False]
    fovea: ResponsesRequestFovea
    """Options of POST /v1/ocr"""


class ResponsesRequestInputMessage(TypedDict, total=False):
    type: Literal["message"]
    role: Required[Literal["user"]]
    content: Required[
        str
        | list[
            ResponsesRequestInputMessageContentInputText
            | ResponsesRequestInputMessageContentInputImage
            | ResponsesRequestInputMessageContentInputFile
        ]
    ]


class ResponsesRequestInputMessageContentInputText(TypedDict, total=False):
    type: Required[Literal["input_text"]]
    text: Required[str]


class ResponsesRequestInputMessageContentInputImage(TypedDict, total=False):
    type: Required[Literal["input_image"]]
    image_url: str | None
    """`https:` URL or `data:` URL"""
    file_id: str | None


class ResponsesRequestInputMessageContentInputFile(TypedDict, total=False):
    type: Required[Literal["input_file"]]
    file_id: str | None
    """Id from POST /v1/files"""
    file_data: str | None
    """A `data:` URL, or base64"""
    file_url: str | None
    """`https:` URL"""


class ResponsesRequestInput2(TypedDict, total=False):
    type: str | None
    role: Literal["system", "developer", "assistant"]


class ResponsesRequestText(TypedDict, total=False):
    format: ResponsesRequestTextFormatText | ResponsesRequestTextFormatJsonSchema | None


class ResponsesRequestTextFormatText(TypedDict, total=False):
    type: Required[Literal["text"]]


class ResponsesRequestTextFormatJsonSchema(TypedDict, total=False):
    type: Required[Literal["json_schema"]]
    schema: Required[dict[str, Any]]
    """A JSON Schema: the answer is data that is extracted from the pages"""


class ResponsesRequestFovea(TypedDict, total=False):
    """Options of POST /v1/ocr"""

    pages: str
    mode: Literal["auto", "tiny", "small", "base", "large", "gundam"]
    token_budget: int
    witness: bool
    text_layer: Literal["auto", "never", "only"]
    sequence: Literal["page", "document"]
    languages: list[str]
    table_format: Literal["html", "markdown"]
    """How tables are written in the page's Markdown. `markdown`: as in GitHub's Markdown; the first row is
    the head. Tables with merged cells, which Markdown lacks, stay HTML"""
    figures: Literal["none", "link", "inline"]
    """Whether the page's Markdown shows its figures: `link`: by their addresses, which need the API key ·
    `inline`: as `data:` URLs"""
    hyperlinks: Literal["none", "list", "inline"]
    """Links of the document. `inline`: in the Markdown, in tables, and in `hyperlinks` of the page ·
    `list`: only there · `none`: nowhere"""
    task: Literal["markdown", "free", "ocr", "figure", "describe", "locate", "deep"]
    """Overrides the task in the message, whose text is then a prompt"""
    dpi: int
    tokens: Literal["keep", "none"]
    """`keep`: later questions about the same pages need no encoding"""
    password: str
    """The password of an encrypted PDF. It is kept, encrypted, until the job ends, and shown nowhere. Only
    requests with the same password share readings of the document"""
    cache: Literal["use", "refresh", "only"]
    metadata: dict[str, str]


class NewBatch(TypedDict, total=False):
    manifest: str
    """Id of an uploaded manifest, or name of an object that the operator has put into the bucket under
    `manifests/{tenant id}/`"""
    input: NewBatchInput
    """Objects of a bucket, instead of a manifest: each is a line"""
    output: NewBatchOutput
    """Write the shards of the output, and at the end the list of them, into a bucket. They also stay here
    as long as the batch"""
    deliver: NewBatchDeliver
    """PUT the whole output as one JSONL file, of at most 5 GiB, when the batch ends"""
    defaults: BatchDefaults
    metadata: dict[str, str]


class NewBatchInput(TypedDict, total=False):
    """Objects of a bucket, instead of a manifest: each is a line"""

    bucket: Required[str]
    """Id of a connection"""
    prefix: str
    """Objects whose keys begin with it. It must begin with the connection's prefix"""
    suffixes: list[str]
    """Only objects whose keys end with one of these, in upper or lower case; empty: all. Keys that end
    with `/` and empty objects are left out"""


class NewBatchOutput(TypedDict, total=False):
    """Write the shards of the output, and at the end the list of them, into a bucket. They also stay here
    as long as the batch"""

    bucket: Required[str]
    """Id of a connection"""
    prefix: str
    """The keys of the output are this, the batch's id, `/` and the name of the file. Default: the
    connection's prefix"""
    training_data: list[Literal["ok", "blank", "suspect", "unreadable"]]
    """Also write training data, of pages with these verdicts"""


class NewBatchDeliver(TypedDict, total=False):
    """PUT the whole output as one JSONL file, of at most 5 GiB, when the batch ends"""

    url: Required[str]
    """A presigned address for PUT, of S3, R2, Google Cloud Storage, Azure or your server"""
    headers: dict[str, str]
    """Headers that are signed with the address: `Content-Type`, `Content-Disposition`, `Content-MD5`,
    `Cache-Control`, `x-amz-…`, `x-goog-…`, `x-ms-…`"""


class MistralNewBatchJob(TypedDict, total=False):
    endpoint: Required[Literal["/v1/ocr"]]
    input_files: list[str] | None
    """Ids of files with the purpose `batch`. Each line is `{"custom_id": …, "body": …}`, with a body of
    `POST /v1/ocr` in Mistral's shape"""
    requests: list[MistralNewBatchJobRequest] | None
    """The lines themselves, instead of files"""
    model: str | None
    """For bodies that name none; as in `POST /v1/ocr`"""
    agent_id: None
    metadata: dict[str, str] | None
    timeout_hours: int
    """Then the job is canceled. What has been read is in its output"""


class MistralNewBatchJobRequest(TypedDict, total=False):
    custom_id: str | None
    body: Required[dict[str, Any]]


class NewBucket(TypedDict, total=False):
    endpoint: Required[str]
    region: str
    bucket: Required[str]
    prefix: str
    addressing: Literal["path", "virtual"]
    access_key_id: Required[str]
    secret_access_key: Required[str]


class BucketAccessKey(TypedDict, total=False):
    access_key_id: Required[str]
    secret_access_key: Required[str]


class NewContext(TypedDict, total=False):
    name: str
    profile: str
    """Whose tokens and prices count (`GET /v1/memory/profiles`)"""
    token_budget: int
    """Limit of tokens for the whole view, in tokens of the profile: older segments become fainter to meet
    it, and then only their index lines are left. The view says `over_budget` where it cannot be met"""
    recent: int
    """How many of the newest messages always stay text"""
    fade: Fade | None
    """A ladder by age, as the DeepSeek-OCR paper proposes: from when on a segment is shown in which form
    of the profile. `null`: only the budget makes segments fainter"""
    summaries: bool
    """Whether the operator's model for extractions writes a summary of each segment, which views show
    where a budget has no room for its images. It is not the words: these are kept. `false` in a change
    deletes the summaries"""
    reader: str | None
    """Model that checks images when they are made. What it does not read exactly (ids, numbers, names) is
    written beside the image, and images that it cannot read are made again in a clearer form. `null`:
    images are not checked"""
    erase_after: int | None
    """Age in seconds at which texts of segments that are shown as images are erased; SHA-256 and length of
    their messages stay. `0`: as soon as the images exist · `null`: never"""
    metadata: dict[str, str]


class ChangeContext(TypedDict, total=False):
    name: str | None
    profile: str
    """Whose tokens and prices count (`GET /v1/memory/profiles`)"""
    token_budget: int | None
    """Limit of tokens for the whole view, in tokens of the profile: older segments become fainter to meet
    it, and then only their index lines are left. The view says `over_budget` where it cannot be met"""
    recent: int
    """How many of the newest messages always stay text"""
    fade: Fade | None
    """A ladder by age, as the DeepSeek-OCR paper proposes: from when on a segment is shown in which form
    of the profile. `null`: only the budget makes segments fainter"""
    summaries: bool
    """Whether the operator's model for extractions writes a summary of each segment, which views show
    where a budget has no room for its images. It is not the words: these are kept. `false` in a change
    deletes the summaries"""
    reader: str | None
    """Model that checks images when they are made. What it does not read exactly (ids, numbers, names) is
    written beside the image, and images that it cannot read are made again in a clearer form. `null`:
    images are not checked"""
    erase_after: int | None
    """Age in seconds at which texts of segments that are shown as images are erased; SHA-256 and length of
    their messages stay. `0`: as soon as the images exist · `null`: never"""
    metadata: dict[str, str]


class ChangeContextMessage(TypedDict, total=False):
    pinned: bool
    """A view always shows it as text"""
    importance: float
    """0 to 1: at 1 the message ages at a tenth of the speed. A segment ages by its most important message"""


class AgeContext(TypedDict, total=False):
    dry_run: bool
    """Only report what is due"""
    at: str
    """Age as if it were this time, which must not be in the past. Without `dry_run`, this ageing is final."""


class ZoomContextSegment(TypedDict, total=False):
    profile: str
    form: Required[str]
    """`text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is
    in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with
    type of 12 pixels"""


class CompressOptions(TypedDict, total=False):
    mode: Literal["auto", "gundam", "large", "base", "small", "tiny"]
    """`auto`: the mode with the fewest tokens that is expected to reach `target_precision`"""
    target_precision: float
    verify: bool
    """Read the images back and measure how much of the text is recovered"""
    reader: str
    """The model that reads the images back"""


class CompressRequest(CompressOptions, total=False):
    text: Required[str]
    """Markdown"""


class FidelityRequest(TypedDict, total=False):
    file: str
    url: str
    """`https:` or `data:` URL"""
    job: str
    """Instead of a document: use the result of this job"""
    truth: Required[str]
    """The true text of the document"""
    pages: str
    model: str
    modes: list[Literal["auto", "tiny", "small", "base", "large", "gundam"]]
    """Default: all of the reader. Readers without vision tokens have only one"""


class McpMessage(TypedDict, total=False):
    jsonrpc: Required[Literal["2.0"]]
    method: str


class NewApiKey(TypedDict, total=False):
    name: str
    environment: Literal["live", "test"]
    scopes: list[Literal["read", "write", "webhooks", "buckets", "admin"]]
    """`admin` includes all other scopes. Default: `read` and `write`, or `admin` with the bootstrap secret"""
    expires_at: str
    rate_per_minute: int
    """Requests per minute. Default: the service's limit"""
    monthly_pages: int
    """Limit of pages read per calendar month (UTC). Default: no limit"""
    concurrent_jobs: int
    """Limit of open jobs. Default: no limit"""
    allowed_cidrs: list[str]
    """IPv4 and IPv6 networks from which the key may be used. Default: any"""
    tenant: str
    """Only with the bootstrap secret: the tenant, which is created if it does not exist. Default:
    `default`"""


class ChangeApiKey(TypedDict, total=False):
    name: str
    expires_at: str | None
    rate_per_minute: int | None
    monthly_pages: int | None
    concurrent_jobs: int | None
    allowed_cidrs: list[str] | None


class RotateApiKey(TypedDict, total=False):
    overlap_s: int
    """Seconds for which the old key remains valid"""


class NewBrowserToken(TypedDict, total=False):
    scope: Required[Literal["read", "write"]]
    """`write`: start one job · `read`: read one job"""
    job: str
    """The job. Default: the id of a new job, which a `write` token can start once"""


class NewWebhookEndpoint(TypedDict, total=False):
    url: Required[str]
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
    ]


class ChangeWebhookEndpoint(TypedDict, total=False):
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
    ]
    state: Literal["active", "disabled"]


class ChangeSettings(TypedDict, total=False):
    retention_days: int | None
    job_retention_days: int | None
    daily_pages: int | None
    daily_usd: float | None
    keep_tokens: bool


class MistralDocumentDocumentUrl(TypedDict, total=False):
    type: Literal["document_url"]
    document_url: Required[str]
    """`https:` URL or `data:` URL, of a PDF or an image"""
    document_name: str | None
    """Accepted and ignored"""


class MistralDocumentImageUrl(TypedDict, total=False):
    type: Literal["image_url"]
    image_url: Required[str | MistralDocumentImageUrlImageUrl2]


class MistralDocumentImageUrlImageUrl2(TypedDict, total=False):
    url: Required[str]
    """`https:` URL or `data:` URL, of a PDF or an image"""
    detail: str | None
    """Accepted and ignored"""


class MistralDocumentFile(TypedDict, total=False):
    type: Literal["file"]
    file_id: Required[str]
    """Id from `POST /v1/files`"""


class DoclingSource1(TypedDict, total=False):
    kind: Required[Literal["http"]]
    url: Required[str]
    """An `https:` URL"""
    headers: dict[str, Any]


class DoclingSource2(TypedDict, total=False):
    kind: Required[Literal["file"]]
    base64_string: Required[str]
    filename: Required[str]


class BatchDefaults(TypedDict, total=False):
    schema: dict[str, Any]
    """JSON Schema of the data to extract from each document, as for `POST /v1/ocr`"""
    instructions: str
    """What the model should know beyond the schema"""
    pages: str
    model: str
    mode: Literal["auto", "tiny", "small", "base", "large", "gundam"]
    token_budget: int
    witness: bool
    text_layer: Literal["auto", "never", "only"]
    sequence: Literal["page", "document"]
    task: Literal["markdown", "free", "ocr", "figure", "describe", "locate", "deep", "encode"]
    prompt: str
    dpi: int
    languages: list[str]
    granularity: Literal["block", "line", "word"]
    """`line` and `word` add the lines of each block, and their words, with boxes and confidences.
    `fovea-nano` has lines but no words, the other models only blocks"""
    table_format: Literal["html", "markdown"]
    """How tables are written in the page's Markdown. `markdown`: as in GitHub's Markdown; the first row is
    the head. Tables with merged cells, which Markdown lacks, stay HTML"""
    join_tables: bool
    """Whether a table that goes on over pages is joined: the page on which it begins has all its rows"""
    figures: Literal["none", "inline"]
    """`inline`: the pages' figures, as `data:` URLs. There are no addresses, because the jobs of lines are
    not kept"""
    hyperlinks: Literal["none", "list", "inline"]
    """Links of the documents. `list`, the default here: in `hyperlinks` of the pages; the Markdown, which
    is also the text of training data, has none · `inline`: there, too · `none`: nowhere"""


class Fade(TypedDict, total=False):
    by: Literal["time", "rounds"]
    """`rounds`: age is the number of later messages with the role `user`"""
    rungs: Required[list[FadeRung]]


class FadeRung(TypedDict, total=False):
    form: Required[str]
    """`text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is
    in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with
    type of 12 pixels"""
    after: Required[float]
    """Seconds, or rounds"""


class NewContextMessages(TypedDict, total=False):
    format: Literal["fovea"]
    messages: Required[list[NewContextMessagesMessage]]


class NewContextMessagesMessage(TypedDict, total=False):
    role: Required[Literal["system", "developer", "user", "assistant", "tool"]]
    content: Required[str | list[MessagePart] | None]
    """Markdown, or parts in order; `null` or `[]`: nothing was said"""
    name: str | None
    pinned: bool
    """A view always shows it as text"""
    importance: float
    """0 to 1: at 1 the message ages at a tenth of the speed. A segment ages by its most important message"""
    created_at: str
    """Time of the message, if it is older than the request"""


class NewProviderMessages(TypedDict, total=False):
    format: Required[Literal["openai", "anthropic", "gemini"]]
    """`openai`: `messages` of Chat Completions, or `input` of Responses · `anthropic`: `messages` and
    `system` · `gemini`: `contents` and `systemInstruction`. Other members are ignored"""
    pinned: bool
    """A view always shows it as text"""
    importance: float
    """0 to 1: at 1 the message ages at a tenth of the speed. A segment ages by its most important message"""


class MessagePartText(TypedDict, total=False):
    type: Required[Literal["text"]]
    text: Required[str]


class MessagePartToolCall(TypedDict, total=False):
    type: Required[Literal["tool_call"]]
    id: Required[str]
    name: Required[str]
    arguments: Required[str]
    """JSON text"""


class MessagePartToolResult(TypedDict, total=False):
    type: Required[Literal["tool_result"]]
    id: Required[str]
    """`id` of the `tool_call`"""
    name: str | None
    text: Required[str]
    is_error: bool


class MessagePartImage(TypedDict, total=False):
    type: Required[Literal["image"]]
    url: str | None
    """`https:` or `data:`"""
    file_id: str | None
    alt: str | None


ResultFormat = Literal[
    "json",
    "md",
    "mdzip",
    "html",
    "txt",
    "csv",
    "xlsx",
    "hocr",
    "alto",
    "chunks",
    "docling",
    "docx",
    "pdf",
    "overlay",
]


NewMessages = NewContextMessages | NewProviderMessages


MistralDocument = MistralDocumentDocumentUrl | MistralDocumentImageUrl | MistralDocumentFile


DoclingSource = DoclingSource1 | DoclingSource2


MessagePart = MessagePartText | MessagePartToolCall | MessagePartToolResult | MessagePartImage
