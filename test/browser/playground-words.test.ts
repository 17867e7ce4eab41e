/** Which words of a reading count as read: pure rules of the playground. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

interface Compared {
  runs: { text: string; known: boolean; meant?: string }[];
  share: number | null;
  misread: number;
}
const { stillRead } = (await import("../../src/playground/public/js/words.js" as string)) as {
  stillRead(text: string, reference: string): Compared;
};

const misread = (text: string, reference: string) =>
  stillRead(text, reference)
    .runs.filter(({ known }) => !known)
    .map(({ text, meant }) => [text, meant]);

describe("words still read", () => {
  test("an amount, a date or a number with one wrong digit is misread as a whole", () => {
    const page = "Invoice HIS-2026-0417 of 12/03/2026: 4,399.49 at 19%";
    assert.deepEqual(misread("Invoice HIS-2026-0411 of 12/03/2028: 4,899.49 at 16%", page), [
      ["HIS-2026-0411", "HIS-2026-0417"],
      ["12/03/2028", "12/03/2026"],
      ["4,899.49", "4,399.49"],
      ["16%", "19%"],
    ]);
    assert.deepEqual(misread(page, page), []);
    assert.deepEqual(misread("a total of -5", "a total of 5"), [["-5", "5"]]);
  });

  test("a short number that stands elsewhere on the page does not count", () => {
    assert.deepEqual(misread("boxes 7 sleeves 1", "boxes 1 sleeves 12"), [
      ["7", "1"],
      ["1", "12"],
    ]);
  });

  test("another order of passages is no misreading", () => {
    const [left, right] = ["The left column has words", "while the right column follows"];
    const { share, misread } = stillRead(`${right} ${left}`, `${left} ${right}`);
    assert.ok(share !== null && share >= 0.9, String(share));
    assert.ok(misread <= 1, String(misread));
  });

  test("the share is that of the reference's words; without any it is unknown", () => {
    assert.equal(stillRead("one two", "one two three four").share, 0.5);
    assert.equal(stillRead("", "one").share, 0);
    assert.equal(stillRead("one", "").share, null);
  });

  test("the runs are the text, whatever it contains", () => {
    const text = "Größe: 3,5 m² — “naïve”\n\n東京 2026年";
    assert.equal(
      stillRead(text, "Grösse 3,5")
        .runs.map((run) => run.text)
        .join(""),
      text,
    );
  });
});
