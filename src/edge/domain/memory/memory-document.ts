/**
 * Converts messages to a document whose pages become images, and finds them again in a reading. Each message
 * begins with a heading that contains its number and role.
 */
import { editDistance } from "./fidelity.ts";
import { estimateTextTokens } from "./text-tokens.ts";

export interface Entry {
  number: number;
  role: string;
}

const heading = ({ number, role }: Entry) => `## ${number} ${role}`;

/** Matches lines of a message that look like such a heading. They are escaped, which does not change how they look. */
const HEADING_LIKE = /^(?=##[ \t]+\d+[ \t]+[a-z]+[ \t]*$)/gm;

/** A message under its heading, which no line of its content can imitate. */
export const headed = (message: Entry & { content: string }): string =>
  `${heading(message)}\n\n${message.content.replace(HEADING_LIKE, "\\")}`;

export const memoryDocument = (messages: (Entry & { content: string })[]): string =>
  messages.map((message) => `${headed(message)}\n`).join("\n");

/**
 * Finds the messages of each page by the headings in its text.
 * @param entries in order
 * @returns the numbers of the first and last message of each page; if a heading is missing, those of all messages
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
 * Extracts a message from the reading of its pages. Headings may be misread, so the line that is most similar
 * to the expected heading is used, if it is similar enough.
 * @param all the messages on these pages, in order
 * @returns `null` if the message was not found
 */
export function findMessage(read: string, all: Entry[], wanted: number): string | null {
  const position = all.findIndex(({ number }) => number === wanted);
  if (position < 0) return null;
  const lines = all.reduce(onItsOwnLine, read).split("\n");
  const places = headingLines(lines, all);
  // Text before the first heading belongs to a message that began on an earlier page.
  const start = position === 0 ? (places[0] ?? -1) : places[position];
  const end = position === all.length - 1 ? lines.length : places[position + 1];
  if (start == null || end == null) return null;
  return lines
    .slice(start + 1, end)
    .join("\n")
    .trim();
}

/** Moves a heading to a line of its own if it was read as part of a paragraph. */
function onItsOwnLine(read: string, { number, role }: Entry): string {
  const words = `#{0,6}[ \\t]*\\b${number}[ \\t]+${role}\\b`;
  const alone = new RegExp(`^[ \\t]*${words}[ \\t]*$`, "im");
  if (alone.test(read)) return read;
  const atEnd = new RegExp(`[ \\t]+(${words})[ \\t]*$`, "im");
  if (atEnd.test(read)) return read.replace(atEnd, "\n$1");
  return read.replace(new RegExp(`(^|[ \\t])(${words})[ \\t]`, "m"), "\n$2\n");
}

/** The line of each heading, in order; `null` if no line is similar enough. */
function headingLines(lines: string[], all: Entry[]): (number | null)[] {
  const comparableLines = lines.map((line) => Array.from(comparable(line)));
  const exact = new Set(all.map((entry) => comparable(heading(entry))));
  let from = 0;
  return all.map((entry) => {
    const expected = Array.from(comparable(heading(entry)));
    let nearest = Math.floor(expected.length / 4) + 1;
    let best: number | null = null;
    for (let i = from; i < lines.length && nearest > 0; i++) {
      const line = comparableLines[i] as string[];
      if (Math.abs(line.length - expected.length) >= nearest) continue;
      const distance = editDistance(line, expected);
      // The exact heading of another message is not a misreading of this one.
      if (distance >= nearest || (distance > 0 && exact.has(line.join("")))) continue;
      best = i;
      nearest = distance;
    }
    if (best !== null) from = best + 1;
    return best;
  });
}

/** Reduces a heading to lower-case letters and digits, to compare it regardless of markup and spacing. */
const comparable = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

const HEADING_AT_END = /(?:^|\n)(## \d+ [a-z]+\n\n)$/;

/**
 * Cuts a text into parts of at most `most` tokens. It cuts between lines, preferably at a blank line. The
 * concatenated parts are the text.
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
      // Cut before the last paragraph, unless that leaves the part half empty. A heading stays with its message.
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

/** Cuts a line that is longer than a part. */
function shortLines(line: string, most: number): string[] {
  const tokens = estimateTextTokens(line);
  if (tokens <= most) return [line];
  const middle = line.lastIndexOf(" ", line.length / 2) + 1 || Math.floor(line.length / 2);
  return [line.slice(0, middle), line.slice(middle)].flatMap((half) => shortLines(half, most));
}
