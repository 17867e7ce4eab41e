/** A segment, closer: its texts, or its pages in a form of one's choice. */
import type { Env } from "../bindings.ts";
import type { ChatMessage } from "../domain/memory/chat-message.ts";
import { Problem } from "../problem.ts";
import type { Context } from "../storage/memory/contexts.ts";
import { type Message, messagesOfSegment } from "../storage/memory/messages.ts";
import { type Render, rendersOf, type Segment } from "../storage/memory/segments.ts";
import { age } from "./age.ts";
import { demandProfile } from "./create.ts";
import { beginRender } from "./render.ts";
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
  const until = Date.now() + waitMs;
  for (;;) {
    const step = await age(env, context, Date.now());
    const render = (await rendersOf(env.DB, segment.id)).find(
      (one) => one.profile === profile.id && one.form === formId,
    );
    if (!render) throw new Problem("gone", "The segment was deleted.");
    // Whether a reader can read it is not of interest here.
    if (render.state !== "making" || Date.now() >= until) return render;
    if (!(await stepOver(env, context.tenantId, step, until))) return render;
  }
}
