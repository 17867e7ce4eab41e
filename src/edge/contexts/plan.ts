/** Which form a view should show of each segment: what the pure plan needs, from what is stored. */
import type { ImageForm, Profile } from "../domain/memory/profiles.ts";
import { type Candidate, planView, type SegmentState } from "../domain/memory/view-plan.ts";
import type { Context } from "../storage/memory/contexts.ts";
import type { Contents, Render, Segment, View } from "../storage/memory/segments.ts";

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
  { unsealed, segments, renders }: Contents,
  view: View,
  at: number,
): Plan {
  const own = new Map<string, Render[]>();
  for (const render of renders)
    if (render.profile === profile.id)
      own.set(render.segmentId, [...(own.get(render.segmentId) ?? []), render]);
  const rounds = roundsAfter(segments, unsealed.filter(({ role }) => role === "user").length);
  const states = segments.map((segment, i): SegmentState => {
    const seconds = Math.max(0, (at - segment.newestAt) / 1000);
    return {
      id: segment.id,
      textTokens: profile.textTokens(segment.textTokens),
      indexTokens: profile.textTokens(segment.indexTokens),
      age: context.fade?.by === "rounds" ? (rounds[i] as number) : seconds,
      importance: segment.importance,
      form: shownForm(view.forms[segment.id], own.get(segment.id) ?? []),
      candidates: candidatesOf(profile, segment, own.get(segment.id) ?? []),
    };
  });
  const live = unsealed.reduce((sum, { textTokens }) => sum + profile.textTokens(textTokens), 0);
  const policy = { budget: context.tokenBudget, fade: context.fade };
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

/** Without its image, a segment is text again. */
function shownForm(form: string | undefined, renders: Render[]): string {
  if (form === undefined || form === "index") return form ?? "text";
  return renders.some((one) => one.form === form && one.state === "ready") ? form : "text";
}

function tokensIn(state: SegmentState, form: string): number {
  if (form === "text") return state.textTokens;
  if (form === "index") return state.indexTokens;
  return state.candidates.find((candidate) => candidate.form === form)?.tokens ?? 0;
}

/** What can be shown of a segment: the images that exist, and those that could be made from its texts. */
function candidatesOf(profile: Profile, segment: Segment, renders: Render[]): Candidate[] {
  const possible = profile.forms.flatMap((form): Candidate | [] => {
    const render = renders.find((one) => one.form === form.id);
    if (render?.state === "failed" || (segment.erased && render?.state !== "ready")) return [];
    const index = profile.textTokens(segment.indexTokens);
    return render?.state === "ready"
      ? {
          form: form.id,
          tokens: render.tokens + index,
          precision: render.precision,
          ready: true,
        }
      : {
          form: form.id,
          tokens: expectedTokens(form, segment.textTokens) + index,
          precision: null,
          ready: false,
        };
  });
  // Images of forms that the profile no longer has.
  const others = renders
    .filter(({ form, state }) => state === "ready" && !profile.forms.some(({ id }) => id === form))
    .map(({ form, tokens, precision }) => ({ form, tokens, precision, ready: true }));
  return [...possible, ...others];
}

/** Tokens of the pages before they are made. @param textTokens of DeepSeek's tokenizer */
function expectedTokens({ page, holds, tokens }: ImageForm, textTokens: number): number {
  const full = Math.floor(textTokens / holds);
  const rest = textTokens - full * holds;
  const row = page.row ?? page.height;
  const height = Math.min(page.height, Math.ceil((page.height * rest) / holds / row) * row);
  return full * tokens(page.width, page.height) + (rest > 0 ? tokens(page.width, height) : 0);
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
