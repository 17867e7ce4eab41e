import { expect, it } from "vitest";
import { cut } from "../../../../src/edge/domain/pages/cut.ts";

/** All parts of a text. */
function parts(text: string, room: number): string[] {
  const all: string[] = [];
  let offset: number | null = 0;
  while (offset !== null) {
    const { part, next } = cut(text, offset, room);
    all.push(part);
    offset = next;
  }
  return all;
}

it("ends at a line if there is one in the second half, and loses nothing", () => {
  expect(parts("one\ntwo\nthree four five", 8)).toEqual(["one\ntwo\n", "three fo", "ur five"]);
  expect(parts("a\nbcdefghijk", 8)).toEqual(["a\nbcdefg", "hijk"]);
  expect(parts("", 8)).toEqual([""]);
});

it("never splits a character, and always goes on", () => {
  expect(parts("😀😀😀", 3)).toEqual(["😀", "😀", "😀"]);
  expect(parts("x😀y", 2)).toEqual(["x", "😀", "y"]);
  for (const room of [2, 3, 5, 7]) {
    const text = "añ😀\n\n😀b ".repeat(20);
    const all = parts(text, room);
    expect(all.join("")).toBe(text);
    expect(all.every((part) => part.length > 0 && part.length <= room && part.isWellFormed())).toBe(
      true,
    );
  }
});

it("answers nothing for an offset beyond the end", () => {
  expect(cut("abc", 10, 8)).toEqual({ part: "", next: null });
});
