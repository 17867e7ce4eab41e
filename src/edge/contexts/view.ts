/** A context as it is sent to a model: what it contains, in order, and what that costs. */
import type { Env } from "../bindings.ts";
import { base64 } from "../domain/encoding.ts";
import type { ViewItem } from "../domain/memory/as-messages.ts";
import type { Part } from "../domain/memory/chat-message.ts";
import type { Profile } from "../domain/memory/profiles.ts";
import { Problem } from "../problem.ts";
import { imageUrl } from "../security/image-url.ts";
import { settings } from "../settings.ts";
import { wakeContext } from "../signals/wake-context.ts";
import { filePath } from "../storage/files.ts";
import type { Context } from "../storage/memory/contexts.ts";
import { type Message, selectPinned, toUnsealedRows } from "../storage/memory/messages.ts";
import {
  beginView,
  type Contents,
  type Render,
  type Segment,
  viewContents,
} from "../storage/memory/segments.ts";
import type { Summary } from "../storage/memory/summaries.ts";
import { demandProfile, priced } from "./create.ts";
import { contentsOf } from "./texts.ts";

/** Profiles of one context for which images are made. */
const MOST_PROFILES = 4;
/**
 * Segments whose texts a view reads from R2, the newest. Older ones are index lines until the next step of ageing, which
 * makes more than a million tokens of text smaller.
 */
const MOST_TEXTS = 300;
/** Of page images in a view as `data:` URLs, which are in memory together. */
export const MAX_DATA_MEGAPIXELS = 150;

type ImagePart = Extract<Part, { type: "image" }>;

export type ImageLinks = "url" | "data" | "none";

export interface ContextTokens {
  total: number;
  /** Of messages that are text. Estimated, as `index`. */
  text: number;
  /** Of images, with what is written beside them. */
  vision: number;
  /** Of the lines of segments that are left out. */
  index: number;
  /** Of summaries. Estimated. */
  summary: number;
  /** Tokens of all messages as text. Estimated. */
  as_text: number;
}

export interface ShownContext {
  profile: Profile;
  items: ViewItem[];
  /** Leading items that stay as they are until segments are sealed or become fainter. */
  stable: number;
  tokens: ContextTokens;
  /** Segments that are left out altogether, to meet the budget. */
  hidden: number;
  /** Why the view is larger than the budget; `null` if it is not. */
  overBudget: string | null;
}

/**
 * @param profileId the context's own, or another: its images are made from now on
 * @throws Problem `unknown-profile`, or `invalid-request` if there are too many profiles, or too many pages for `data`
 */
export async function showContext(
  env: Env,
  context: Context,
  profileId: string,
  images: ImageLinks,
): Promise<ShownContext> {
  const profile = priced(env, demandProfile(profileId));
  const [state, pinnedRows] = await Promise.all([
    viewContents(env.DB, { id: context.id, profile: profile.id }),
    selectPinned(env.DB, context.id).all(),
  ]);
  if (state.views.length === 0 && profile.id !== context.profile)
    await begin(env, context, profile);
  const pinned = toUnsealedRows(pinnedRows);
  const shown = new Map(state.renders.map((render) => [render.segmentId, render]));
  checkPages([...shown.values()], images);
  const all = await itemsOf(env, context, profile, state, pinned, shown, images);
  const items = withinImages(all, profile.limits.images);
  const tokens = tokensOf(profile, state, items);
  return {
    profile,
    items,
    stable: items.findLastIndex((item) => isSealed(item, state)) + 1,
    tokens,
    hidden: Object.values(state.views[0]?.forms ?? {}).filter((form) => form === "none").length,
    overBudget: overBudget(context, state, tokens.total),
  };
}

async function begin(env: Env, context: Context, profile: Profile): Promise<void> {
  const isBegun = await beginView(env.DB, context.id, profile.id, MOST_PROFILES, Date.now());
  if (isBegun) return wakeContext(env, context.id);
  throw new Problem(
    "invalid-request",
    `profile: a context has images for at most ${MOST_PROFILES} profiles.`,
  );
}

function checkPages(renders: Render[], images: ImageLinks): void {
  if (images !== "data") return;
  const pages = renders.flatMap((render) => render.pages);
  const megapixels = pages.reduce((sum, { width, height }) => sum + (width * height) / 1e6, 0);
  if (megapixels > MAX_DATA_MEGAPIXELS)
    throw new Problem(
      "invalid-request",
      `images: ${pages.length} pages of ${Math.round(megapixels)} megapixels are too many for \`data\`: use \`url\`.`,
    );
}

async function itemsOf(
  env: Env,
  context: Context,
  profile: Profile,
  { unsealed, segments, views, summaries }: Contents,
  pinned: Message[],
  shown: Map<string, Render>,
  images: ImageLinks,
): Promise<ViewItem[]> {
  const forms = views[0]?.forms ?? {};
  const written = new Map(summaries.map((summary) => [summary.segmentId, summary]));
  const isText = ({ id, erased }: Segment) =>
    forms[id] === "summary"
      ? !written.get(id)?.text && !erased
      : !shown.has(id) && forms[id] !== "index" && forms[id] !== "none";
  const asText = segments.filter(isText).slice(-MOST_TEXTS);
  const texts = await contentsOf(env, context, [...unsealed, ...pinned], segments);
  const sealed = await textsOfSegments(env, context, asText);
  const message = (number: number, tokens: number, of: typeof texts): ViewItem | [] => {
    const content = of.get(number);
    return content ? { type: "message", number, message: content, tokens } : [];
  };
  const items: ViewItem[] = [
    ...unsealed.flatMap((one) => message(one.number, profile.textTokens(one.textTokens), texts)),
    ...(await Promise.all(
      segments.map(async (segment): Promise<ViewItem[]> => {
        const render = shown.get(segment.id);
        if (render) return [await imageItem(env, context, profile, segment, render, images)];
        if (forms[segment.id] === "none") return [];
        const summary = forms[segment.id] === "summary" ? written.get(segment.id) : undefined;
        if (summary?.text) return [summaryItem(profile, segment, summary)];
        const own = sealed.get(segment.id);
        if (!own) return [indexItem(profile, segment)];
        const each = profile.textTokens(segment.textTokens) / (own.size || 1);
        return [...own.keys()].flatMap((number) => message(number, Math.round(each), own));
      }),
    ).then((all) => all.flat())),
    ...pinned
      .filter(({ segmentId }) => !asText.some(({ id }) => id === segmentId))
      .flatMap((one) => message(one.number, profile.textTokens(one.textTokens), texts)),
  ];
  return items.sort((a, b) => placeOf(a) - placeOf(b));
}

/** Images in messages that are too many for the provider, beside the pages, are named only, the oldest first. */
function withinImages(items: ViewItem[], limit: number): ViewItem[] {
  const pages = items.reduce((sum, one) => sum + (one.type === "image" ? one.pages.length : 0), 0);
  let left = Math.max(0, limit - pages);
  const named = items.toReversed().map((item): ViewItem => {
    if (item.type !== "message" || !item.message.parts.some(isSent)) return item;
    const parts = item.message.parts
      .toReversed()
      .map((part) => (isSent(part) && left-- <= 0 ? { ...part, url: null } : part))
      .reverse();
    return { ...item, message: { ...item.message, parts } };
  });
  return named.reverse();
}

const isSent = (part: Part): part is ImagePart => part.type === "image" && part.url !== null;

async function textsOfSegments(env: Env, context: Context, segments: Segment[]) {
  const found = new Map<string, Awaited<ReturnType<typeof contentsOf>>>();
  const AT_ONCE = 24;
  for (let i = 0; i < segments.length; i += AT_ONCE)
    await Promise.all(
      segments.slice(i, i + AT_ONCE).map(async (segment) => {
        const row = { number: segment.first, segmentId: segment.id, erased: segment.erased };
        found.set(segment.id, await contentsOf(env, context, [row as Message], [segment]));
      }),
    );
  return found;
}

/** Messages and segments have the places of their first messages; an image comes before a pinned message that is in it. */
const placeOf = (item: ViewItem) => (item.type === "message" ? item.number : item.first - 0.5);

const isSealed = (item: ViewItem, { segments }: Contents) =>
  item.type !== "message" ||
  segments.some(({ first, last }) => first <= item.number && item.number <= last);

function indexItem(profile: Profile, segment: Segment): ViewItem {
  const { id, first, last, indexLine, indexTokens } = segment;
  const tokens = profile.textTokens(indexTokens);
  return { type: "index", segment: id, first, last, text: indexLine, tokens };
}

function summaryItem(profile: Profile, { id, first, last }: Segment, summary: Summary): ViewItem {
  const { text, model, tokens } = summary;
  return {
    type: "summary",
    segment: id,
    first,
    last,
    text: text ?? "",
    model: model ?? "",
    tokens: profile.textTokens(tokens),
  };
}

async function imageItem(
  env: Env,
  context: Context,
  profile: Profile,
  segment: Segment,
  render: Render,
  images: ImageLinks,
): Promise<ViewItem> {
  const urls = await Promise.all(
    render.pages.map((_, i) => pageUrl(env, context, render, i + 1, images)),
  );
  return {
    type: "image",
    segment: segment.id,
    form: render.form,
    first: segment.first,
    last: segment.last,
    tokens: render.tokens + profile.textTokens(segment.indexTokens),
    index: segment.indexLine,
    sidecar: render.sidecar,
    pages: render.pages.map(({ width, height, tokens, detail, messages }, i) => ({
      url: urls[i] ?? "",
      width,
      height,
      tokens,
      detail,
      messages,
    })),
  };
}

/** @param page from 1 */
export async function pageUrl(
  env: Env,
  context: Context,
  render: Render,
  page: number,
  images: ImageLinks,
): Promise<string> {
  const { PUBLIC_ORIGIN, SIGNING_SECRET } = settings(env);
  if (images === "none") return "";
  const place = { contextId: context.id, itemId: render.id, page };
  if (images === "url") return imageUrl(PUBLIC_ORIGIN, SIGNING_SECRET, place, Date.now());
  const id = render.pages[page - 1]?.fileId ?? "";
  const object = await env.BUCKET.get(filePath({ tenantId: context.tenantId, id }));
  return object ? `data:image/png;base64,${base64(await object.arrayBuffer())}` : "";
}

function tokensOf(profile: Profile, state: Contents, items: ViewItem[]): ContextTokens {
  const sum = (type: ViewItem["type"]) =>
    items.reduce((total, item) => total + (item.type === type ? item.tokens : 0), 0);
  const [text, vision] = [sum("message"), sum("image")];
  const [index, summary] = [sum("index"), sum("summary")];
  const asText = [...state.unsealed, ...state.segments].reduce(
    (total, { textTokens }) => total + profile.textTokens(textTokens),
    0,
  );
  const total = text + vision + index + summary;
  return { total, text, vision, index, summary, as_text: Math.round(asText) };
}

function overBudget({ tokenBudget }: Context, { views }: Contents, total: number): string | null {
  if (tokenBudget === null || total <= tokenBudget) return null;
  return (
    views[0]?.overBudget ??
    "Segments are being sealed, or their images or summaries made: ask again."
  );
}

/** Dollars for the tokens of a view; `null` if the profile is not priced by tokens. */
export function costOf({ prices }: Profile, tokens: ContextTokens) {
  if (!prices) return null;
  const dollars = (count: number, million: number) => (count * million) / 1_000_000;
  return {
    usd: dollars(tokens.total, prices.input),
    usd_cached: dollars(tokens.total, prices.cachedInput),
    usd_as_text: dollars(tokens.as_text, prices.input),
    usd_as_text_cached: dollars(tokens.as_text, prices.cachedInput),
  };
}
