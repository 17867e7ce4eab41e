/** The readers by name and what each can be asked for. Which of them a deployment offers is the setting `MODELS`. */
export const MODES = ["auto", "tiny", "small", "base", "large", "gundam"] as const;
/** The tasks that read a page. */
export const QUESTIONS = [
  "markdown",
  "free",
  "ocr",
  "figure",
  "describe",
  "locate",
  "deep",
] as const;
/** The task that reads nothing: the worker only makes the page's vision tokens. */
export const ENCODE = "encode";
export const TASKS = [...QUESTIONS, ENCODE] as const;
/** Where the characters of a page may come from. */
export const TEXT_LAYERS = ["auto", "never", "only"] as const;
export type TextLayer = (typeof TEXT_LAYERS)[number];
/** What a model reads in one sequence: a page, or several pages of the document, so that it sees all of them. */
export const SEQUENCES = ["page", "document"] as const;
export type Sequence = (typeof SEQUENCES)[number];
/** Most pages in one sequence. */
export const SEQUENCE_PAGES = 32;
export type Mode = (typeof MODES)[number];
export type Task = (typeof TASKS)[number];

interface Reader {
  /** What its blocks are divided into; only `block` if left out. */
  granularities?: readonly ("block" | "line" | "word")[];
  tasks: readonly Task[];
  /** Empty for readers without vision tokens, which have one mode: asking for another is the same reading. */
  modes: readonly Mode[];
  /** Whether vision tokens are known before a page is read, so that a budget of them can be spread. */
  budgets: boolean;
  /** Whether a prompt of the client's own is taken. */
  prompts: boolean;
  /** Whether its vision tokens can be kept, and read again. */
  tokens: boolean;
  /** Whether it can read several pages in one sequence. */
  documents?: true;
  /** Whether it can take characters from the text layer of a PDF. */
  layers?: true;
  /** Whether a hint at the document's languages can change its answer. */
  languages?: true;
  /** It makes images of pages and reads no words: there is nothing that a witness could check. */
  draws?: true;
}

/** The reader that makes images of pages. */
export const RENDER = "fovea-render";

/** Those of DeepSeek-OCR's successors. */
const TWO_MODES = ["auto", "base", "gundam"] as const;

const NO_TOKENS = { budgets: false, tokens: false };

export const READERS: Record<string, Reader> = {
  "pp-ocr": {
    ...NO_TOKENS,
    tasks: ["markdown", "free"],
    modes: [],
    prompts: false,
    layers: true,
    granularities: ["block", "line", "word"],
    languages: true,
  },
  tesseract: {
    ...NO_TOKENS,
    tasks: ["markdown", "free"],
    modes: [],
    prompts: false,
    granularities: ["block", "line", "word"],
    languages: true,
  },
  "fovea-nano": {
    tasks: ["markdown", "free", ENCODE],
    modes: MODES,
    budgets: false,
    prompts: false,
    tokens: true,
    granularities: ["block", "line"],
  },
  "deepseek-ocr": { tasks: TASKS, modes: MODES, budgets: true, prompts: true, tokens: true },
  "deepseek-ocr-2": {
    tasks: ["markdown", "free", ENCODE],
    modes: TWO_MODES,
    budgets: true,
    prompts: true,
    tokens: true,
  },
  "unlimited-ocr": {
    tasks: ["markdown", ENCODE],
    modes: TWO_MODES,
    budgets: true,
    prompts: true,
    tokens: true,
    documents: true,
  },
  "deepseek-ocr-upstream": {
    ...NO_TOKENS,
    tasks: QUESTIONS.filter((task) => task !== "deep"),
    modes: [],
    prompts: true,
  },
  [RENDER]: {
    ...NO_TOKENS,
    tasks: ["markdown"],
    modes: MODES,
    prompts: false,
    draws: true,
  },
};

/** The reader that can check the words of others. */
export const WITNESS = "pp-ocr";
/** The tasks whose answer is the page's own text: a witness can check it, and its length can be estimated. */
export const TRANSCRIPTIONS: readonly Task[] = ["markdown", "free", "ocr", "deep"];

/** A reader that this table does not know is taken to be able to do everything. */
const ANY: Reader = {
  tasks: TASKS,
  modes: MODES,
  budgets: true,
  prompts: true,
  tokens: true,
  documents: true,
  layers: true,
  granularities: ["block", "line", "word"],
  languages: true,
};

export const reader = (model: string): Reader => READERS[model] ?? ANY;
