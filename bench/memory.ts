/**
 * What a memory costs in a live session: each user's message sends the whole view again. Compares it with the whole
 * conversation as text, with the newest messages that a budget holds, and with retrieval, for each profile, in tokens
 * and in dollars, with and without prompt caching. No provider is called: tokens are those of the profiles' rules and
 * of our estimate, pages are those that `holds` predicts, caches match prefixes of the real lists and never expire.
 *
 *     npm run bench -- memory [--conversations 50] [--budget 8000]
 *
 * Writes docs/memory/costs.csv and docs/memory/costs.md.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  asAnthropic,
  asGemini,
  asOpenAI,
  imageTexts,
  indexText,
  type ViewItem,
} from "../src/edge/domain/memory/as-messages.ts";
import { type ChatMessage, callsOf, resultsOf } from "../src/edge/domain/memory/chat-message.ts";
import { type Charge, tileTokens } from "../src/edge/domain/memory/image-charges.ts";
import { indexLine } from "../src/edge/domain/memory/index-line.ts";
import { messageText } from "../src/edge/domain/memory/message-text.ts";
import {
  expectedCost,
  findProfile,
  type ImageForm,
  PROFILES,
  type Profile,
  precisionCeiling,
} from "../src/edge/domain/memory/profiles.ts";
import { planSegments, type Sealable } from "../src/edge/domain/memory/segments.ts";
import { estimateTextTokens } from "../src/edge/domain/memory/text-tokens.ts";
import { planView, type SegmentState } from "../src/edge/domain/memory/view-plan.ts";
import { validTokens } from "../src/edge/domain/memory/vision-tokens.ts";
import { type Conversation, conversation } from "./memory/conversations.ts";
import { readBack } from "./memory/read-back.ts";

const { values: given } = parseArgs({
  options: {
    conversations: { type: "string", default: "50" },
    budget: { type: "string", default: "8000" },
  },
});
const COUNT = Number(given.conversations);
const BUDGET = Number(given.budget);
/** Newest messages that stay text. */
const RECENT = 8;
/** Tokens of a message's frame. */
const FRAME = 4;
const DAY = Date.UTC(2026, 10, 2);

// Tokens.

const counted = new Map<string, number>();
function estimate(text: string): number {
  const known = counted.get(text);
  if (known !== undefined) return known;
  const tokens = estimateTextTokens(text);
  counted.set(text, tokens);
  return tokens;
}

/** A message of a conversation with what all strategies need. */
interface Said extends Sealable {
  message: ChatMessage;
  text: string;
}

const saidOf = ({ messages }: Conversation): Said[] =>
  messages.map((message, i) => {
    const text = messageText(message);
    return {
      number: i + 1,
      message,
      text,
      tokens: estimate(text) + FRAME,
      pinned: message.role === "system",
      calls: callsOf(message),
      results: resultsOf(message),
      at: DAY + i * 60_000,
      role: message.role,
    };
  });

const live = ({ number, message, tokens }: Said): ViewItem => ({
  type: "message",
  number,
  message,
  tokens,
});

// Strategies: what a session sends when message `count` has arrived.

interface View {
  items: ViewItem[];
  stable: number;
  overBudget: boolean;
}
/** Remembers what it did before, like a session. */
type Strategy = (said: Said[], profile: Profile) => (count: number) => View;

const everything: Strategy = (said) => (count) => ({
  items: said.slice(0, count).map(live),
  stable: 0,
  overBudget: false,
});

/**
 * First of the newest messages that a budget holds. If they are too many, it moves on until they take three quarters
 * of the budget, so that the beginning of the list stays for some requests.
 */
function window(said: Said[], profile: Profile, budget: number): (count: number) => number {
  let first = 1;
  return (count) => {
    const cost = () =>
      said.slice(first, count).reduce((sum, { tokens }) => sum + profile.textTokens(tokens), 0);
    if (cost() > budget) while (cost() > 0.75 * budget) first++;
    return first;
  };
}

const truncated: Strategy = (said, profile) => {
  const first = window(said, profile, BUDGET);
  return (count) => ({
    items: [said[0] as Said, ...said.slice(first(count), count)].map(live),
    stable: 1,
    overBudget: false,
  });
};

const wordsOf = (text: string) => new Set(text.toLowerCase().match(/[\p{L}\p{N}][\p{L}\p{N}-]*/gu));

/**
 * The newest messages in half of the budget, and before the last one those older ones that share its rarest words.
 */
const retrieved: Strategy = (said, profile) => {
  const words = said.map(({ text }) => wordsOf(text));
  const first = window(said, profile, BUDGET / 2);
  return (count) => {
    const from = first(count);
    const recent = said.slice(from, count);
    let left = BUDGET - recent.reduce((sum, { tokens }) => sum + profile.textTokens(tokens), 0);
    const last = recent.at(-1) as Said;
    const found = similar(words.slice(0, from), words[count - 1] as Set<string>)
      .map((i) => said[i] as Said)
      .filter(({ tokens }) => {
        left -= profile.textTokens(tokens);
        return left >= 0;
      })
      .sort((a, b) => a.number - b.number);
    const items = [said[0] as Said, ...recent.slice(0, -1), ...found, last].map(live);
    return { items, stable: recent.length, overBudget: false };
  };
};

/**
 * Indices of the texts that share words with a question, the best first; rare words count more. The first is left
 * out.
 */
function similar(texts: Set<string>[], asked: Set<string>): number[] {
  const scores = texts.map(() => 0);
  for (const word of asked) {
    const having = texts.flatMap((set, i) => (set.has(word) ? [i] : []));
    for (const i of having)
      scores[i] = (scores[i] as number) + Math.log(texts.length / having.length);
  }
  return scores
    .map((score, i) => ({ score, i }))
    .filter(({ score, i }) => score > 0 && i > 0)
    .sort((a, b) => b.score - a.score)
    .map(({ i }) => i);
}

interface Segment {
  said: Said[];
  index: string;
  state: SegmentState;
}

const memory =
  (budget: number | null): Strategy =>
  (said, profile) => {
    const segments: Segment[] = [];
    const sealed = new Set<number>();
    return (count) => {
      const seal = (all: boolean) => {
        const open = said.slice(0, count).filter(({ number }) => !sealed.has(number));
        for (const run of planSegments(open, { recent: RECENT, everything: all })) {
          segments.push(
            segmentOf(
              run.map((number) => said[number - 1] as Said),
              profile,
            ),
          );
          for (const number of run) sealed.add(number);
        }
        segments.sort((a, b) => (a.said[0] as Said).number - (b.said[0] as Said).number);
      };
      const plan = () => {
        const states = segments.map(({ state, said: own }) => ({
          ...state,
          age: count - (own.at(-1) as Said).number,
        }));
        const open = said.slice(0, count).filter(({ number }) => !sealed.has(number));
        const tokens = open.reduce((sum, one) => sum + profile.textTokens(one.tokens), 0);
        const policy = { budget, fade: null, maxImages: profile.limits.images };
        return planView(states, tokens, policy);
      };
      seal(false);
      let view = plan();
      if (view.overBudget !== null) {
        seal(true);
        view = plan();
      }
      segments.forEach((segment, i) => {
        segment.state.form = view.forms[i] as string;
      });
      return viewOf(said.slice(0, count), segments, sealed, view.overBudget !== null, profile);
    };
  };

function segmentOf(said: Said[], profile: Profile): Segment {
  const index = indexLine(said);
  const textTokens = said.reduce((sum, { tokens }) => sum + tokens, 0);
  const indexTokens = profile.textTokens(estimate(index) + FRAME);
  const state: SegmentState = {
    id: `seg_${said[0]?.number}`,
    textTokens: profile.textTokens(textTokens),
    indexTokens,
    age: 0,
    importance: 0,
    form: "text",
    candidates: profile.forms.map((form) => {
      const { pages, imageTokens, tokens } = expectedCost(profile, form, textTokens);
      const precision = precisionCeiling(form, textTokens, imageTokens);
      return { form: form.id, tokens: tokens + indexTokens, precision, ready: true, images: pages };
    }),
  };
  return { said, index, state };
}

function viewOf(
  said: Said[],
  segments: Segment[],
  sealed: Set<number>,
  overBudget: boolean,
  profile: Profile,
): View {
  const items: (ViewItem & { order: number })[] = said
    .filter(({ number }) => !sealed.has(number))
    .map((one) => ({ ...live(one), order: one.number }));
  for (const segment of segments) {
    const order = (segment.said[0] as Said).number;
    if (segment.state.form === "text")
      items.push(...segment.said.map((one) => ({ ...live(one), order: one.number })));
    else items.push({ ...segmentItem(segment, profile), order });
  }
  items.sort((a, b) => a.order - b.order);
  const stable = items.findLastIndex(({ type }) => type !== "message") + 1;
  return { items, stable, overBudget };
}

function segmentItem({ said, index, state }: Segment, profile: Profile): ViewItem {
  const [first, last] = [(said[0] as Said).number, (said.at(-1) as Said).number];
  const common = { segment: state.id, first, last };
  if (state.form === "index")
    return { type: "index", ...common, text: index, tokens: state.indexTokens };
  const form = profile.forms.find(({ id }) => id === state.form) as ImageForm;
  const { pages, imageTokens } = expectedCost(
    profile,
    form,
    said.reduce((sum, { tokens }) => sum + tokens, 0),
  );
  const full = form.tokens(form.page.width, form.page.height);
  const share = Math.ceil(said.length / pages);
  return {
    type: "image",
    ...common,
    form: form.id,
    tokens: imageTokens,
    index,
    sidecar: [],
    pages: Array.from({ length: pages }, (_, i) => ({
      url: `https://memory.test/${state.id}/${form.id}/${i + 1}.png`,
      width: form.page.width,
      height: form.page.height,
      tokens: i < pages - 1 ? full : imageTokens - full * (pages - 1),
      detail: form.detail,
      messages: said.slice(i * share, (i + 1) * share + 1),
    })),
  };
}

// What a list costs.

interface Unit {
  key: string;
  tokens: number;
  /** Whether a cache breakpoint follows (Anthropic). */
  breakpoint: boolean;
}

/** The blocks of a provider's list, in the order in which its cache sees them. */
function unitsOf(view: View, profile: Profile): Unit[] {
  const images = new Map<string, number>();
  for (const item of view.items)
    if (item.type === "image") for (const page of item.pages) images.set(page.url, page.tokens);
  const options = { stable: view.stable };
  const blocks = () => {
    if (profile.provider === "anthropic") {
      const { system, messages } = asAnthropic(view.items, options);
      return [
        ...system,
        ...messages.flatMap((message) => (message as { content: object[] }).content),
      ];
    }
    if (profile.provider === "gemini") {
      const { systemInstruction, contents } = asGemini(view.items, options);
      return [
        systemInstruction,
        ...contents.flatMap((content) => (content as { parts: object[] }).parts),
      ];
    }
    return asOpenAI(view.items, options);
  };
  return blocks().map((block) => {
    const { cache_control, ...rest } = block as Record<string, unknown>;
    const key = JSON.stringify(rest);
    return {
      key,
      tokens: tokensOf(rest, images, profile) + 1,
      breakpoint: cache_control !== undefined,
    };
  });
}

/** Of all texts and images in a block. */
function tokensOf(value: unknown, images: Map<string, number>, profile: Profile): number {
  if (typeof value === "string") return images.get(value) ?? profile.textTokens(estimate(value));
  if (typeof value !== "object" || value === null) return 0;
  return Object.entries(value)
    .filter(
      ([key]) => !["type", "role", "detail", "mimeType", "level", "thoughtSignature"].includes(key),
    )
    .reduce((sum, [, one]) => sum + tokensOf(one, images, profile), 0);
}

/** Tokens that the cache of the request before has. */
function cachedTokens(units: Unit[], before: Unit[], { cache }: Profile): number {
  let [tokens, cached] = [0, 0];
  for (let i = 0; i < Math.min(units.length, before.length); i++) {
    if (units[i]?.key !== before[i]?.key) break;
    tokens += (units[i] as Unit).tokens;
    if (cache.breakpoints === "automatic" || before[i]?.breakpoint) cached = tokens;
  }
  return cached >= cache.minTokens ? cached : 0;
}

interface Cost {
  requests: number;
  tokens: number;
  cached: number;
  /** Dollars. */
  uncachedPrice: number;
  cachedPrice: number;
  overBudget: number;
  /** Mean share of the older messages' tokens that the view shows, as text or image. */
  shown: number;
  probes: Record<"text" | "image" | "index" | "none", number>;
}

const noCost = (): Cost => ({
  requests: 0,
  tokens: 0,
  cached: 0,
  uncachedPrice: 0,
  cachedPrice: 0,
  overBudget: 0,
  shown: 0,
  probes: { text: 0, image: 0, index: 0, none: 0 },
});

/** A request is sent for each message of the user. */
function session(
  talk: Conversation,
  said: Said[],
  profile: Profile,
  strategy: Strategy,
  cost: Cost,
): void {
  const view = strategy(said, profile);
  let before: Unit[] = [];
  for (const { number, role } of said) {
    if (role !== "user") continue;
    const now = view(number);
    const units = unitsOf(now, profile);
    const tokens = units.reduce((sum, one) => sum + one.tokens, 0);
    const cached = cachedTokens(units, before, profile);
    before = units;
    const { input, cachedInput, cacheWrite } = profile.prices ?? {
      input: 0,
      cachedInput: 0,
      cacheWrite: 0,
    };
    cost.requests++;
    cost.tokens += tokens;
    cost.cached += cached;
    cost.uncachedPrice += (tokens * input) / 1e6;
    cost.cachedPrice += (cached * cachedInput + (tokens - cached) * cacheWrite) / 1e6;
    cost.overBudget += now.overBudget ? 1 : 0;
    cost.shown += shownShare(now.items, said.slice(0, number));
    for (const { asks, about, answer } of talk.probes)
      if (asks === number - 1) cost.probes[whereIs(now.items, about + 1, answer)]++;
  }
}

function shownShare(items: ViewItem[], said: Said[]): number {
  const shown = new Set<number>();
  for (const item of items) {
    if (item.type === "message") shown.add(item.number);
    if (item.type === "image") for (let n = item.first; n <= item.last; n++) shown.add(n);
  }
  const all = said.reduce((sum, { tokens }) => sum + tokens, 0);
  return said.reduce((sum, { number, tokens }) => sum + (shown.has(number) ? tokens : 0), 0) / all;
}

function whereIs(items: ViewItem[], number: number, answer: string): keyof Cost["probes"] {
  for (const item of items) {
    if (item.type === "message" && item.number === number) return "text";
    if (item.type === "message" || number < item.first || number > item.last) continue;
    const words = item.type === "image" ? imageTexts(item) : [indexText(item)];
    if (words.some((text) => text.includes(answer))) return "index";
    return item.type === "image" ? "image" : "none";
  }
  return "none";
}

// Reports.

const STRATEGIES: Record<string, Strategy> = {
  "all as text": everything,
  "memory, no budget": memory(null),
  "newest messages": truncated,
  retrieval: retrieved,
  memory: memory(BUDGET),
};

const SESSIONS = [
  "deepseek-ocr",
  "openai/gpt-4o",
  "openai/gpt-5",
  "openai/gpt-4o-mini",
  "openai/gpt-5-mini",
  "openai/gpt-6-sol",
  "anthropic/claude-sonnet-4.5",
  "anthropic/claude-opus-5",
  "gemini/gemini-2.5-flash",
  "gemini/gemini-3.8-flash",
].map((id) => findProfile(id) as Profile);

/** Pages of the earlier design, the same for all providers: [name, width, height, text tokens that it holds]. */
const EARLIER = [
  ["gundam", 1280, 1920, 3262],
  ["large", 1280, 1280, 2160],
] as const;

/** Without a `detail` a large page is sent in high resolution. */
function earlierCharge({ id, forms }: Profile): Charge {
  return id === "openai/gpt-4o-mini" ? tileTokens(2833, 5667).high : (forms[0] as ImageForm).tokens;
}

function geometries(): string[][] {
  return PROFILES.map((profile) => {
    const before = EARLIER.map(([mode, width, height, holds]) => {
      const tokens =
        profile.provider === "deepseek-ocr"
          ? validTokens(width, height, mode)
          : earlierCharge(profile)(width, height);
      return (profile.textTokens(holds) / tokens).toFixed(2);
    });
    const after = profile.forms.map((form) => {
      const { imageTokens } = expectedCost(profile, form, form.holds);
      return `${form.id} ${(profile.textTokens(form.holds) / imageTokens).toFixed(2)}`;
    });
    return [profile.id, ...before, after.join(", ")];
  });
}

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
const dollars = (price: number) => (price === 0 ? "–" : price.toFixed(price < 1 ? 3 : 2));

function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const talks = Array.from({ length: COUNT }, (_, i) => conversation(i));
const all = talks.map(saidOf);
const textTokens = all.map((said) => said.reduce((sum, { tokens }) => sum + tokens, 0));
const rows: string[][] = [];
const csv = [
  "profile,strategy,requests,tokens_a_request,cached_share,dollars_uncached,dollars_cached,shown,probes_text,probes_image,probes_index,probes_none,over_budget",
];
for (const profile of SESSIONS) {
  for (const [name, strategy] of Object.entries(STRATEGIES)) {
    const cost = noCost();
    talks.forEach((talk, i) => {
      session(talk, all[i] as Said[], profile, strategy, cost);
    });
    const { requests, probes } = cost;
    const asked = Object.values(probes).reduce((a, b) => a + b, 0);
    rows.push([
      profile.id,
      name,
      (cost.tokens / requests).toFixed(0),
      dollars(cost.uncachedPrice / COUNT),
      dollars(cost.cachedPrice / COUNT),
      percent(cost.cached / cost.tokens),
      percent(cost.shown / requests),
      [probes.text, probes.image, probes.index].map((count) => percent(count / asked)).join(" / "),
    ]);
    csv.push(
      [
        profile.id,
        `"${name}"`,
        requests,
        (cost.tokens / requests).toFixed(1),
        (cost.cached / cost.tokens).toFixed(4),
        (cost.uncachedPrice / COUNT).toFixed(5),
        (cost.cachedPrice / COUNT).toFixed(5),
        (cost.shown / requests).toFixed(4),
        probes.text,
        probes.image,
        probes.index,
        probes.none,
        cost.overBudget,
      ].join(","),
    );
    console.log((rows.at(-1) as string[]).join(" | "));
  }
}

const median = (values: number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const folder = join(import.meta.dirname, "../docs/memory");
const report = `# What a memory costs

Made by \`npm run bench -- memory --conversations ${COUNT} --budget ${BUDGET}\`; all rows are in [costs.csv](costs.csv).
No provider was called: tokens of images follow the rules of the profiles (\`src/edge/domain/memory/profiles.ts\`),
tokens of text are estimated, pages are predicted from what a full page holds and not rendered, and a prompt cache
matches prefixes of the real lists and never expires. Output tokens are not counted, nor is making the pages.
[The lab notes](../research/MEMORY.md) say what follows.

## Text tokens for each image token, on full pages

\`gundam\` (1280 × 1920) and \`large\` (1280 × 1280) are the pages of the earlier design, in type of 14 pixels, the same for
all providers. OpenAI and older Claude models scale such a page down before they read it, so its letters arrive smaller.
The forms after them are those of each profile, the clearest first, with the size of type in their names; pages have the
size that the model sees. At 1.00 an image costs as much as its text.

${table(["profile", "gundam", "large", "forms"], geometries())}

## Live sessions

${COUNT} generated conversations (\`bench/memory/conversations.ts\`: English and German, tools, code, tables, ids) of
${Math.min(...textTokens)} to ${Math.max(...textTokens)} text tokens, median ${median(textTokens)}. Each message of the user is a request. *newest messages*, *retrieval*
and *memory* have a budget of ${BUDGET} tokens. Dollars are for one conversation. *Shown*: the share of the conversation
so far that a request holds as text or image. *Answers*: questions about an amount that was said more than 60 messages
before; the share whose answer stands in the request as text / on an image / on an index line.

${table(["profile", "strategy", "tokens a request", "$ uncached", "$ cached", "from the cache", "shown", "answers"], rows)}

${readBack(folder)}`;
writeFileSync(join(folder, "costs.md"), report);
writeFileSync(join(folder, "costs.csv"), `${csv.join("\n")}\n`);
