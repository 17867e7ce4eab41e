import { describe, expect, it } from "vitest";
import { LineSplitter, type RawLine } from "../../../../src/edge/domain/batches/manifest.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const show = ({ number, bytes: line }: RawLine) => [number, line && new TextDecoder().decode(line)];

function split(text: string, chunk: number, max = 100) {
  const splitter = new LineSplitter(max);
  const lines: RawLine[] = [];
  const whole = bytes(text);
  for (let at = 0; at < whole.byteLength; at += chunk)
    for (const line of splitter.push(whole.subarray(at, at + chunk))) lines.push(line);
  lines.push(...splitter.end());
  return { lines: lines.map(show), position: splitter.position };
}

const TEXT = 'a\n\n  \t\r\n{"b": "ä"}\r\nc\n\nlast';

describe("lines of a stream", () => {
  it.each([1, 2, 3, 5, 8, 100])("are the same in chunks of %d bytes", (chunk) => {
    const { lines, position } = split(TEXT, chunk);
    expect(lines).toEqual([
      [1, "a"],
      [4, '{"b": "ä"}\r'],
      [5, "c"],
      [7, "last"],
    ]);
    expect(position).toEqual({ offset: bytes(TEXT).byteLength, lines: 7 });
  });

  it("that are too long are returned without bytes and not held", () => {
    for (const chunk of [1, 3, 7, 100]) {
      const { lines } = split(`aaaaa\n${"b".repeat(90)}\ncc\n`, chunk, 5);
      expect(lines).toEqual([
        [1, "aaaaa"],
        [2, null],
        [3, "cc"],
      ]);
    }
  });

  it("can be left after any line and resumed there", () => {
    for (let stop = 1; stop <= 4; stop++) {
      const first = new LineSplitter(100);
      const seen: RawLine[] = [];
      for (const line of [...first.push(bytes(TEXT)), ...first.end()].slice(0, stop))
        seen.push(line);
      // The generator is lazy: when it is stopped, the position is after the last returned line.
      const lazy = new LineSplitter(100);
      let told = 0;
      for (const _ of lazy.push(bytes(TEXT))) if (++told === Math.min(stop, 3)) break;
      const { offset } = lazy.position;
      const rest = new LineSplitter(100, lazy.position);
      const after = [...rest.push(bytes(TEXT).subarray(offset)), ...rest.end()];
      expect([...seen.slice(0, told), ...after].map(show)).toEqual(split(TEXT, 100).lines);
    }
  });

  it("include the last line, with or without a line feed", () => {
    expect(split("", 1).lines).toEqual([]);
    expect(split("\n\n", 1).lines).toEqual([]);
    expect(split("x", 1).lines).toEqual([[1, "x"]]);
    expect(split("x\n", 1)).toEqual(split("x\n", 2));
  });
});
