/** Compares docs/ERRORS.md with the table of problems. */
import { expect, it } from "vitest";
import errors from "../../docs/ERRORS.md?raw";
import { PROBLEMS } from "../../src/edge/problem.ts";

it("lists every problem type with its status and title, says what to do, and lists no other", () => {
  const rows = [...errors.matchAll(/^\| `([\w-]+)` \| (\d{3}) \| ([^|]+) \| ([^|]+) \|$/gm)];
  const documented = Object.fromEntries(
    rows.map(([, code, status, title]) => [code, [Number(status), title]]),
  );
  expect(documented).toEqual(PROBLEMS);
  expect(Object.keys(documented)).toHaveLength(rows.length);
  for (const [, code, , , advice] of rows) expect(advice?.trim().length, code).toBeGreaterThan(5);
});
