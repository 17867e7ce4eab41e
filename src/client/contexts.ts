/** `fovea.contexts`: conversations whose older messages fade from text to ever smaller page images. */
import { all, type Listed, type ListQuery } from "./list.ts";
import type {
  AgeContext,
  Ageing,
  ChangeContextMessage,
  Context,
  ContextMessage,
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

  /** What can still be read of a message. An image is read once per rung; later calls use that reading. */
  async recall(
    id: string,
    number: number,
    { model, ...options }: CallOptions & { model?: string | undefined } = {},
  ): Promise<Recall> {
    for (let failures = 0; ; failures++) {
      const call = { query: { model }, ...held(options) };
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
