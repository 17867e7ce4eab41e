/** Makes a context of what another one has exported. */
import type { Env } from "../bindings.ts";
import type { Caller } from "../context.ts";
import { type ChatMessage, callsOf, resultsOf } from "../domain/memory/chat-message.ts";
import { invalidRequest } from "../problem.ts";
import { type Context, markContextDeleted } from "../storage/memory/contexts.ts";
import { addMessages, sizeFault } from "./add.ts";
import { createContext, type NewContext } from "./create.ts";
import { eraseContext } from "./erase.ts";

/** Messages that are stored at once. */
const AT_ONCE = 200;

export interface ImportedMessage {
  /** Line of the file, from 1, for faults. */
  line: number;
  number: number;
  /** `null`: its text is erased. */
  content: ChatMessage | null;
  pinned: boolean;
  importance: number;
  createdAt: number;
}

/**
 * Messages are numbered anew, in order. If one cannot be stored, the context is deleted again.
 * @returns the context, and the old numbers of messages without a text, which are left out
 * @throws Problem `invalid-request`
 */
export async function importContext(
  env: Env,
  caller: Caller,
  fields: NewContext,
  messages: ImportedMessage[],
): Promise<{ context: Context; skipped: number[] }> {
  check(messages);
  const context = await createContext(env, caller, fields);
  try {
    const kept = messages.flatMap(({ content, ...rest }) => (content ? { content, ...rest } : []));
    for (let i = 0; i < kept.length; i += AT_ONCE)
      await addMessages(env, context, kept.slice(i, i + AT_ONCE));
  } catch (fault) {
    await markContextDeleted(env.DB, context.id, Date.now());
    await eraseContext(env, context);
    throw fault;
  }
  const skipped = messages.filter(({ content }) => content === null).map(({ number }) => number);
  return { context, skipped };
}

/**
 * No message is too large, numbers rise, no call has the id of another, and a result does not come before its call.
 */
function check(messages: ImportedMessage[]): void {
  let before = 0;
  const called = new Set<string>();
  const all = new Set(messages.flatMap(({ content }) => (content ? callsOf(content) : [])));
  for (const { line, number, content } of messages) {
    const fault = (message: string) => invalidRequest([{ path: [`line ${line}`], message }]);
    if (number <= before) throw fault(`message ${number} does not follow message ${before}`);
    before = number;
    const large = content && sizeFault(content);
    if (large) throw fault(large);
    for (const id of content ? callsOf(content) : []) {
      if (called.has(id)) throw fault(`the tool call ${id} is there twice`);
      called.add(id);
    }
    for (const id of content ? resultsOf(content) : [])
      if (all.has(id) && !called.has(id))
        throw fault(`the result of the tool call ${id} comes before the call`);
  }
}
