/** Which form a view should show of each segment: what the pure plan needs, from what is stored. */
import {
  expectedCost,
  type ImageForm,
  LABEL_TOKENS,
  type Profile,
  precisionCeiling,
} from "../domain/memory/profiles.ts";
import { SUMMARY_TOKENS } from "../domain/memory/summary.ts";
import { type Candidate, planView, type SegmentState } from "../domain/memory/view-plan.ts";
import type { Context } from "../storage/memory/contexts.ts";
import type { Contents, Render, Segment, View } from "../storage/memory/segments.ts";
import { summaryOf } from "./summarise.ts";

/** Tokens of a summary with its label, before it is made. */
const EXPECTED_SUMMARY = SUMMARY_TOKENS + LABEL_TOKENS;

/** Budget of a view whose context has none. No model takes more. */
export const MOST_TOKENS = 1_000_000;

/** Pages of an image: each takes some requests to make and to check. Only a message of great length has more. */
export const MOST_PAGES = 64;

/** A segment whose form is to change. */
export interface Change {
  segment: Segment;
  from: string;
  to: string;
  tokensBefore: number;
  /** Expected, until the images are made. */
  tokensAfter: number;
}

export interface Plan {
  changes: Change[];
  /** Of the whole view afterwards. */
  tokens: number;
  /** Why the view is larger than the budget even then. */
  overBudget: string | null;
}

/** @param at the time for which the plan is made, in Unix milliseconds */
export function planOf(
  context: Context,
  profile: Profile,
  contents: Contents,
  view: View,
  at: number,
): Plan {
  const { unsealed, segments, renders } = contents;
  const own = new Map<string, Render[]>();
  for (const render of renders)
    if (render.profile === profile.id)
      own.set(render.segmentId, [...(own.get(render.segmentId) ?? []), render]);
  const rounds = roundsAfter(segments, unsealed.filter(({ role }) => role === "user").length);
  const states = segments.map((segment, i): SegmentState => {
    const seconds = Math.max(0, (at - segment.newestAt) / 1000);
    const summary = summaryOf(context, contents, segment);
    return {
      id: segment.id,
      textTokens: profile.textTokens(segment.textTokens),
      indexTokens: profile.textTokens(segment.indexTokens),
      summaryTokens: summary
        ? profile.textTokens(summary.text === null ? EXPECTED_SUMMARY : summary.tokens)
        : undefined,
      age: context.fade?.by === "rounds" ? (rounds[i] as number) : seconds,
      importance: segment.importance,
      form: shownForm(view.forms[segment.id], own.get(segment.id) ?? [], segment, summary !== null),
      candidates: candidatesOf(profile, segment, own.get(segment.id) ?? []),
    };
  });
  const live = unsealed.reduce((sum, { textTokens }) => sum + profile.textTokens(textTokens), 0);
  const policy = {
    budget: context.tokenBudget ?? MOST_TOKENS,
    fade: context.fade,
    maxImages: profile.limits.images,
    mayHide: true,
  };
  const { forms, tokens, overBudget } = planView(states, live, policy);
  const changes = states.flatMap((state, i): Change | [] => {
    const to = forms[i] as string;
    if (to === state.form) return [];
    return {
      segment: segments[i] as Segment,
      from: state.form,
      to,
      tokensBefore: tokensIn(state, state.form),
      tokensAfter: tokensIn(state, to),
    };
  });
  return { changes, tokens, overBudget };
}

/** Without its image or summary, a segment is text again, or the index line of erased text. */
function shownForm(
  form: string | undefined,
  renders: Render[],
  { erased }: Segment,
  hasSummary: boolean,
): string {
  if (form === undefined || form === "index" || form === "none") return form ?? "text";
  if (form === "summary") return hasSummary ? form : erased ? "index" : "text";
  return renders.some((one) => one.form === form && one.state === "ready") ? form : "text";
}

function tokensIn(state: SegmentState, form: string): number {
  if (form === "text") return state.textTokens;
  if (form === "index") return state.indexTokens;
  if (form === "none") return 0;
  if (form === "summary") return state.summaryTokens ?? 0;
  return state.candidates.find((candidate) => candidate.form === form)?.tokens ?? 0;
}

/** What can be shown of a segment: the images that exist, and those that could be made from its texts. */
function candidatesOf(profile: Profile, segment: Segment, renders: Render[]): Candidate[] {
  const index = profile.textTokens(segment.indexTokens);
  const possible = profile.forms.flatMap((form): Candidate | [] => {
    const render = renders.find((one) => one.form === form.id);
    if (render?.state === "ready") return readyCandidate(form, segment, render, index);
    if (render?.state === "failed" || segment.erased) return [];
    const { pages, imageTokens, tokens } = expectedCost(profile, form, segment.textTokens);
    if (pages > MOST_PAGES) return [];
    const precision = precisionCeiling(form, segment.textTokens, imageTokens);
    return { form: form.id, tokens: tokens + index, precision, ready: false, images: pages };
  });
  // Images of forms that the profile no longer has.
  const others = renders
    .filter(({ form, state }) => state === "ready" && !profile.forms.some(({ id }) => id === form))
    .map(({ form, tokens, precision, pages }) => ({
      form,
      tokens,
      precision,
      ready: true,
      images: pages.length,
    }));
  return [...possible, ...others];
}

/** A page recogniser reads pixels, a model sees few tokens: its precision is at most what was measured for such models. */
function readyCandidate(
  form: ImageForm,
  segment: Segment,
  render: Render,
  index: number,
): Candidate {
  const imageTokens = render.pages.reduce((sum, { tokens }) => sum + tokens, 0);
  const ceiling = precisionCeiling(form, segment.textTokens, imageTokens);
  return {
    form: form.id,
    tokens: render.tokens + index,
    precision: Math.min(render.precision ?? 1, ceiling),
    ready: true,
    images: render.pages.length,
  };
}

/** For each segment, the number of later messages of the role `user`. */
function roundsAfter(segments: Segment[], unsealed: number): number[] {
  let rounds = unsealed;
  return segments
    .toReversed()
    .map(({ users }) => {
      const after = rounds;
      rounds += users;
      return after;
    })
    .reverse();
}
