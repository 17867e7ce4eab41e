/** The examples in test/contract are what both sides of the worker protocol test against. */
/// <reference types="vite/client" />
import { expect, it } from "vitest";
import { DocumentReport, PushedPage } from "../../../../src/edge/domain/pages/page-result.ts";

interface Example {
  why: string;
  kind: "page" | "document";
  body: unknown;
}

const read = (files: Record<string, { default: Example }>) =>
  Object.entries(files).map(
    ([path, file]) => [path.split("/").at(-1) as string, file.default] as const,
  );

const valid = read(import.meta.glob("../../../contract/valid/*.json", { eager: true }));
const invalid = read(import.meta.glob("../../../contract/invalid/*.json", { eager: true }));

const accepts = ({ kind, body }: Example) =>
  (kind === "page" ? PushedPage : DocumentReport).safeParse(body).success;

it("has examples", () => {
  expect(valid.length).toBeGreaterThan(3);
  expect(invalid.length).toBeGreaterThan(3);
});
it.each(valid)("accepts %s", (_name, example) => expect(accepts(example)).toBe(true));
it.each(invalid)("refuses %s", (_name, example) => expect(accepts(example)).toBe(false));
