/**
 * Which messages are sealed into a segment. A segment never changes, so that its renders and the prompt's prefix
 * stay.
 */
import type { Role } from "./chat-message.ts";

/** Text tokens of a segment: some pages of each profile, and few enough to render and verify at once. */
export const SEGMENT_TOKENS = 3600;
/** A run that cannot grow, because a pinned message follows, is sealed from this size. */
export const CLOSED_TOKENS = 900;
/**
 * Under the pressure of a budget a run is sealed from this size. A smaller one costs about as much as its index
 * line.
 */
export const PRESSED_TOKENS = 160;

export interface Sealable {
  number: number;
  tokens: number;
  pinned: boolean;
  /** Ids of its tool calls. */
  calls: string[];
  /** Ids of the calls that it answers. */
  results: string[];
  /** Milliseconds since 1970. */
  at: number;
  role: Role;
}

/**
 * Runs of messages to seal now, oldest first. Never the `recent` newest, never pinned ones, never between a call and
 * its result.
 * @param messages those that are not in a segment, in order
 * @returns the messages' numbers
 */
export function planSegments(
  messages: Sealable[],
  { recent, everything }: { recent: number; everything: boolean },
): number[][] {
  const apart = withTheirCalls(messages);
  const runs: number[][] = [];
  const oldest = messages.slice(0, Math.max(0, messages.length - recent));
  const groups = oldest.length === 0 ? [] : unbroken(messages, oldest.length);
  let run: Sealable[] = [];
  let tokens = 0;
  const close = (least: number) => {
    if (run.length > 0 && tokens >= least) runs.push(run.map(({ number }) => number));
    run = [];
    tokens = 0;
  };
  for (const group of groups) {
    const [first] = group;
    const before = run.at(-1);
    // A pinned message or a segment lies between.
    const gap = before !== undefined && first !== undefined && first.number !== before.number + 1;
    if (gap || group.some(({ number }) => apart.has(number)))
      close(everything ? PRESSED_TOKENS : CLOSED_TOKENS);
    if (group.some(({ number }) => apart.has(number))) continue;
    const more = group.reduce((sum, message) => sum + message.tokens, 0);
    if (tokens > 0 && tokens + more > SEGMENT_TOKENS) close(0);
    run.push(...group);
    tokens += more;
  }
  close(everything ? PRESSED_TOKENS : SEGMENT_TOKENS);
  return runs;
}

/** Numbers of the pinned messages, and of the calls and results that belong to them. */
function withTheirCalls(messages: Sealable[]): Set<number> {
  const pinned = messages.filter((message) => message.pinned);
  const ids = new Set(pinned.flatMap(({ calls, results }) => [...calls, ...results]));
  const tied = ({ calls, results }: Sealable) => [...calls, ...results].some((id) => ids.has(id));
  return new Set(
    messages.filter((message) => message.pinned || tied(message)).map(({ number }) => number),
  );
}

/**
 * The first messages in groups that must stay together: a call with everything up to its last result. A group that
 * would reach beyond the first `count` messages is left out. A call waits for its result as long as only tools have
 * spoken since.
 */
function unbroken(messages: Sealable[], count: number): Sealable[][] {
  const resultAt = new Map<string, number>();
  messages.forEach(({ results }, i) => {
    for (const id of results) resultAt.set(id, i);
  });
  const lastSpeaker = messages.findLastIndex(({ role }) => role !== "tool");
  const groups: Sealable[][] = [];
  let group: Sealable[] = [];
  let until = -1;
  for (let i = 0; i < count; i++) {
    const message = messages[i] as Sealable;
    group.push(message);
    for (const id of message.calls) {
      const answered = resultAt.get(id);
      if (answered !== undefined) until = Math.max(until, answered);
      else if (lastSpeaker <= i) until = messages.length;
    }
    if (i < until) continue;
    groups.push(group);
    group = [];
  }
  return groups;
}
