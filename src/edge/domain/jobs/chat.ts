/**
 * Turns a chat request into a request to read: finds the document and the task. The models are not trained
 * to converse; they answer the wordings of their tasks. So the text of the message selects a task if it
 * matches one, and is a prompt otherwise.
 */
import { estimateTextTokens } from "../memory/text-tokens.ts";
import { QUESTIONS, type Task } from "../pages/models.ts";
import type { PageEntry, PageResult, StoredPageResult } from "../pages/page-result.ts";

type Part =
  | { type: "text"; text: string }
  | { type: "image_url"; image_url: string | { url: string } }
  | { type: "file"; file: { file_id?: Maybe; file_data?: Maybe } };
type Maybe = string | null | undefined;

export interface Message {
  role: string;
  content?: string | Part[] | null | undefined;
}

export type Document = { url: string } | { file: string };

/** Documents of one message, such as the pages of a document as images. */
export const MAX_DOCUMENTS = 20;

/** @returns the documents, the user's text and the number of ignored messages; or a string that says what is wrong */
export function readConversation(
  messages: Message[],
): { documents: Document[]; words: string; unread: number } | string {
  const fromUser = messages.filter(({ role }) => role === "user");
  const last = fromUser.at(-1);
  if (!last) return "messages: a message of the role `user` is required";
  const words = partsOf(last)
    .flatMap((part) => (part.type === "text" ? [part.text] : []))
    .join("\n")
    .trim();
  // A follow-up question refers to the document of an earlier message.
  const withDocument = fromUser.findLast((message) => documentsOf(message).length > 0);
  const found = withDocument ? documentsOf(withDocument) : [];
  if (found.length > MAX_DOCUMENTS) return `messages: at most ${MAX_DOCUMENTS} documents`;
  if (found.length === 0)
    return "messages: no document; send an `image_url` part (an https: or data: URL) or a `file` part";
  const fault = found.find((document) => typeof document === "string");
  if (fault !== undefined) return fault;
  const documents = found.filter((document) => typeof document !== "string");
  const read = new Set([last, withDocument]);
  return { documents, words, unread: messages.filter((message) => !read.has(message)).length };
}

const partsOf = ({ content }: Message): Part[] =>
  typeof content === "string" ? [{ type: "text", text: content }] : (content ?? []);

const documentsOf = (message: Message): (Document | string)[] =>
  partsOf(message).flatMap((part): (Document | string)[] => {
    if (part.type === "image_url") {
      const { image_url: image } = part;
      return [{ url: typeof image === "string" ? image : image.url }];
    }
    if (part.type !== "file") return [];
    const { file_id, file_data } = part.file;
    if (file_id) return [{ file: file_id }];
    return [file_data ? { url: asUrl(file_data) } : "file: `file_id` or `file_data` is needed"];
  });

/** OpenAI's reference says that the data are base64; its examples have a `data:` URL. */
const asUrl = (data: string) =>
  data.includes(":") ? data : `data:application/octet-stream;base64,${data}`;

/** The official wordings of the tasks (src/gpu-worker/fovea/language/tasks.py), for clients that send them verbatim. */
const WORDINGS: readonly (readonly [RegExp, Task])[] = [
  [/^(?:<\|grounding\|>)?convert the document to markdown\.?$/i, "markdown"],
  [/^free ocr\.?$/i, "free"],
  [/^parse the figure\.?$/i, "figure"],
  [/^(<\|grounding\|>)?ocr this image\.?$/i, "ocr"],
  [/^describe this image in detail\.?$/i, "describe"],
];
/**
 * Clients and people ask for the text in many words. A sentence of only these words says nothing else: "Extract all text
 * from this image.", but not "Extract the invoice number."
 */
const ASKS_FOR_TEXT =
  /^(?=.*\b(?:extract|transcribe|ocr|read|recogni[sz]e|convert|return|output|get|give)\b)(?:(?:please|can|could|you|me|perform|run|do|extract|transcribe|ocr|read|recogni[sz]e|convert|return|output|get|give|all|any|only|just|the|this|these|that|its|of|full|raw|plain|visible|entire|whole|complete|attached|following|given|exact|exactly|as|is|it|on|in|into|to|from|with|and|using|text|texts|content|contents|words|document|page|pages|pdf|file|image|images|picture|photo|scan|markdown|format)\b[\s.,:;!?'"-]*)+$/i;
const LOCATE = /^locate <\|ref\|>(.+)<\|\/ref\|> in the image\.?$/is;

/** The task that the text names or spells out; any other text is a prompt. */
export function taskOf(words: string): { task: Task; prompt?: string } {
  const plain = words.replace(/^<image>\s*/, "").trim();
  if (plain === "") return { task: "markdown" };
  const named = QUESTIONS.find((task) => task === plain.toLowerCase());
  if (named) return { task: named };
  const spelled = WORDINGS.find(([wording]) => wording.test(plain));
  if (spelled) return { task: spelled[1] };
  if (plain.length <= 300 && ASKS_FOR_TEXT.test(plain)) return { task: "markdown" };
  const sought = LOCATE.exec(plain)?.[1]?.trim();
  return sought ? { task: "locate", prompt: sought } : { task: "markdown", prompt: plain };
}

/** The part of the answer for one page. A page without a result is mentioned, so that its absence is visible. */
export function pageContent({ page, result, error }: PageEntry): string {
  if (error) return `<!-- page ${page}: ${error.code} -->`;
  return result.markdown.trim();
}

interface Tally {
  vision: number;
  text: number;
  /** Vision tokens of pages that came from the cache. */
  cached: number;
  cut: boolean;
  verdict: PageResult["verdict"];
}

export const emptyTally = (): Tally => ({
  vision: 0,
  text: 0,
  cached: 0,
  cut: false,
  verdict: "blank",
});

/** From best to worst. The verdict of an answer is that of its worst page. */
const VERDICTS = ["blank", "ok", "suspect", "unreadable", "failed"] as const;

export function count(tally: Tally, { result }: PageEntry, fromCache: boolean): Tally {
  const vision = result?.vision_tokens?.valid ?? 0;
  const verdict = result?.verdict ?? "failed";
  return {
    vision: tally.vision + vision,
    text: tally.text + (result ? textTokens(result) : 0),
    cached: tally.cached + (fromCache ? vision : 0),
    cut: tally.cut || result?.finish_reason === "length" || result?.finish_reason === "loop",
    verdict: VERDICTS.indexOf(verdict) > VERDICTS.indexOf(tally.verdict) ? verdict : tally.verdict,
  };
}

/** Estimated for readers that generate no tokens. A picture in the Markdown is not text. */
const textTokens = ({ text_tokens, markdown }: StoredPageResult): number =>
  text_tokens ?? estimateTextTokens(markdown.replaceAll(/\(data:[^)]*\)/g, "()"));

export const finishReason = ({ cut }: Tally) => (cut ? ("length" as const) : ("stop" as const));

export const usageOf = ({ vision, text, cached }: Pick<Tally, "vision" | "text" | "cached">) => ({
  prompt_tokens: vision,
  completion_tokens: text,
  total_tokens: vision + text,
  prompt_tokens_details: { cached_tokens: cached },
});
