import { expect, it } from "vitest";
import { preferredWait } from "../../../../src/edge/domain/protocol/prefer.ts";

it.each([
  [undefined, 0],
  ["wait=10", 10],
  ["WAIT=10", 10],
  ['wait="7"', 7],
  ["wait=600", 60],
  ["wait=10, respond-async", 0],
  ["wait=-1", 0],
  ["wait=x", 0],
  ["return=minimal, wait=5", 5],
])("Prefer: %s waits %d s", (header, wait) => expect(preferredWait(header, 60)).toBe(wait));

it.each([
  [undefined, 280],
  ["return=minimal", 280],
  ["wait=x", 280],
  ["wait=", 280],
  ["wait=0", 0],
  ["wait=5, handling=lenient", 5],
  ["wait=600", 280],
  ["respond-async", 0],
])("where a response waits by itself, Prefer: %s waits %d s", (header, wait) =>
  expect(preferredWait(header, 280, 280)).toBe(wait),
);
