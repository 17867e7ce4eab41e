/** `fovea.contexts`: memories that fade, from text over ever smaller page images. */
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

/** A request is held for so long; it is asked again until it is done. */
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

  /** Appends messages, up to 100 at once. */
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

  /** Pins a message, or says how important it is. */
  change(
    id: string,
    number: number,
    change: ChangeContextMessage,
    options: CallOptions = {},
  ): Promise<ContextMessage> {
    return this.#http.json("PATCH", message(id, number), { json: change, ...options });
  }

  /** The memory as it is now. Addresses of images hold for an hour and need no key. */
  view(
    id: string,
    { images, ...call }: CallOptions & { images?: "url" | "data" | "none" } = {},
  ): Promise<ContextView> {
    return this.#http.json("GET", `${path(id)}/view`, { query: { images }, ...call });
  }

  /** The memory as the `content` of a chat message for a vision-language model. */
  async content(
    id: string,
    { images, ...call }: CallOptions & { images?: "url" | "data" | "none" } = {},
  ): Promise<NonNullable<ContextView["content"]>> {
    const query = { format: "openai", images };
    const view = await this.#http.json<ContextView>("GET", `${path(id)}/view`, { query, ...call });
    return view.content ?? [];
  }

  /** Lets it age now, and waits until that is done; with `dry_run`, says what is due. */
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

  /** What can still be read of a message; an image is read, once for each rung. */
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

  /** How clear each message still is. */
  loss(id: string, options: CallOptions = {}): Promise<LossReport> {
    return this.#http.json("GET", `${path(id)}/loss`, options);
  }

  /** Everything that is left, as JSON lines. */
  export(id: string, options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#http.stream("GET", `${path(id)}/export`, options);
  }

  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#http.nothing("DELETE", path(id), options);
  }
}

const path = (id: string) => `/v1/contexts/${encodeURIComponent(id)}`;
const message = (id: string, number: number) => `${path(id)}/messages/${number}`;
