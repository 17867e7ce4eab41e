/**
 * Messages as a document whose pages become images, and back: each begins with a heading of its number
 * and role, by which it is found on a page and in what was read from it.
 */
import { editDistance } from "./fidelity.ts";
import { estimateTextTokens } from "./text-tokens.ts";

export interface Entry {
  number: number;
  role: string;
}

const heading = ({ number, role }: Entry) => `## ${number} ${role}`;

/** A line of a message that looks like such a heading is escaped: it shows the same and is no heading. */
const HEADING_LIKE = /^(?=##[ \t]+\d+[ \t]+[a-z]+[ \t]*$)/gm;

export const memoryDocument = (messages: (Entry & { content: string })[]): string =>
  messages
    .map((message) => `${heading(message)}\n\n${message.content.replace(HEADING_LIKE, "\\")}\n`)
    .join("\n");

/**
 * Which messages are on each page, from the pages' own text.
 * @param entries in their order
 * @returns for each page the numbers of its first and last message; of all where headings are missing
 */
export function messagesOnPages(
  pages: string[],
  entries: Entry[],
): { first: number; last: number }[] {
  const number = (i: number) => (entries[i] as Entry).number;
  let begun = 0;
  const found = pages.map((text) => {
    const lines = text.split("\n").map((line) => line.trim());
    const next = (from: number) => {
      const entry = entries[begun];
      return entry ? lines.indexOf(heading(entry), from) : -1;
    };
    const goesOn = begun > 0 && next(0) !== lines.findIndex((line) => line !== "");
    const first = goesOn ? begun - 1 : begun;
    for (let line = next(0); line >= 0; line = next(line + 1)) begun++;
    const last = Math.max(first, begun - 1);
    return [first, last] as const;
  });
  if (begun < entries.length)
    return pages.map(() => ({ first: number(0), last: number(entries.length - 1) }));
  return found.map(([first, last]) => ({ first: number(first), last: number(last) }));
}

/**
 * A message's part of what was read from its pages. Headings may be misread: the line that is nearest
 * to the expected one is taken, if it is near enough.
 * @param all the messages on these pages, in order
 * @returns `null` when its place was not found
 */
export function findMessage(read: string, all: Entry[], wanted: number): string | null {
  const position = all.findIndex(({ number }) => number === wanted);
  if (position < 0) return null;
  const lines = all.reduce(onItsOwnLine, read).split("\n");
  const places = headingLines(lines, all);
  // What stands before the first heading belongs to a message that began on an earlier page.
  const start = position === 0 ? (places[0] ?? -1) : places[position];
  const end = position === all.length - 1 ? lines.length : places[position + 1];
  if (start == null || end == null) return null;
  return lines
    .slice(start + 1, end)
    .join("\n")
    .trim();
}

/** A heading that was read as the end of the paragraph above it, or as a part of one. */
function onItsOwnLine(read: string, { number, role }: Entry): string {
  const words = `#{0,6}[ \\t]*\\b${number}[ \\t]+${role}\\b`;
  const alone = new RegExp(`^[ \\t]*${words}[ \\t]*$`, "im");
  if (alone.test(read)) return read;
  const atEnd = new RegExp(`[ \\t]+(${words})[ \\t]*$`, "im");
  if (atEnd.test(read)) return read.replace(atEnd, "\n$1");
  return read.replace(new RegExp(`(^|[ \\t])(${words})[ \\t]`, "m"), "\n$2\n");
}

/** The line of each heading, in order; `null` where none is like it. */
function headingLines(lines: string[], all: Entry[]): (number | null)[] {
  const squeezed = lines.map((line) => Array.from(squeeze(line)));
  const exact = new Set(all.map((entry) => squeeze(heading(entry))));
  let from = 0;
  return all.map((entry) => {
    const expected = Array.from(squeeze(heading(entry)));
    let nearest = Math.floor(expected.length / 4) + 1;
    let best: number | null = null;
    for (let i = from; i < lines.length && nearest > 0; i++) {
      const line = squeezed[i] as string[];
      if (Math.abs(line.length - expected.length) >= nearest) continue;
      const distance = editDistance(line, expected);
      // A heading of another message is never a misreading of this one's.
      if (distance >= nearest || (distance > 0 && exact.has(line.join("")))) continue;
      best = i;
      nearest = distance;
    }
    if (best !== null) from = best + 1;
    return best;
  });
}

/** What is left of a heading however it is marked, spaced and capitalised. */
const squeeze = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

const HEADING_AT_END = /(?:^|\n)(## \d+ [a-z]+\n\n)$/;

/**
 * A text in parts of at most so many tokens, cut between lines, where it can be at a blank line; the
 * parts, one after the other, are the text.
 */
export function cutDocument(text: string, most: number): string[] {
  const parts: string[] = [];
  let part = "";
  let tokens = 0;
  const close = () => {
    if (part !== "") parts.push(part);
    part = "";
    tokens = 0;
  };
  for (const line of text.split(/(?<=\n)/).flatMap((line) => shortLines(line, most))) {
    const more = estimateTextTokens(line);
    if (tokens + more > most) {
      // Back to the last paragraph, unless that leaves the part half empty; a heading goes with its message.
      const gap = part.lastIndexOf("\n\n") + 2;
      const paragraph = gap > part.length / 2 ? part.slice(gap) : "";
      const heading = HEADING_AT_END.exec(part.slice(0, part.length - paragraph.length))?.[1] ?? "";
      const rest = part.length > heading.length + paragraph.length ? heading + paragraph : "";
      part = part.slice(0, part.length - rest.length);
      close();
      part = rest;
      tokens = estimateTextTokens(rest);
    }
    part += line;
    tokens += more;
  }
  close();
  return parts;
}

/** A line that is too long for any part, in pieces. */
function shortLines(line: string, most: number): string[] {
  const tokens = estimateTextTokens(line);
  if (tokens <= most) return [line];
  const middle = line.lastIndexOf(" ", line.length / 2) + 1 || Math.floor(line.length / 2);
  return [line.slice(0, middle), line.slice(middle)].flatMap((half) => shortLines(half, most));
}
