/** How a document is to be read and what becomes of the result: the fields of POST /v1/ocr, except the document. */
import { z } from "zod";
import { canonicalTags } from "../pages/languages.ts";
import { MODES, SEQUENCE_PAGES, SEQUENCES, TASKS, TEXT_LAYERS } from "../pages/models.ts";
import { PLAIN, presentationFields } from "../pages/presentation.ts";
import { MAX_TOKEN_BUDGET } from "../pages/read-options.ts";

/** Characters of a prompt. */
export const MAX_PROMPT = 4000;

const languages = z
  .array(z.string().max(20))
  .max(8)
  .refine((tags) => canonicalTags(tags) !== null, "not BCP-47 tags such as `ru` or `pt-BR`");

/** Characters of a document's password. PDF 2.0 takes 127 bytes of UTF-8 (ISO 32000-2, section 7.6.4.3.3). */
export const MAX_PASSWORD = 127;

/** Fields that a job and a line of a batch share, without defaults. */
export const readingFields = {
  pages: z.string().max(4000),
  model: z.string().max(64),
  mode: z.enum(MODES),
  token_budget: z.int().min(1).max(MAX_TOKEN_BUDGET),
  witness: z.boolean(),
  text_layer: z.enum(TEXT_LAYERS),
  sequence: z.enum(SEQUENCES),
  task: z.enum(TASKS),
  prompt: z.string().min(1).max(MAX_PROMPT),
  dpi: z.int().min(36).max(400),
  languages,
};

export const stringMap = z
  .record(z.string().max(64), z.string().max(512))
  .refine((record) => Object.keys(record).length <= 16, "at most 16 entries");

export const JobRequest = z.strictObject({
  pages: readingFields.pages.default("").meta({
    description: "Page numbers start at 1; empty: all pages. Ranges beyond the end are clipped.",
    example: "1-3,7,10-",
  }),
  model: readingFields.model.optional(),
  mode: readingFields.mode.default("auto"),
  token_budget: readingFields.token_budget.optional().meta({
    description:
      "Limit of vision tokens for all selected pages together: within it, each page gets the mode that its text needs. Only with `mode: auto`. `pp-ocr`, which has no vision tokens, ignores it; `fovea-nano` does not support it.",
  }),
  witness: readingFields.witness.default(false).meta({
    description:
      "Check the words of each page against a classic recogniser; where they differ, the page is `suspect`.",
  }),
  text_layer: readingFields.text_layer.default("auto").meta({
    description:
      "Whether `pp-ocr` takes characters from the text layer of a PDF. `auto`: where the layer is right · `never`: all characters are recognised · `only`: none are; a page whose layer is missing is `unreadable`, one whose layer is doubtful `suspect`. Other readers recognise all characters: they support `auto` and `never`, which are the same for them",
  }),
  sequence: readingFields.sequence.default("page").meta({
    description: `What the model reads in one sequence. \`page\`: each page alone · \`document\`: up to ${SEQUENCE_PAGES} selected pages together, so that it sees what is on the others; longer selections are several sequences in the order of the pages. Only for models with \`document\` in \`GET /v1/models\`, with \`mode: auto\`, \`task: markdown\`, without \`prompt\`, \`token_budget\` and \`tokens: keep\``,
  }),
  granularity: presentationFields.granularity.default(PLAIN.granularity),
  table_format: presentationFields.table_format.default(PLAIN.table_format),
  join_tables: presentationFields.join_tables.default(PLAIN.join_tables),
  figures: presentationFields.figures.default(PLAIN.figures),
  hyperlinks: presentationFields.hyperlinks.default(PLAIN.hyperlinks),
  languages: readingFields.languages.optional().meta({
    description:
      "The document's languages as BCP-47 tags: a hint, for readers that list theirs in `GET /v1/models`. A language that the reader lacks is refused.",
    example: ["ru", "en"],
  }),
  task: readingFields.task.default("markdown"),
  prompt: readingFields.prompt.optional(),
  password: z.string().min(1).max(MAX_PASSWORD).optional().meta({
    description:
      "The password of an encrypted PDF. It is kept, encrypted, until the job ends, and shown nowhere. Only requests with the same password share readings of the document",
  }),
  tokens: z.enum(["keep", "none"]).optional().meta({
    description:
      "`keep`: keep the vision tokens of the pages, so that another task or prompt needs no encoding. Default: the setting `keep_tokens`",
  }),
  dpi: readingFields.dpi.default(144).meta({ description: "Resolution of PDF pages" }),
  cache: z.enum(["use", "refresh", "only"]).default("use").meta({
    description:
      "`refresh`: read all pages again · `only`: use only the cache; 404 if a page is not cached",
  }),
  zero_retention: z.boolean().default(false).meta({
    description:
      "Erase the document and everything read from it after the whole result has been fetched once, or an hour after the job ends",
  }),
  webhook_url: z.url().max(2048).optional(),
  metadata: stringMap.default({}),
});
/** With defaults filled in. */
export type JobRequest = z.infer<typeof JobRequest>;
