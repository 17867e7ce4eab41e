/** `fovea.contexts`: conversations whose older messages fade from text to ever smaller page images. */
import { all, type Listed, type ListQuery } from "./list.ts";
import type {
  AgeContext,
  Ageing,
  ChangeContext,
  ChangeContextMessage,
  Context,
  ContextMessage,
  ContextMessageWithText,
  ContextView,
  LossReport,
  NewContext,
  NewContextMessages,
  Recall,
} from "./schema.ts";
import { backOff, type CallOptions, pause, type Transport } from "./transport.ts";

export type NewContextMessage = NewContextMessages["messages"][number];

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

  /** Changes the name, token budget, metadata, or when texts are erased. */
  update(id: string, change: ChangeContext, options: CallOptions = {}): Promise<Context> {
    return this.#http.json("PATCH", path(id), { json: change, ...options });
  }

  /** Appends up to 100 messages. */
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

  /** A message with its text; `text` is `null` if it is erased, then `recall` reads the image. */
  message(id: string, number: number, options: CallOptions = {}): Promise<ContextMessageWithText> {
    return this.#http.json("GET", message(id, number), options);
  }

  /** Deletes a message and the image that contains it; the image's other messages are text again. */
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

  /** The context as it is now. Image URLs are valid for an hour and need no key. */
  view(
    id: string,
    { images, ...call }: CallOptions & { images?: "url" | "data" | "none" } = {},
  ): Promise<ContextView> {
    return this.#http.json("GET", `${path(id)}/view`, { query: { images }, ...call });
  }

  /** The context as the `content` of a chat message for a vision-language model. */
  async content(
    id: string,
    { images, ...call }: CallOptions & { images?: "url" | "data" | "none" } = {},
  ): Promise<NonNullable<ContextView["content"]>> {
    const query = { format: "openai", images };
    const view = await this.#http.json<ContextView>("GET", `${path(id)}/view`, { query, ...call });
    return view.content ?? [];
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
   * @param options.source `image`: reads the image even if the original exists. It is read once per rung; later calls use
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

  /** How legible each message still is. */
  loss(id: string, options: CallOptions = {}): Promise<LossReport> {
    return this.#http.json("GET", `${path(id)}/loss`, options);
  }

  /** Everything the context still holds, as JSON lines. */
  export(id: string, options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#http.stream("GET", `${path(id)}/export`, options);
  }

  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.noContent("DELETE", path(id), options);
  }
}

const path = (id: string) => `/v1/contexts/${encodeURIComponent(id)}`;
const message = (id: string, number: number) => `${path(id)}/messages/${number}`;
