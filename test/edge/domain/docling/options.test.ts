import { describe, expect, it } from "vitest";
import { ConvertOptions, jobOf } from "../../../../src/edge/domain/docling/options.ts";

const OFFERED = { models: ["deepseek-ocr", "pp-ocr"], fallback: "deepseek-ocr" };
const wanted = (options: object, offered = OFFERED) =>
  jobOf(ConvertOptions.parse(options), offered);

it("is the default model and all pages if nothing is chosen", () => {
  expect(wanted({})).toEqual({ model: "deepseek-ocr", pages: "", text_layer: "auto" });
});

describe("the model", () => {
  it.each([
    [{ ocr_preset: "pp-ocr" }, "pp-ocr"],
    [{ ocr_engine: "pp-ocr" }, "pp-ocr"],
    [{ ocr_engine: "pp-ocr", ocr_preset: "easyocr" }, "deepseek-ocr"],
    [{ ocr_engine: "rapidocr" }, "deepseek-ocr"],
    [{ ocr_engine: "tesseract" }, "deepseek-ocr"],
  ])("of %j is %s", (options, model) => {
    expect(wanted(options)).toMatchObject({ model });
  });

  it("has the name of an engine if the deployment offers one of that name", () => {
    const offered = { models: ["pp-ocr", "tesseract"], fallback: "pp-ocr" };
    expect(wanted({ ocr_engine: "tesseract" }, offered)).toMatchObject({ model: "tesseract" });
  });

  it("is refused if there is none of that name", () => {
    expect(wanted({ ocr_preset: "gpt" })).toMatchObject({ path: ["ocr_preset"] });
    expect(wanted({ ocr_engine: "gpt" })).toMatchObject({ path: ["ocr_engine"] });
  });
});

describe("text layers", () => {
  it("are all there is without OCR, by a model that takes them", () => {
    const layer = { model: "pp-ocr", text_layer: "only" };
    expect(wanted({ do_ocr: false })).toMatchObject(layer);
    expect(wanted({ do_ocr: false, force_ocr: true })).toMatchObject(layer);
    expect(wanted({ do_ocr: false, ocr_preset: "deepseek-ocr" })).toMatchObject({
      path: ["do_ocr"],
    });
  });

  it("are not taken where OCR is forced", () => {
    expect(wanted({ force_ocr: true })).toMatchObject({ text_layer: "never" });
  });
});

it.each([
  [[1, 4], "1-4"],
  [[3, 3], "3-3"],
  [[1, Number.MAX_SAFE_INTEGER], ""],
  [[7, 2 ** 63], "7-"],
])("a page range of %j is %j", (page_range, pages) => {
  expect(wanted({ page_range })).toMatchObject({ pages });
});

it("languages are tags, or what Tesseract and EasyOCR call them", () => {
  const ocr_lang = ["en", "deu", "chi_sim", "ch_tra", "zh_Hans", "mul"];
  expect(wanted({ ocr_lang })).toMatchObject({
    languages: ["en", "de", "zh-Hans", "zh-Hant"],
  });
  expect(wanted({ ocr_lang: ["auto"] })).not.toHaveProperty("languages");
  expect(wanted({ ocr_lang: ["?"] })).toMatchObject({ path: ["ocr_lang"] });
});

it("ignores what only tunes Docling, and members that it does not know", () => {
  const tuning = {
    from_formats: ["pdf", "docx"],
    pdf_backend: "dlparse_v4",
    table_mode: "fast",
    images_scale: 2,
    document_timeout: null,
    abort_on_error: true,
    return_as_file: false,
    do_chart_extraction: false,
    picture_description_api: null,
  };
  expect(wanted(tuning)).toEqual(wanted({}));
});

it.each([
  ["do_picture_description", true],
  ["do_picture_classification", true],
  ["do_formula_enrichment", true],
  ["include_page_images", true],
  ["vlm_pipeline_model_api", { url: "https://example.com" }],
  ["ocr_custom_config", { kind: "easyocr" }],
  ["chunking_preset", "hierarchical"],
  ["pipeline", "asr"],
  ["to_formats", ["yaml"]],
  ["to_formats", []],
  ["image_export_mode", "files"],
  ["page_range", [4, 1]],
  ["page_range", [0, 1]],
  ["page_range", [1]],
  ["md_page_break_placeholder", "x".repeat(101)],
])("refuses %s: %j, which nothing here does", (name, value) => {
  const { error } = ConvertOptions.safeParse({ [name]: value });
  expect(error?.issues[0]?.path[0]).toBe(name);
});
