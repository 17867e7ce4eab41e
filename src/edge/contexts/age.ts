/**
 * One step of a context: seals messages, makes the images that its views need, lets the views show them, and erases texts
 * that are not to be kept. It can be interrupted after any write and run again.
 */
import type { Env } from "../bindings.ts";
import { firstWithin } from "../domain/first-within.ts";
import { expectedCost, findProfile, type Profile } from "../domain/memory/profiles.ts";
import { ageingSpeed } from "../domain/memory/view-plan.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import { type Context, endLease, takeLease } from "../storage/memory/contexts.ts";
import { messagesOfSegment } from "../storage/memory/messages.ts";
import {
  type Contents,
  contents,
  markSegmentErased,
  type Render,
  type Segment,
  saveView,
  type View,
} from "../storage/memory/segments.ts";
import { indexOf } from "../storage/memory/text-index.ts";
import { eraseOwnTexts, eraseSegmentTexts } from "../storage/memory/texts.ts";
import { type Change, MOST_PAGES, MOST_TOKENS, type Plan, planOf } from "./plan.ts";
import { advanceRender, beginRender, eraseRender } from "./render.ts";
import { LEASE_MS, SEAL_AT_ONCE, seal } from "./seal.ts";
import { summaryOf } from "./summarise.ts";

/**
 * The most images that one step begins or continues, and their pages, so that it stays within the subrequests of one
 * invocation.
 */
const AT_ONCE = 8;
const PAGES_AT_ONCE = MOST_PAGES;
/** The most segments whose texts one step erases. */
const ERASE_AT_ONCE = 40;
/** From so many times its budget on, a view changes at once what needs no image, and not when all images are made. */
const FAR_OVER = 2;
/** An image that no view shows stays as long: somebody may have asked for it. */
const KEPT_MS = 3_600_000;
/** Delay of the next step after a failure. */
const RETRY_MS = 10 * 60_000;
/** A form that has failed is tried again in the first step after this time. */
const RETRY_FORM_MS = 86_400_000;

export type { Change } from "./plan.ts";

export interface Step {
  /** What views show differently from now on. */
  changes: Change[];
  sealed: number;
  /** The jobs to wait for. */
  jobs: string[];
  /** Whether images or summaries are being made. */
  pending: boolean;
}

/**
 * @param at the time for which changes are due: now, or a later time that a client asks for
 * @returns `null` if another invocation has the lease
 */
export async function age(env: Env, context: Context, at: number): Promise<Step | null> {
  const lease = await takeLease(env.DB, context.id, Date.now(), LEASE_MS);
  if (!lease) return null;
  try {
    const { dueAt, error, ...step } = await turn(env, context, at);
    await endLease(env.DB, context.id, lease, { dueAt, error, agedAt: Date.now() });
    return step;
  } catch (fault) {
    const error = { code: "internal_error", message: "A step failed. It will be repeated." };
    const dueAt = Date.now() + RETRY_MS;
    await endLease(env.DB, context.id, lease, { dueAt, error, agedAt: Date.now() });
    throw fault;
  }
}

/** The changes that are due at a time in the context's own view. Changes nothing. */
export async function whatIf(env: Env, context: Context, at: number) {
  const state = await contents(env.DB, context.id);
  const profile = findProfile(context.profile) as Profile;
  return planOf(context, profile, state, viewOf(state.views, context.profile), at);
}

const viewOf = (views: View[], profile: string): View =>
  views.find((view) => view.profile === profile) ?? { profile, forms: {}, overBudget: null };

async function turn(env: Env, context: Context, at: number) {
  const state = await contents(env.DB, context.id);
  let sealed = await seal(env, context, state, false);
  const profiles = [...new Set([context.profile, ...state.views.map(({ profile }) => profile)])];
  if (isPressed(context, profiles, state, at)) sealed += await seal(env, context, state, true);
  const advanced = await advanceAll(env, context, state);
  const changes: Change[] = [];
  let begun = 0;
  /** Whether a view lacks images or summaries that the next step can begin. */
  let waiting = false;
  // Segments would make way for messages that the next step seals.
  for (const id of sealed < SEAL_AT_ONCE ? profiles : []) {
    const profile = findProfile(id);
    if (!profile) continue;
    const view = viewOf(state.views, id);
    const plan = planOf(context, profile, state, view, at);
    const missing = plan.changes.filter((change) => !isReady(state, profile, change));
    const images = missing.filter(({ to }) => to !== "summary");
    for (const change of images.slice(0, Math.max(0, AT_ONCE - advanced.open - begun))) {
      if (renderOf(state, profile, change)) continue;
      const form = profile.forms.find((one) => one.id === change.to);
      if (!form) continue;
      begun++;
      const render = await beginRender(env, context, change.segment, profile, form);
      state.renders.push(render);
      advanced.jobs.push(...(await advanceRender(env, context, change.segment, form, render)));
    }
    if (missing.length > 0) waiting = advanced.error === null;
    const shown = await changeView(env, context, state, view, plan, missing);
    if (id === context.profile) changes.push(...shown);
  }
  await eraseUnshown(env, context, state);
  const isMoreToErase = await eraseOldTexts(env, context, state);
  const pending = state.renders.some(isOpen);
  const error = advanced.error;
  const now = Date.now();
  const dueAt =
    error !== null
      ? now + RETRY_MS
      : pending || waiting || sealed > 0 || isMoreToErase
        ? now
        : nextStep(context, state, now);
  return { dueAt, error, changes, sealed, jobs: advanced.jobs, pending: pending || waiting };
}

/**
 * Changes a view as planned, as far as it can be shown.
 * @param missing changes whose image or summary is not made yet
 * @returns the changes that the view shows from now on
 */
async function changeView(
  env: Env,
  context: Context,
  state: Contents,
  view: View,
  plan: Plan,
  missing: Change[],
): Promise<Change[]> {
  const shown = changesNow(context, plan, missing);
  const overBudget = missing.length > 0 ? view.overBudget : plan.overBudget;
  if (shown.length === 0 && overBudget === view.overBudget) return [];
  const to = new Map(shown.map((change) => [change.segment.id, change.to]));
  const forms = Object.fromEntries(
    state.segments.flatMap(({ id }) => {
      const form = to.get(id) ?? view.forms[id] ?? "text";
      return form === "text" ? [] : [[id, form]];
    }),
  );
  Object.assign(view, { forms, overBudget });
  if (!state.views.includes(view)) state.views.push(view);
  await saveView(env.DB, context.id, view, Date.now());
  return shown;
}

/**
 * All changes of a plan are shown at once, so that a provider's prompt cache is broken once. A view that is far over its
 * budget does not wait for images with the changes that need none.
 */
function changesNow({ tokenBudget }: Context, plan: Plan, missing: Change[]): Change[] {
  if (missing.length === 0) return plan.changes;
  const now = plan.changes.reduce(
    (sum, { tokensBefore, tokensAfter }) => sum + tokensBefore - tokensAfter,
    plan.tokens,
  );
  if (now <= FAR_OVER * (tokenBudget ?? MOST_TOKENS)) return [];
  return plan.changes.filter(({ to }) => to === "index" || to === "none");
}

/** Whether a budget is exceeded, or only met by leaving segments out. */
function isPressed(context: Context, profiles: string[], state: Contents, at: number): boolean {
  return profiles.some((id) => {
    const profile = findProfile(id);
    if (!profile) return false;
    const plan = planOf(context, profile, state, viewOf(state.views, id), at);
    return plan.overBudget !== null || plan.changes.some(({ to }) => to === "none");
  });
}

const renderOf = ({ renders }: Contents, profile: Profile, { segment, to }: Change) =>
  renders.find(
    (render) =>
      render.profile === profile.id && render.segmentId === segment.id && render.form === to,
  );

function isReady(state: Contents, profile: Profile, change: Change): boolean {
  const { to, segment } = change;
  if (["text", "index", "none"].includes(to)) return true;
  if (to === "summary")
    return state.summaries.some(({ segmentId, text }) => segmentId === segment.id && text !== null);
  return renderOf(state, profile, change)?.state === "ready";
}

const isOpen = ({ state }: Render) => state === "making" || state === "checking";

/** Continues the renders that are not ready. */
async function advanceAll(env: Env, context: Context, state: Contents) {
  const jobs: string[] = [];
  let error: PageError | null = null;
  const open = state.renders.filter(isOpen);
  const chosen = firstWithin(open.slice(0, AT_ONCE), PAGES_AT_ONCE, (one) => pagesOf(one, state));
  for (const render of chosen) {
    const segment = state.segments.find(({ id }) => id === render.segmentId);
    const form = findProfile(render.profile)?.forms.find(({ id }) => id === render.form) ?? null;
    if (segment) jobs.push(...(await advanceRender(env, context, segment, form, render)));
    else await eraseRender(env, context, render);
    if (render.state === "failed") error = render.error;
  }
  return { jobs, error, open: open.filter(isOpen).length };
}

/** The pages of a render, as expected if they are not made yet. */
function pagesOf(render: Render, { segments }: Contents): number {
  if (render.pages.length > 0) return render.pages.length;
  const segment = segments.find(({ id }) => id === render.segmentId);
  const profile = findProfile(render.profile);
  const form = profile?.forms.find(({ id }) => id === render.form);
  return profile && form && segment ? expectedCost(profile, form, segment.textTokens).pages : 0;
}

/** Erases images that no view shows and that can be made again, and the records of those that have failed. */
async function eraseUnshown(env: Env, context: Context, state: Contents): Promise<void> {
  const shown = new Set(
    state.views.flatMap(({ profile, forms }) =>
      Object.entries(forms).map(([segment, form]) => `${profile} ${segment} ${form}`),
    ),
  );
  const isShown = ({ profile, segmentId, form }: Render) =>
    shown.has(`${profile} ${segmentId} ${form}`);
  const erased = new Set(state.segments.filter((one) => one.erased).map(({ id }) => id));
  const now = Date.now();
  const unshown = state.renders.filter((render) =>
    render.state === "failed"
      ? render.createdAt < now - RETRY_FORM_MS
      : render.state === "ready" &&
        render.createdAt < now - KEPT_MS &&
        !isShown(render) &&
        !erased.has(render.segmentId) &&
        isFainterShown(state, render),
  );
  for (const render of unshown.slice(0, AT_ONCE)) {
    await eraseRender(env, context, render);
    state.renders.splice(state.renders.indexOf(render), 1);
  }
}

/** Whether the view of the render's profile shows a fainter form of its segment: then it never shows this one again. */
function isFainterShown({ views }: Contents, render: Render): boolean {
  const forms = findProfile(render.profile)?.forms.map(({ id }) => id) ?? [];
  const shown = views.find(({ profile }) => profile === render.profile)?.forms[render.segmentId];
  if (shown === undefined) return false;
  return (
    ["summary", "index", "none"].includes(shown) ||
    forms.indexOf(shown) > forms.indexOf(render.form)
  );
}

/** When the text of a segment is to be erased; `null`: never, or not yet. */
function eraseAt(context: Context, { views, renders }: Contents, segment: Segment): number | null {
  if (context.eraseAfter === null || segment.erased) return null;
  const isImage = views.some(({ profile, forms }) =>
    renders.some(
      (render) =>
        render.profile === profile &&
        render.segmentId === segment.id &&
        render.form === forms[segment.id] &&
        render.state === "ready",
    ),
  );
  return isImage ? segment.newestAt + context.eraseAfter * 1000 : null;
}

/**
 * Erases the texts that the context no longer keeps, first from the index of the search.
 * @returns whether the next step has more to erase
 */
async function eraseOldTexts(env: Env, context: Context, state: Contents): Promise<boolean> {
  const now = Date.now();
  const due = state.segments.filter(
    (segment) => (eraseAt(context, state, segment) ?? Number.POSITIVE_INFINITY) <= now,
  );
  for (const segment of due.slice(0, ERASE_AT_ONCE)) {
    const numbers = (await messagesOfSegment(env.DB, segment.id)).map(({ number }) => number);
    await indexOf(env, context.id).remove(numbers);
    await eraseSegmentTexts(env.BUCKET, context, segment.first);
    await eraseOwnTexts(env.BUCKET, context, numbers);
    await markSegmentErased(env.DB, segment.id);
    segment.erased = true;
  }
  return due.length > ERASE_AT_ONCE;
}

/** When the next change, text to be erased, or summary is due. */
function nextStep(context: Context, state: Contents, now: number): number | null {
  const { fade } = context;
  const rungs = fade?.by === "time" ? fade.rungs : [];
  const turns = state.segments.flatMap((segment) => [
    ...rungs.map(
      ({ after }) => segment.newestAt + (after * 1000) / ageingSpeed(segment.importance),
    ),
    eraseAt(context, state, segment) ?? 0,
  ]);
  const asks = state.segments.flatMap((segment) => {
    const dueAt = summaryOf(context, state, segment)?.dueAt ?? null;
    return dueAt === null ? [] : Math.max(now, dueAt);
  });
  const later = [...turns.filter((time) => time > now), ...asks];
  return later.length > 0 ? later.reduce((a, b) => Math.min(a, b)) : null;
}
