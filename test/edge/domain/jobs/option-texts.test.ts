import { expect, it } from "vitest";
import { JobRequest } from "../../../../src/edge/domain/jobs/job-request.ts";
import { optionsFromTexts } from "../../../../src/edge/domain/jobs/option-texts.ts";

function optionsOf(texts: [string, string][]) {
  const read = optionsFromTexts(texts);
  if ("fault" in read) throw new Error(read.fault.message);
  return read.options;
}

it("reads each option as the type that it has", () => {
  const texts: [string, string][] = [
    ["pages", "1-3"],
    ["dpi", "200"],
    ["witness", "true"],
    ["join_tables", "False"],
    ["languages", "ru, en"],
    ["languages", "de"],
    ["metadata", '{"order": "7"}'],
    ["prompt", "12"],
    ["schema", '{"type": "object", "required": ["a", "b"]}'],
    ["instructions", "[1]"],
  ];
  expect(optionsOf(texts)).toEqual({
    pages: "1-3",
    dpi: 200,
    witness: true,
    join_tables: false,
    languages: ["ru", "en", "de"],
    metadata: { order: "7" },
    prompt: "12",
    schema: { type: "object", required: ["a", "b"] },
    instructions: "[1]",
  });
});

it.each(['["ru", "en"]', "ru,en", " ru , en"])("reads the list %s", (text) => {
  expect(optionsOf([["languages", text]])).toEqual({ languages: ["ru", "en"] });
});

it.each([
  ["dpi", "high", "is not a number"],
  ["dpi", "", "is not a number"],
  ["witness", "yes", "is `true` or `false`"],
  ["witness", "constructor", "is `true` or `false`"],
  ["metadata", "{", "is not JSON"],
  ["schema", "", "is not JSON"],
  ["schema", "type: object", "is not JSON"],
])("refuses %s=%s and says how it is written", (name, text, form) => {
  expect(optionsFromTexts([[name, text]])).toEqual({
    fault: { path: [name], message: form },
  });
});

it.each([
  ["metadata", "[1]"],
  ["languages", "[1]"],
  ["languages", "[ru"],
  ["colour", "red"],
  ["constructor", "x"],
  ["__proto__", "x"],
])("leaves %s=%s to the check, which names the option", (name, text) => {
  const { error } = JobRequest.safeParse(optionsOf([[name, text]]));
  const [issue] = error?.issues ?? [];
  expect(issue?.path[0] ?? issue?.message).toContain(name);
});

it("leaves a JSON of another kind as it is", () => {
  expect(optionsOf([["schema", "null"]])).toEqual({ schema: null });
});

it.each([
  ["pages", "1", "2"],
  ["schema", "{}", "{}"],
  ["schema", "null", "{}"],
  ["schema", "[]", "{}"],
  ["metadata", "[]", '["a"]'],
  ["instructions", "a", "b"],
])("refuses %s that is there twice", (name, first, second) => {
  const twice = optionsFromTexts([
    [name, first],
    [name, second],
  ]);
  expect(twice).toEqual({ fault: { path: [name], message: "is there more than once" } });
});
