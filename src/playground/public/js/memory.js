/**
 * The page /memory: a conversation in a smaller and smaller budget of tokens, searched and read back. All that the page
 * knows of the service's memory is in this file.
 */
import { Api, ProblemError, tokenClaims } from "./api.js";
import { byId, h } from "./dom.js";
import { keepKey, takeKey } from "./key.js";
import { problemWords } from "./problem.js";
import { RENDERER } from "./reading.js";
import { markedWords } from "./sharpness.js";
import { stillRead } from "./words.js";

/** @typedef {import("../../../client/schema.ts").ContextView} View */
/** @typedef {import("../../../client/schema.ts").Ageing} Ageing */
/** @typedef {import("../../../client/schema.ts").Recall} Recall */
/** @typedef {import("../../../client/schema.ts").ContextSearch} Search */
/** @typedef {NonNullable<View["items"]>[number]} Item */
/** @typedef {Extract<Item, {type: "image"}>} ImageItem */
/** @typedef {{role: "user" | "assistant" | "system", content: string}} Message */

/** Budgets that the conversation is to fit into, as a share of its tokens as text. */
const STEPS = [
  { name: "all of it", share: null },
  { name: "half the tokens", share: 1 / 2 },
  { name: "a quarter", share: 1 / 4 },
  { name: "an eighth", share: 1 / 8 },
];

/** A snapshot of one step, which the service no longer has. */
class Memory {
  /** @type {View | null} */
  view = null;
  /** @type {Map<string, string>} object URLs of page images by their URL at the service */
  images = new Map();
  /** @type {Map<string, Recall[]>} readings of an image by its segment */
  recalls = new Map();
}

export class MemoryView {
  /** @type {Api | null} */
  #api = null;
  /** @type {string | null} the context's id */
  #context = null;
  /** @type {Message[]} */
  #messages = [];
  /** @type {Memory[]} by step */
  #memories = [];
  #step = 0;
  #busy = false;

  /** @param {HTMLElement} panel */
  constructor(panel) {
    this.text = h("textarea", { id: "conversation", rows: 9, spellcheck: false });
    this.begin = h(
      "button",
      { type: "button", class: "primary", onclick: () => this.#try(() => this.#begin()) },
      "Remember it",
    );
    this.forget = h(
      "button",
      { type: "button", hidden: true, onclick: () => this.#try(() => this.#forget()) },
      "Forget it",
    );
    this.older = h("button", {
      type: "button",
      class: "primary",
      onclick: () => this.#try(() => this.#shrink()),
    });
    this.steps = h("div", { class: "steps", role: "group", ariaLabel: "Budgets" });
    this.profile = h("select", { id: "profile" });
    this.words = h("input", { id: "words", type: "search", autocomplete: "off" });
    this.found = h("ol", { class: "memories", ariaLabel: "Messages that were found" });
    this.search = h(
      "form",
      {
        class: "field",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          this.#try(() => this.#search());
        },
      },
      h("label", { htmlFor: "words" }, "Words, ids or numbers to look for in all of it"),
      this.words,
      h("p", { class: "actions" }, h("button", { type: "submit" }, "Search")),
    );
    this.tokens = h("div", { class: "tokens" });
    this.note = h("p", { class: "note", role: "status" });
    this.items = h("ol", { class: "memories", ariaLabel: "The conversation as it is remembered" });
    this.fading = h(
      "div",
      { class: "fading", hidden: true },
      h("div", { class: "time" }, this.steps, this.older),
      this.tokens,
      this.items,
      this.search,
      this.found,
    );
    panel.append(
      h(
        "p",
        { class: "lede" },
        "Texts are kept. What a model gets of them has to fit into a budget: older messages become page images of fewer tokens, the oldest a line each that says what is in them.",
      ),
      h(
        "div",
        { class: "conversation field" },
        h(
          "label",
          { htmlFor: "conversation" },
          "A conversation; each message starts with User: or Assistant:",
        ),
        this.text,
        h("label", { htmlFor: "profile" }, "Whose tokens count"),
        this.profile,
        h("p", { class: "actions" }, this.forget, this.begin),
      ),
      this.note,
      this.fading,
    );
  }

  /** @param {Api | null} api `null` without a key that can use contexts */
  async offer(api) {
    this.#api = api;
    this.begin.disabled = !api;
    this.note.textContent = api ? "" : "Paste an API key first.";
    if (!api || this.profile.options.length > 0) return;
    /** @type {{data: {id: string}[]}} */
    const { data } = await this.#send("GET", "/v1/memory/profiles");
    this.profile.append(...data.map(({ id }) => h("option", { value: id }, id)));
  }

  /** Fills in a conversation to try. */
  async suggest() {
    const answer = await fetch("/samples/conversation.txt").catch(() => null);
    if (answer?.ok) this.text.value = await answer.text();
  }

  /** Runs one action at a time and shows its error. @param {() => Promise<void>} work */
  async #try(work) {
    if (this.#busy) return;
    this.#setBusy(true);
    try {
      await work();
      this.note.textContent = "";
    } catch (error) {
      this.note.replaceChildren(...problemWords(error));
    }
    this.#setBusy(false);
  }

  #setBusy(/** @type {boolean} */ busy) {
    this.#busy = busy;
    this.fading.ariaBusy = String(busy);
    for (const button of [this.begin, this.forget, this.older]) button.disabled = busy;
  }

  async #begin() {
    const messages = parse(this.text.value);
    if (messages.length === 0)
      throw new ProblemError({
        title: "No message",
        detail: "Start a message with User: or Assistant:",
      });
    await this.#drop();
    this.note.textContent = "Storing the conversation …";
    const { id } = await this.#send("POST", "/v1/contexts", {
      name: "playground",
      profile: this.profile.value,
      recent: 2,
    });
    this.#context = id;
    this.#messages = messages;
    await this.#send("POST", `/v1/contexts/${id}/messages`, { messages });
    this.forget.hidden = false;
    await this.#remember(0);
    this.fading.scrollIntoView({ block: "nearest" });
  }

  async #forget() {
    await this.#drop();
    this.forget.hidden = true;
    this.fading.hidden = true;
  }

  /** Deletes the context and all snapshots. */
  async #drop() {
    if (this.#context) await this.#api?.call(`/v1/contexts/${this.#context}`, { method: "DELETE" });
    this.#context = null;
    for (const { images } of this.#memories)
      for (const address of images.values()) URL.revokeObjectURL(address);
    this.#memories = [];
  }

  /** Makes the budget smaller by one step. Segments never become clearer again. */
  async #shrink() {
    const next = this.#memories.length;
    const step = STEPS[next];
    const whole = this.#memories[0]?.view?.tokens.as_text;
    if (!step?.share || !whole) return;
    this.note.textContent = `In ${step.name}: making images …`;
    const budget = Math.max(64, Math.round(whole * step.share));
    await this.#send("PATCH", `/v1/contexts/${this.#context}`, { token_budget: budget });
    for (let state = "making"; state === "making" || state === "busy"; ) {
      /** @type {Ageing} */
      const ageing = await this.#send("POST", `/v1/contexts/${this.#context}/age`, {}, 30);
      ({ state } = ageing);
      if (ageing.error)
        throw new ProblemError({
          title: "The images could not be made",
          detail: ageing.error.message,
        });
    }
    await this.#remember(next);
  }

  async #search() {
    const words = this.words.value.trim();
    if (!words) return;
    const query = new URLSearchParams({ q: words });
    /** @type {Search} */
    const { data } = await this.#send("GET", `/v1/contexts/${this.#context}/search?${query}`);
    this.found.replaceChildren(
      ...data.map(({ number, role, snippet }) =>
        h(
          "li",
          { class: `said ${role}` },
          h("p", { class: "who" }, `${role}, message ${number}`),
          h("p", { class: "words" }, snippet),
        ),
      ),
      ...(data.length === 0 ? [h("li", {}, "No message has all these words.")] : []),
    );
  }

  /** @param {number} step */
  async #remember(step) {
    const memory = new Memory();
    /** @type {View} */
    const view = await this.#send("GET", `/v1/contexts/${this.#context}/view`);
    memory.view = view;
    for (const item of view.items ?? [])
      for (const { url } of item.type === "image" ? item.pages : [])
        if (url) {
          // Same origin, even if the service's public URL is another one.
          const { pathname, search } = new URL(url, location.href);
          const response = await fetch(pathname + search);
          if (response.ok) memory.images.set(url, URL.createObjectURL(await response.blob()));
        }
    this.#memories[step] = memory;
    this.#show(step);
  }

  /** @param {number} step */
  #show(step) {
    this.#step = step;
    const newest = this.#memories.length - 1;
    const next = STEPS[newest + 1];
    this.fading.hidden = false;
    this.steps.replaceChildren(
      ...STEPS.slice(0, newest + 1).map(({ name }, i) =>
        h(
          "button",
          { type: "button", ariaPressed: String(i === step), onclick: () => this.#show(i) },
          name,
        ),
      ),
    );
    this.older.hidden = !next;
    this.older.textContent = next ? `In ${next.name}` : "";
    const memory = /** @type {Memory} */ (this.#memories[step]);
    const view = /** @type {View} */ (memory.view);
    this.#showTokens(view);
    this.items.replaceChildren(
      ...(view.items ?? []).map((item) =>
        item.type === "message"
          ? this.#textItem(item)
          : item.type === "index" || item.type === "summary"
            ? this.#lineItem(item)
            : this.#imageItem(item, memory, step === newest),
      ),
    );
  }

  /** @param {View} view */
  #showTokens({ tokens, cost, over_budget_reason }) {
    const share = tokens.as_text > 0 ? tokens.total / tokens.as_text : 1;
    const bar = h("div", {
      class: "bar",
      role: "img",
      ariaLabel: `${Math.round(share * 100)} % of the tokens of the full text`,
    });
    for (const [kind, count] of /** @type {const} */ ([
      ["text", tokens.text],
      ["vision", tokens.vision + tokens.summary + tokens.index],
    ])) {
      const part = h("span", { class: kind });
      part.style.width = `${(100 * count) / Math.max(tokens.as_text, tokens.total, 1)}%`;
      bar.append(part);
    }
    const number = (/** @type {number} */ count) => count.toLocaleString("en");
    this.tokens.replaceChildren(
      h(
        "p",
        {},
        h("strong", {}, number(tokens.total)),
        ` tokens: ${number(tokens.text)} for text, ${number(tokens.vision)} for images and ${number(tokens.index)} for lines, instead of ${number(tokens.as_text)} for the full text.`,
        cost &&
          ` One request costs $${cost.usd.toFixed(5)} instead of $${cost.usd_as_text.toFixed(5)}.`,
      ),
      bar,
      ...(over_budget_reason ? [h("p", { class: "note" }, over_budget_reason)] : []),
    );
  }

  /** @param {Extract<Item, {type: "index" | "summary"}>} item */
  #lineItem({ type, text, tokens }) {
    const what = type === "summary" ? "a model's summary" : "only a line";
    return h(
      "li",
      { class: "image-item" },
      h("p", { class: "who" }, `${what}, ${tokens} tokens`),
      h("p", { class: "words" }, text),
    );
  }

  /** @param {Extract<Item, {type: "message"}>} item */
  #textItem({ role, text, tokens }) {
    return h(
      "li",
      { class: `said ${role}` },
      h("p", { class: "who" }, `${role}, ${tokens} tokens`),
      h("p", { class: "words" }, text),
    );
  }

  /** @param {ImageItem} item @param {Memory} memory @param {boolean} current whether the service still has this form */
  #imageItem(item, memory, current) {
    const { first_message: first, last_message: last, form, tokens, segment, sidecar } = item;
    const which = first === last ? `Message ${first}` : `Messages ${first} to ${last}`;
    const recalled = memory.recalls.get(segment);
    const recall = h(
      "button",
      {
        type: "button",
        onclick: () =>
          this.#try(async () => {
            memory.recalls.set(segment, await this.#recall(item));
            this.#show(this.#step);
          }),
      },
      "Read it back",
    );
    return h(
      "li",
      { class: "image-item" },
      h(
        "p",
        { class: "who" },
        `${which}, ${form}: ${tokens} tokens`,
        sidecar.length > 0 && `; written beside it: ${sidecar.join(", ")}`,
      ),
      h(
        "div",
        { class: "leaves" },
        ...item.pages.map(({ url, width, height }, i) =>
          h("img", {
            src: (url && memory.images.get(url)) ?? "",
            width,
            height,
            alt: `${which} as an image in the form ${form}, page ${i + 1}`,
          }),
        ),
      ),
      current && !recalled && h("p", {}, recall),
      ...(recalled ?? []).map((one) => this.#recalled(one)),
    );
  }

  /** @param {ImageItem} item */
  async #recall({ first_message: first, last_message: last }) {
    const recalls = [];
    for (let number = first; number <= last; number++) {
      this.note.textContent = `Reading message ${number} …`;
      /** @type {Recall} */
      let recall;
      do
        recall = await this.#send(
          "GET",
          `/v1/contexts/${this.#context}/messages/${number}/recall?source=image`,
          undefined,
          60,
        );
      while (recall.state === "reading");
      recalls.push(recall);
    }
    return recalls;
  }

  /** @param {Recall} recall */
  #recalled({ message, role, text, model, measured, scope }) {
    const original = this.#messages[message - 1]?.content ?? "";
    const { runs, share } = stillRead(text ?? "", original);
    const precision = measured?.precision;
    return h(
      "div",
      { class: `said ${role}` },
      h(
        "p",
        { class: "who" },
        `${role}, message ${message}, read by ${model ?? "no model"}`,
        share !== null && scope !== "pages" && `: ${Math.round(share * 100)} % of its words`,
        typeof precision === "number" && `, ${Math.round(precision * 100)} % of its characters`,
      ),
      h("p", { class: "words" }, ...markedWords(runs)),
    );
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {number} [wait] seconds that the service may hold the request
   */
  async #send(method, path, body, wait) {
    if (!this.#api)
      throw new ProblemError({ title: "A key is missing", detail: "Paste an API key." });
    const headers = {
      ...(body && { "content-type": "application/json" }),
      ...(wait && { prefer: `wait=${wait}` }),
    };
    const response = await this.#api.call(path, {
      method,
      headers,
      body: body && JSON.stringify(body),
    });
    return response.json();
  }
}

/** @param {string} text @returns {Message[]} */
function parse(text) {
  return [
    ...text.matchAll(
      /^(User|Assistant|System):\s*([\s\S]*?)(?=^(?:User|Assistant|System):|(?![\s\S]))/gim,
    ),
  ].flatMap(([, role, content]) => {
    const words = content?.trim();
    return words
      ? [{ role: /** @type {Message["role"]} */ (role?.toLowerCase()), content: words }]
      : [];
  });
}

const memory = new MemoryView(byId("memory"));
const key = byId("key", HTMLInputElement);

async function learnKey() {
  const credential = key.value.trim();
  keepKey(credential);
  if (!credential || tokenClaims(credential)) return memory.offer(null);
  const api = new Api(credential);
  try {
    const models = await api.models();
    memory.offer(models.some(({ id }) => id === RENDERER) ? api : null);
  } catch (error) {
    memory.offer(null);
    memory.note.replaceChildren(...problemWords(error));
  }
}

key.addEventListener("change", learnKey);
key.value = takeKey();
await Promise.all([learnKey(), memory.suggest()]);
