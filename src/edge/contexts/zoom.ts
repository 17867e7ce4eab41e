/** A segment, closer: its texts, or its pages in a form of one's choice. */
import type { Env } from "../bindings.ts";
import type { ChatMessage } from "../domain/memory/chat-message.ts";
import type { ImageForm, Profile } from "../domain/memory/profiles.ts";
import { Problem } from "../problem.ts";
import { wakeContext } from "../signals/wake-context.ts";
import { type Context, endLease, takeLease } from "../storage/memory/contexts.ts";
import { type Message, messagesOfSegment } from "../storage/memory/messages.ts";
import { type Render, rendersOf, type Segment } from "../storage/memory/segments.ts";
import { demandProfile } from "./create.ts";
import { advanceRender, beginRender } from "./render.ts";
import { LEASE_MS } from "./seal.ts";
import { contentsOf } from "./texts.ts";
import { stepOver } from "./wait.ts";

/** The messages of a segment with their texts; `null` where a text is erased. */
export async function openSegment(
  env: Env,
  context: Context,
  segment: Segment,
): Promise<{ message: Message; content: ChatMessage | null }[]> {
  const messages = await messagesOfSegment(env.DB, segment.id);
  const texts = await contentsOf(env, context, messages, [segment]);
  return messages.map((message) => ({ message, content: texts.get(message.number) ?? null }));
}

/**
 * The pages of a segment in a form, which are made if they do not exist.
 * @returns a render that is not `ready` if that takes longer than `waitMs`
 * @throws Problem `unknown-profile`, `unknown-form`, or `text-erased` if they do not exist and cannot be made
 */
export async function zoomSegment(
  env: Env,
  context: Context,
  segment: Segment,
  { profile: profileId, form: formId }: { profile: string; form: string },
  waitMs: number,
): Promise<Render> {
  const profile = demandProfile(profileId);
  const known = (await rendersOf(env.DB, segment.id)).filter((one) => one.profile === profile.id);
  const form = profile.forms.find(({ id }) => id === formId);
  const made = known.find((one) => one.form === formId);
  if (made?.state === "ready") return made;
  if (!form) {
    const forms = [...new Set([...profile.forms.map(({ id }) => id), ...known.map((r) => r.form)])];
    throw new Problem("unknown-form", `Choose one of ${forms.join(", ")}, or text.`);
  }
  if (segment.erased)
    throw new Problem(
      "text-erased",
      "The segment's texts are erased, so that no other image of it can be made.",
    );
  if (made?.state === "failed")
    throw new Problem("document-unread", made.error?.message ?? "The image could not be made.");
  if (!made) await beginRender(env, context, segment, profile, form);
  wakeContext(env, context.id);
  const until = Date.now() + waitMs;
  for (;;) {
    const step = await advance(env, context, segment, form, profile);
    const render = step?.render ?? (await renderIn(env, segment, profile, formId));
    if (!render) throw new Problem("gone", "The segment was deleted.");
    // Whether a reader can read it is not of interest here.
    if (render.state !== "making" || Date.now() >= until) return render;
    if (!(await stepOver(env, context.tenantId, step, until))) return render;
  }
}

const renderIn = async (env: Env, segment: Segment, profile: Profile, form: string) =>
  (await rendersOf(env.DB, segment.id)).find(
    (one) => one.profile === profile.id && one.form === form,
  );

/**
 * One step of this render alone: the context's driver ages the rest.
 * @returns `null` if another invocation works on the context
 */
async function advance(
  env: Env,
  context: Context,
  segment: Segment,
  form: ImageForm,
  profile: Profile,
): Promise<{ render: Render | undefined; jobs: string[] } | null> {
  const lease = await takeLease(env.DB, context.id, Date.now(), LEASE_MS);
  if (!lease) return null;
  try {
    const render = await renderIn(env, segment, profile, form.id);
    const jobs = render ? await advanceRender(env, context, segment, form, render) : [];
    return { render, jobs };
  } finally {
    const { error, agedAt } = context;
    await endLease(env.DB, context.id, lease, { dueAt: Date.now(), error, agedAt });
  }
}
