import { expect, it } from "vitest";
import { meansDefault, selectionOf } from "../../../../src/edge/domain/mistral/request.ts";

it.each([
  [[0], "1"],
  [[0, 2, 3, 4, 7], "1,3-5,8"],
  [[4, 0, 0], "5,1,1"],
  ["0,2-4", "1,3-5"],
  [" 0 , 2 - 4 ", "1,3-5"],
  ["0-0", "1"],
])("counts the pages %j from 1: %s", (pages, selection) => {
  expect(selectionOf(pages)).toEqual({ selection });
});

it.each([
  [[], "no page"],
  ["", '"" is not a page'],
  ["1-", '"1-" is not a page'],
  ["-1", '"-1" is not a page'],
  [[-1], '"-1" is not a page'],
  ["4-2", "runs backwards"],
  ["all", '"all" is not a page'],
  ["9999999", "is not a page"],
])("says what is wrong with %j", (pages, fault) => {
  expect(selectionOf(pages)).toEqual({ fault: expect.stringContaining(fault) });
});

it.each([
  [null, true],
  [undefined, true],
  ["mistral-ocr-latest", true],
  ["mistral-ocr-2512", true],
  ["mistral-ocr", true],
  ["mistral-document-ai-2512", true],
  ["mistral-document-ais", false],
  ["mistral-large-latest", false],
  ["my-mistral-ocr", false],
  ["mistral-ocrs", false],
  ["pp-ocr", false],
])("%s means the default model: %s", (model, means) => {
  expect(meansDefault(model)).toBe(means);
});
