import { expect, it } from "vitest";
import { readOptions, type WantedOptions } from "../../../../src/edge/domain/pages/read-options.ts";

const OFFERED = { models: ["pp-ocr", "fovea-nano", "deepseek-ocr"], fallback: "pp-ocr" };
const read = (wanted: Partial<WantedOptions>, offered = OFFERED) => {
  const base = { mode: "auto", task: "markdown", dpi: 144 } as const;
  const options = readOptions({ ...base, ...wanted }, [{ first: 2, last: 3 }], offered);
  return "code" in options ? options.code : options;
};

it("a token budget is stored with its pages, for readers that support it", () => {
  const budget = { tokens: 300, pages: "2-3" };
  expect(read({ model: "deepseek-ocr", token_budget: 300 })).toMatchObject({ budget });
  expect(read({ model: "pp-ocr", token_budget: 300 })).toMatchObject({ budget: null });
  expect(read({ model: "fovea-nano", token_budget: 300 })).toBe("unsupported-option");
  expect(read({ model: "deepseek-ocr", token_budget: 300, mode: "base" })).toBe("invalid-request");
});

it("a mode that the reader lacks is refused; readers without modes read as ever", () => {
  const offered = { models: ["pp-ocr", "deepseek-ocr", "unlimited-ocr"], fallback: "pp-ocr" };
  expect(read({ model: "unlimited-ocr", mode: "tiny" }, offered)).toBe("unsupported-option");
  expect(read({ model: "unlimited-ocr", mode: "gundam" }, offered)).toMatchObject({
    mode: "gundam",
  });
  expect(read({ model: "unlimited-ocr", task: "free" }, offered)).toBe("unsupported-option");
  expect(read({ model: "deepseek-ocr", mode: "tiny" }, offered)).toMatchObject({ mode: "tiny" });
  expect(read({ model: "pp-ocr", mode: "tiny" }, offered)).toMatchObject({ mode: "auto" });
});

it("languages are kept for readers whose answer they can change", () => {
  const languages = ["pt-br", "en"];
  expect(read({ model: "pp-ocr", languages })).toMatchObject({ languages: ["pt-BR", "en"] });
  expect(read({ model: "fovea-nano", languages })).not.toHaveProperty("languages");
  expect(read({ model: "pp-ocr", languages: [] })).not.toHaveProperty("languages");
});

it("a witness must be another reader that is offered", () => {
  expect(read({ model: "deepseek-ocr", witness: true })).toMatchObject({ witness: true });
  expect(read({ model: "pp-ocr", witness: true })).toBe("unsupported-option");
  const alone = { models: ["deepseek-ocr"], fallback: "deepseek-ocr" };
  expect(read({ witness: true }, alone)).toBe("unsupported-option");
  expect(read({ model: "deepseek-ocr", witness: true, task: "locate", prompt: "x" })).toBe(
    "unsupported-option",
  );
});

it("the text layer is an option of readers that use it; for others `never` is what they do anyway", () => {
  expect(read({ model: "pp-ocr", text_layer: "only" })).toMatchObject({ text_layer: "only" });
  expect(read({ model: "pp-ocr", text_layer: "auto" })).toEqual(read({ model: "pp-ocr" }));
  expect(read({ model: "deepseek-ocr", text_layer: "only" })).toBe("unsupported-option");
  expect(read({ model: "deepseek-ocr", text_layer: "never" })).toEqual(
    read({ model: "deepseek-ocr" }),
  );
});
