/**
 * The options of docling-serve's requests. What has an equal here becomes a field of the job; what asks for something
 * that nothing here does is refused; what only tunes Docling's own stages changes nothing.
 */
import { z } from "zod";
import { canonicalTags } from "../pages/languages.ts";
import { reader } from "../pages/models.ts";

export const TO_FORMATS = ["md", "json", "html", "text", "doctags"] as const;
export type ToFormat = (typeof TO_FORMATS)[number];
export const IMAGE_MODES = ["placeholder", "embedded", "referenced"] as const;

/**
 * Docling's names of engines for OCR, and those of its Java client. They mean the default model, unless the deployment has
 * a model of that name.
 */
const ENGINES = new Set([
  "auto",
  "default",
  "easyocr",
  "mac",
  "ocrmac",
  "rapidocr",
  "tesseract",
  "tesseract_cli",
  "tesseract_cloud",
  "tesserocr",
]);

/** Characters of what stands between pages. */
const MAX_PAGE_BREAK = 100;

const off = (why: string) =>
  z
    .boolean()
    .refine((asked) => !asked, `is not supported here: ${why}`)
    .default(false);
const none = z
  .unknown()
  .refine((given) => given === null || given === undefined, "is not supported here")
  .optional();
const ignored = { description: "Accepted and ignored" };
const list = (most: number) => z.array(z.string().max(64)).max(most);

/** Members that are not listed are ignored, as docling-serve does. */
export const ConvertOptions = z.object({
  from_formats: list(64).optional().meta({
    description: "Accepted and ignored: the type of a document is told by its bytes",
  }),
  to_formats: z.array(z.enum(TO_FORMATS)).min(1).max(16).default(["md"]),
  image_export_mode: z.enum(IMAGE_MODES).default("placeholder").meta({
    description:
      "`referenced`: in a ZIP archive, files in `artifacts/`; in the body, addresses that need the API key",
  }),
  include_images: z.boolean().default(true).meta({
    description: "`false`: as `image_export_mode: placeholder`",
  }),
  do_ocr: z.boolean().default(true).meta({
    description: "`false`: only characters from the text layer, by a model that can take them",
  }),
  force_ocr: z.boolean().default(false).meta({
    description: "All characters are recognised, also those that the document has as text",
  }),
  ocr_preset: z.string().max(64).default("auto").meta({
    description:
      "A model of `GET /v1/models`. The names of Docling's engines mean the default model, if there is no model of that name",
  }),
  ocr_engine: z.string().max(64).default("auto").meta({
    description: "The earlier name of `ocr_preset`",
  }),
  ocr_lang: list(16)
    .nullish()
    .meta({
      description: "BCP-47 tags, or the codes of Tesseract and EasyOCR",
      example: ["en", "de"],
    }),
  page_range: z
    .tuple([z.number().min(1), z.number().min(1)])
    .refine(([first, last]) => first <= last, "the first page is after the last")
    .optional()
    .meta({ description: "The first and the last page, from 1" }),
  md_page_break_placeholder: z.string().max(MAX_PAGE_BREAK).default("").meta({
    description: "Stands between the pages of the Markdown",
  }),
  pipeline: z.enum(["standard", "legacy", "vlm"]).optional().meta(ignored),
  pdf_backend: z.string().max(64).optional().meta(ignored),
  table_mode: z.string().max(64).optional().meta(ignored),
  table_cell_matching: z.boolean().optional().meta(ignored),
  do_table_structure: z.boolean().optional().meta(ignored),
  do_pdf_heading_hierarchy: z.boolean().optional().meta(ignored),
  images_scale: z.number().optional().meta(ignored),
  document_timeout: z.number().nullish().meta(ignored),
  abort_on_error: z.boolean().optional().meta(ignored),
  md_compact_tables: z.boolean().optional().meta(ignored),
  include_page_images: off("POST /v1/ocr with `fovea-render` makes images of pages"),
  do_code_enrichment: off("code is what the model reads"),
  do_formula_enrichment: off("formulas are LaTeX where the model writes it"),
  do_picture_classification: off("pictures have no classes"),
  do_picture_description: off("POST /v1/jobs/{id}/extract asks a model about figures"),
  do_chart_extraction: off("POST /v1/jobs/{id}/extract asks a model about figures"),
  ocr_custom_config: none,
  table_structure_custom_config: none,
  layout_custom_config: none,
  vlm_pipeline_model: none,
  vlm_pipeline_model_local: none,
  vlm_pipeline_model_api: none,
  vlm_pipeline_custom_config: none,
  picture_description_local: none,
  picture_description_api: none,
  picture_description_custom_config: none,
  picture_classification_custom_config: none,
  chart_extraction_custom_config: none,
  code_formula_custom_config: none,
  chunking_options: none,
  chunking_preset: none,
});
export type ConvertOptions = z.infer<typeof ConvertOptions>;

/** The fields of a job that the options choose. */
export interface WantedJob {
  model: string;
  pages: string;
  text_layer: "auto" | "never" | "only";
  languages?: string[];
}

interface Fault {
  path: string[];
  message: string;
}

/** @param offered models of the deployment, and the default model */
export function jobOf(
  options: ConvertOptions,
  offered: { models: string[]; fallback: string },
): WantedJob | Fault {
  const model = modelOf(options, offered);
  if (typeof model !== "string") return model;
  const languages = languagesOf(options.ocr_lang ?? []);
  if (!languages)
    return { path: ["ocr_lang"], message: "not BCP-47 tags such as `en` or `zh-Hans`" };
  return {
    model,
    pages: pagesOf(options),
    text_layer: options.do_ocr ? (options.force_ocr ? "never" : "auto") : "only",
    ...(languages.length > 0 && { languages }),
  };
}

function modelOf(
  { ocr_preset, ocr_engine, do_ocr }: ConvertOptions,
  { models, fallback }: { models: string[]; fallback: string },
): string | Fault {
  const isNamed = ocr_preset !== "auto";
  const name = isNamed ? ocr_preset : ocr_engine;
  const named = models.includes(name) ? name : null;
  if (!named && !ENGINES.has(name))
    return {
      path: [isNamed ? "ocr_preset" : "ocr_engine"],
      message: `not available; there are ${models.join(", ")}, and auto means ${fallback}`,
    };
  if (do_ocr) return named ?? fallback;
  const readsLayers = [...(named ? [named] : [fallback, ...models])].find(
    (model) => reader(model).layers,
  );
  return (
    readsLayers ?? {
      path: ["do_ocr"],
      message: "`false` needs a model that takes characters from text layers",
    }
  );
}

/** The last number that counts as a page; docling-serve's default is the largest integer of the machine. */
const LAST_PAGE = 1_000_000;

function pagesOf({ page_range: range }: ConvertOptions): string {
  if (!range) return "";
  const [first, last] = range;
  if (last >= LAST_PAGE) return first === 1 ? "" : `${first}-`;
  return `${first}-${last}`;
}

/** Codes of Tesseract, EasyOCR and RapidOCR that are no tags. */
const CODES: Record<string, string> = {
  ch: "zh-Hans",
  ch_sim: "zh-Hans",
  ch_tra: "zh-Hant",
  chi_sim: "zh-Hans",
  chi_tra: "zh-Hant",
  chinese: "zh",
  english: "en",
};
/** Whatever the languages are. */
const ANY = ["auto", "mul"];

const languagesOf = (tags: string[]): string[] | null =>
  canonicalTags(
    tags
      .map((tag) => CODES[tag.toLowerCase()] ?? tag.replaceAll("_", "-"))
      .filter((tag) => !ANY.includes(tag.toLowerCase())),
  );
