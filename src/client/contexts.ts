/** `fovea.contexts`: conversations whose texts are kept, and whose older messages a view shows as page images. */
import { all, type Listed, type ListQuery } from "./list.ts";
import type {
  AgeContext,
  Ageing,
  ChangeContext,
  ChangeContextMessage,
  Context,
  ContextCosts,
  ContextMessage,
  ContextMessages,
  ContextMessageWithText,
  ContextSearch,
  ContextSegment,
  ContextSegmentWithMessages,
  ContextView,
  ContextZoom,
  ImportedContext,
  MemoryProfile,
  NewContext,
  NewContextMessages,
  NewProviderMessages,
  Recall,
  ZoomContextSegment,
} from "./schema.ts";
import { backOff, type CallOptions, pause, type Transport } from "./transport.ts";

export type NewContextMessage = NewContextMessages["messages"][number];

/** Options of a view. */
export interface ViewOptions extends CallOptions {
  /** The context's own if left out. */
  profile?: string | undefined;
  images?: "url" | "data" | "none" | undefined;
}

/** What `asMessages` answers, by the provider for which it is. */
export interface MessageLists {
  /** `messages` of Chat Completions. */
  openai: Record<string, unknown>[];
  /** `system` and `messages` of the Messages API. */
  anthropic: { system: Record<string, unknown>[]; messages: Record<string, unknown>[] };
  /** `systemInstruction` and `contents` of `generateContent`. */
  gemini: { systemInstruction: Record<string, unknown>; contents: Record<string, unknown>[] };
}

/** How long the service holds a request. The client repeats it until the work is done. */
const HOLD_S = 30;
const held = (call: CallOptions) => ({
  ...call,
  headers: { prefer: `wait=${HOLD_S}` },
  timeoutMs: call.timeoutMs ?? (HOLD_S + 60) * 1000,
});

export class Contexts {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  create(context: NewContext = {}, options: CallOptions = {}): Promise<Context> {
    return this.#http.json("POST", "/v1/contexts", { json: context, ...options });
  }

  get(id: string, options: CallOptions = {}): Promise<Context> {
    return this.#http.json("GET", path(id), options);
  }

  list(query: ListQuery = {}, options: CallOptions = {}): Promise<Listed<Context>> {
    return this.#http.json("GET", "/v1/contexts", { query: { ...query }, ...options });
  }

  all(): AsyncGenerator<Context> {
    return all((page) => this.list(page));
  }

  /** Changes the name, profile, token budget, metadata, or when texts are erased. */
  update(id: string, change: ChangeContext, options: CallOptions = {}): Promise<Context> {
    return this.#http.json("PATCH", path(id), { json: change, ...options });
  }

  /** Appends up to 1000 messages. */
  async add(
    id: string,
    messages: NewContextMessage | NewContextMessage[],
    options: CallOptions = {},
  ): Promise<ContextMessage[]> {
    const json = { messages: [messages].flat() };
    const call = { json, ...options };
    return (await this.#http.json<{ data: ContextMessage[] }>("POST", `${path(id)}/messages`, call))
      .data;
  }

  /** Appends messages as they are sent to OpenAI, Anthropic or Gemini. */
  async addFrom(
    id: string,
    format: NewProviderMessages["format"],
    request: Record<string, unknown>,
    options: CallOptions = {},
  ): Promise<ContextMessage[]> {
    const call = { json: { ...request, format }, ...options };
    return (await this.#http.json<{ data: ContextMessage[] }>("POST", `${path(id)}/messages`, call))
      .data;
  }

  /** All messages with their texts, oldest first. */
  async *messages(id: string): AsyncGenerator<ContextMessageWithText> {
    for (let after: number | null = 0; after !== null; ) {
      const call = { query: { after, limit: 200 } };
      const page: ContextMessages = await this.#http.json("GET", `${path(id)}/messages`, call);
      yield* page.data;
      after = page.next_after;
    }
  }

  /** A message with its text; `text` is `null` if it is erased, then `recall` reads the image. */
  message(id: string, number: number, options: CallOptions = {}): Promise<ContextMessageWithText> {
    return this.#http.json("GET", message(id, number), options);
  }

  /** Deletes a message and the images of its segment, which are made again without it. */
  forget(id: string, number: number, options: CallOptions = {}): Promise<void> {
    return this.#http.noContent("DELETE", message(id, number), options);
  }

  /** Pins a message or sets its importance. */
  change(
    id: string,
    number: number,
    change: ChangeContextMessage,
    options: CallOptions = {},
  ): Promise<ContextMessage> {
    return this.#http.json("PATCH", message(id, number), { json: change, ...options });
  }

  /** The context as it is now. Image URLs are valid for at least an hour and need no key. */
  view(id: string, { profile, images, ...call }: ViewOptions = {}): Promise<ContextView> {
    return this.#http.json("GET", `${path(id)}/view`, { query: { profile, images }, ...call });
  }

  /** The context as a list of messages, ready to send: roles, labels of images, `detail`, cache breakpoints. */
  async asMessages<Provider extends keyof MessageLists>(
    id: string,
    provider: Provider,
    { profile, images, ...call }: ViewOptions = {},
  ): Promise<MessageLists[Provider]> {
    const query = { format: provider, profile, images };
    const view = await this.#http.json<ContextView>("GET", `${path(id)}/view`, { query, ...call });
    const lists = {
      openai: view.messages ?? [],
      anthropic: { system: view.system ?? [], messages: view.messages ?? [] },
      gemini: { systemInstruction: view.systemInstruction ?? {}, contents: view.contents ?? [] },
    };
    return lists[provider];
  }

  /** What a view would cost with each provider, against plain text. */
  costs(id: string, options: CallOptions = {}): Promise<ContextCosts> {
    return this.#http.json("GET", `${path(id)}/costs`, options);
  }

  /** Messages that contain all words, or with `mode: "meaning"` those that are nearest to a question, the best first. */
  search(
    id: string,
    words: string,
    {
      limit,
      mode,
      ...call
    }: CallOptions & { limit?: number | undefined; mode?: "words" | "meaning" | undefined } = {},
  ): Promise<ContextSearch> {
    const query = { q: words, limit, mode };
    return this.#http.json("GET", `${path(id)}/search`, { query, ...call });
  }

  /** Ages the context now and waits for the result; with `dry_run`, only reports what is due. */
  async age(id: string, request: AgeContext = {}, options: CallOptions = {}): Promise<Ageing> {
    const changes: Ageing["changes"] = [];
    for (let failures = 0; ; failures++) {
      const call = { json: request, ...held(options) };
      const ageing = await this.#http.json<Ageing>("POST", `${path(id)}/age`, call);
      changes.push(...ageing.changes);
      if (ageing.state !== "making" && ageing.state !== "busy") return { ...ageing, changes };
      await pause(backOff(failures), options.signal);
    }
  }

  /**
   * The text of a message: the original where the context still has it, else what a model reads in the image.
   * @param options.source `image`: reads the image even if the original exists. It is read once per form; later calls use
   *   that reading
   */
  async recall(
    id: string,
    number: number,
    {
      model,
      source,
      ...options
    }: CallOptions & { model?: string | undefined; source?: "auto" | "image" | undefined } = {},
  ): Promise<Recall> {
    for (let failures = 0; ; failures++) {
      const call = { query: { model, source }, ...held(options) };
      const recall = await this.#http.json<Recall>("GET", `${message(id, number)}/recall`, call);
      if (recall.state !== "reading") return recall;
      await pause(backOff(failures), options.signal);
    }
  }

  /** Sealed runs of messages: what is in each, in which form views show it, and how legible its images are. */
  async segments(id: string, options: CallOptions = {}): Promise<ContextSegment[]> {
    return (
      await this.#http.json<{ data: ContextSegment[] }>("GET", `${path(id)}/segments`, options)
    ).data;
  }

  /** A segment with its messages. */
  segment(
    id: string,
    segmentId: string,
    options: CallOptions = {},
  ): Promise<ContextSegmentWithMessages> {
    return this.#http.json("GET", segment(id, segmentId), options);
  }

  /** The pages of a segment in a clearer or fainter form; waits until they are made. */
  async zoom(
    id: string,
    segmentId: string,
    request: ZoomContextSegment,
    options: CallOptions = {},
  ): Promise<ContextZoom> {
    for (let failures = 0; ; failures++) {
      const call = { json: request, ...held(options) };
      const zoom = await this.#http.json<ContextZoom>(
        "POST",
        `${segment(id, segmentId)}/zoom`,
        call,
      );
      if (zoom.state !== "making") return zoom;
      await pause(backOff(failures), options.signal);
    }
  }

  /** What each provider charges, and the page formats that are made for it. */
  async profiles(options: CallOptions = {}): Promise<MemoryProfile[]> {
    return (await this.#http.json<{ data: MemoryProfile[] }>("GET", "/v1/memory/profiles", options))
      .data;
  }

  /** Everything the context still holds, as JSON lines. */
  export(id: string, options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#http.stream("GET", `${path(id)}/export`, options);
  }

  /** A new context from the lines of an export. */
  import(
    lines: string,
    { idempotencyKey = crypto.randomUUID(), ...options }: CallOptions = {},
  ): Promise<ImportedContext> {
    const body = new Blob([lines], { type: "application/jsonl" });
    const headers = { "idempotency-key": idempotencyKey };
    return this.#http.json("POST", "/v1/contexts/import", { body, headers, ...options });
  }

  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.noContent("DELETE", path(id), options);
  }
}

const path = (id: string) => `/v1/contexts/${encodeURIComponent(id)}`;
const message = (id: string, number: number) => `${path(id)}/messages/${number}`;
const segment = (id: string, segmentId: string) =>
  `${path(id)}/segments/${encodeURIComponent(segmentId)}`;
