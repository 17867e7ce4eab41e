import { expect, it } from "vitest";
import {
  childSpan,
  formatTraceparent,
  parseTraceparent,
} from "../../../../src/edge/domain/protocol/traceparent.ts";

const [trace, span] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];

it.each([
  [`00-${trace}-${span}-01`, true],
  [` 00-${trace}-${span}-00 `, true],
  [`01-${trace}-${span}-01-more`, true],
  [`00-${trace}-${span}-01-more`, false],
  [`ff-${trace}-${span}-01`, false],
  [`00-${"0".repeat(32)}-${span}-01`, false],
  [`00-${trace}-${"0".repeat(16)}-01`, false],
  [`00-${trace.toUpperCase()}-${span}-01`, false],
  [`00-${trace.slice(1)}-${span}-01`, false],
  [`00-${trace}-${span}`, false],
  [`00-${trace}-${span}-01\n`, true],
  [`00-${trace}-${span}-01, 00-${trace}-${span}-01`, false],
  ["", false],
  [undefined, false],
])("%j is valid: %s", (header, valid) => {
  expect(parseTraceparent(header) !== null).toBe(valid);
});

it("a child has the trace and flags of its parent, and a new span", () => {
  const parent = parseTraceparent(`00-${trace}-${span}-01`);
  const child = childSpan(parent);
  expect(child).toMatchObject({ traceId: trace, flags: "01" });
  expect(child.spanId).toMatch(/^[0-9a-f]{16}$/);
  expect(child.spanId).not.toBe(span);
  expect(parseTraceparent(formatTraceparent(child))).toEqual(child);
});

it("without a parent, a new trace starts", () => {
  const [a, b] = [childSpan(null), childSpan(null)];
  expect(parseTraceparent(formatTraceparent(a))).toEqual(a);
  expect(a.traceId).not.toBe(b.traceId);
});
