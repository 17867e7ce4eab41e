/** The examples of the documentation: code blocks, the shell commands in them, and answers in JSON as the docs show them. */

/** Marks what the tests cannot run: it needs an account, a GPU, or programs and downloads that they do not have. */
const MARK = "†";

export interface Block {
  language: string;
  /** Of its first line of code, from 1. */
  line: number;
  text: string;
  /** Whether the paragraph before it has the mark. */
  marked: boolean;
  /** The heading above it. */
  heading: string;
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let heading = "";
  let paragraph = "";
  let open: Block | null = null;
  for (const [index, line] of markdown.split("\n").entries()) {
    const fence = /^\s*```(\w*)/.exec(line);
    if (fence && open) {
      blocks.push(open);
      open = null;
      paragraph = "";
    } else if (fence)
      open = {
        language: fence[1] ?? "",
        line: index + 2,
        text: "",
        marked: paragraph.includes(MARK),
        heading,
      };
    else if (open) open.text += `${line}\n`;
    else if (/^#+ /.test(line)) {
      heading = line;
      paragraph = "";
    } else if (line.trim() !== "") {
      if (/^$/.test(paragraph.split("\n").at(-1) ?? "")) paragraph = "";
      paragraph += line;
    } else if (paragraph !== "") paragraph += "\n";
  }
  return blocks;
}

export interface Statement {
  text: string;
  line: number;
  /** Of its comment, or of its block. */
  marked: boolean;
  /** What its comment says behind an arrow. */
  answer: string | null;
}

/** @param isComplete whether Bash takes a text as whole commands */
export function statementsOf(block: Block, isComplete: (text: string) => boolean): Statement[] {
  const statements: Statement[] = [];
  let text = "";
  let begun = block.line;
  for (const [index, line] of block.text.split("\n").slice(0, -1).entries()) {
    if (text === "") begun = block.line + index;
    text += `${line}\n`;
    if (/^(#.*)?$/.test(text.trim())) {
      text = "";
      continue;
    }
    const [code] = line.split(/\s#\s/);
    if ((code ?? "").trimEnd().endsWith("\\") || !isComplete(text)) continue;
    const comment = /\s#\s(.*)$/.exec(line)?.[1] ?? "";
    statements.push({
      text,
      line: begun,
      marked: block.marked || text.includes(MARK),
      answer: /→ (.*)$/.exec(comment)?.[1] ?? null,
    });
    text = "";
  }
  if (text.trim() !== "") throw new Error(`Line ${begun}: not a whole command:\n${text}`);
  return statements;
}

/** Stands for the members and elements that the docs leave out. */
const MORE = "…";

/** @returns the JSON that the docs show; what they leave out is a member or an element `…`. `null` if it is none */
export function shownJson(text: string): unknown {
  const start = text.search(/[{[]/);
  if (start < 0) return null;
  const strings: string[] = [];
  const bare = text
    .slice(start)
    .replace(/"(?:[^"\\]|\\.)*"/g, (string) => `"${strings.push(string) - 1}"`);
  const json = bare
    .replace(/\{…[^{}"]*\}/g, '{"…": 1}')
    .replace(/:\s*…(?=\s*[,}\]])/g, ': "…"')
    .replace(/,\s*…(?=\s*[}\]])/g, (_, at: number, whole: string) =>
      inArray(whole, at) ? ', "…"' : ', "…": 1',
    )
    .replace(/,\s*…(?=\s*")/g, ', "…": 1,')
    .replace(/,\s*…\s*$/, ', "…": 1')
    .replace(/"(\d+)"/g, (_, index) => strings[Number(index)] as string);
  for (const end of ["", "}", "]}", "}]}", "]}]}"])
    try {
      return JSON.parse(json + end);
    } catch {
      // An excerpt breaks off before its end.
    }
  return null;
}

/** Whether the innermost bracket that is open at a place is a square one. */
function inArray(text: string, at: number): boolean {
  const open: string[] = [];
  for (const sign of text.slice(0, at)) {
    if ("{[".includes(sign)) open.push(sign);
    if ("}]".includes(sign)) open.pop();
  }
  return open.at(-1) === "[";
}

/**
 * Compares members, not values. What is empty or `null` in the real answer says nothing about its members. Only JSON that
 * leaves nothing out has to show all members.
 * @returns what differs, such as `pages[].size: not in the answer`
 */
export const drift = (shown: unknown, real: unknown): string[] =>
  difference(shown, real, "", !leavesOut(shown));

/** Lists have elements of several types; an answer need not have them all. */
const isAlike = (shown: unknown, real: unknown) =>
  (shown as { type?: unknown }).type === (real as { type?: unknown } | null)?.type;

function leavesOut(shown: unknown): boolean {
  if (typeof shown !== "object" || shown === null) return shown === MORE;
  return MORE in shown || Object.values(shown).some(leavesOut);
}

function difference(shown: unknown, real: unknown, path: string, isWhole: boolean): string[] {
  if (real === null || real === undefined || shown === null || shown === MORE) return [];
  if (Array.isArray(shown)) {
    if (!Array.isArray(real)) return [`${path}: not a list in the answer`];
    if (real.length === 0) return [];
    return shown
      .filter((element) => element !== MORE && real.some((one) => isAlike(element, one)))
      .flatMap((element) => {
        const tries = real.map((one) => difference(element, one, `${path}[]`, isWhole));
        return tries.some((faults) => faults.length === 0) ? [] : (tries[0] as string[]);
      });
  }
  if (typeof shown !== "object") return typeof real === "object" ? [`${path}: not a value`] : [];
  if (typeof real !== "object" || Array.isArray(real))
    return [`${path}: not an object in the answer`];
  const members = real as Record<string, unknown>;
  const names = Object.keys(shown as object).filter((name) => name !== MORE);
  const lost = names.filter((name) => !(name in members));
  const unshown = isWhole ? Object.keys(members).filter((name) => !names.includes(name)) : [];
  return [
    ...lost.map((name) => `${path}.${name}: not in the answer`),
    ...unshown.map((name) => `${path}.${name}: in the answer, and not in the docs`),
    ...names
      .filter((name) => name in members)
      .flatMap((name) =>
        difference(
          (shown as Record<string, unknown>)[name],
          members[name],
          `${path}.${name}`,
          isWhole,
        ),
      ),
  ];
}
