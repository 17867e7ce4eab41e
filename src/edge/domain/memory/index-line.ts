/** One line that says what a segment contains, for a view that no longer shows it. */
import { exactTerms } from "./exact-terms.ts";
import { estimateTextTokens } from "./text-tokens.ts";

/** Most tokens of a line. */
export const INDEX_TOKENS = 60;
/** Longest term on it, in characters. */
const MAX_TERM = 48;

interface Indexed {
  number: number;
  role: string;
  text: string;
  /** Milliseconds since 1970. */
  at: number;
}

/**
 * @returns a line such as `12–40, 2026-11-02 to 2026-11-03, 9 user, 10 assistant: ORD-5512, €1,284.55, Ines
 * Halloran`
 */
export function indexLine(messages: Indexed[]): string {
  const head = [numbers(messages), days(messages), roles(messages)].join(", ");
  let line = head;
  let tokens = estimateTextTokens(head);
  for (const term of ranked(messages)) {
    const more = `${line === head ? ": " : ", "}${term}`;
    tokens += estimateTextTokens(more);
    if (tokens > INDEX_TOKENS) break;
    line += more;
  }
  return line;
}

function numbers(messages: Indexed[]): string {
  const [first, last] = [messages[0]?.number ?? 0, messages.at(-1)?.number ?? 0];
  return first === last ? `${first}` : `${first}–${last}`;
}

function days(messages: Indexed[]): string {
  const times = messages.map(({ at }) => at);
  const day = (at: number) => new Date(at).toISOString().slice(0, 10);
  const [from, to] = [day(least(times)), day(-least(times.map((at) => -at)))];
  return from === to ? from : `${from} to ${to}`;
}

const least = (values: number[]) => values.reduce((a, b) => Math.min(a, b), values[0] ?? 0);

function roles(messages: Indexed[]): string {
  const counts = new Map<string, number>();
  for (const { role } of messages) counts.set(role, (counts.get(role) ?? 0) + 1);
  return [...counts].map(([role, count]) => `${count} ${role}`).join(", ");
}

/** Ids first, then names and amounts, then other numbers; those that stand in more messages before others. */
function ranked(messages: Indexed[]): string[] {
  const counts = new Map<string, number>();
  for (const { text } of messages)
    for (const term of exactTerms(text)) counts.set(term, (counts.get(term) ?? 0) + 1);
  return [...counts]
    .filter(([term]) => term.length <= MAX_TERM && !/[[\]{}]/.test(term))
    .map(([term, count], i) => ({ term, i, worth: worth(term) + Math.min(count, 5) / 2 }))
    .sort((a, b) => b.worth - a.worth || a.i - b.i)
    .map(({ term }) => term);
}

function worth(term: string): number {
  if (/[A-Z]/.test(term) && /\d/.test(term)) return 5;
  if (/^\p{Lu}\p{Ll}.* /u.test(term) || term.includes("@")) return 4;
  if (/^[€$£¥₹￥A-Z]/.test(term) || /^https?:/.test(term)) return 3;
  if (/^\d{4,}$/.test(term)) return 3;
  return /^\d+$/.test(term) ? 0 : 2;
}
