/** How docs.test.ts finds the examples of the documentation, and what it counts as drift. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { blocksOf, drift, shownJson, statementsOf } from "./doc-lines.ts";

const PAGE = `# Title

Run:

\`\`\`sh
# only said
a --b \\
  -c   # → 201 {"id": "x", …}
d    # † needs an account
cat <<END
e
END
\`\`\`

With a GPU (†):

\`\`\`sh
f
\`\`\`

Later:

\`\`\`sh
g
\`\`\`
`;

test("commands are whole, know their line, their mark and the answer that their comment shows", () => {
  const isComplete = (text: string) => !/<<END/.test(text) || /\nEND\n/.test(text);
  const all = blocksOf(PAGE).flatMap((block) => statementsOf(block, isComplete));
  assert.deepEqual(
    all.map(({ text, line, marked }) => [text.trim().split(/\s+/)[0], line, marked]),
    [
      ["a", 7, false],
      ["d", 9, true],
      ["cat", 10, false],
      ["f", 18, true],
      ["g", 24, false],
    ],
  );
  assert.equal(all[0]?.answer, '201 {"id": "x", …}');
});

test("JSON that leaves things out is read; what it leaves out is not missed", () => {
  const shown = shownJson(
    '→ {"a": …, "b": {…}, "c": [1, …], "d": "x, …}", …\n "e": {"f": 1, …}, …',
  );
  const real = { a: { z: 1 }, b: { y: 1 }, c: [1, 2], d: "x", e: { f: 2, g: 3 }, h: 1 };
  assert.deepEqual(drift(shown, real), []);
  assert.deepEqual(drift(shown, { ...real, e: { g: 3 } }), [".e.f: not in the answer"]);
});

test("JSON that leaves nothing out has all members of the answer, and no other", () => {
  const shown = shownJson('{"a": 1, "list": [{"type": "one", "b": null}]}');
  const real = {
    a: 2,
    list: [
      { type: "two", c: 1 },
      { type: "one", b: 3 },
    ],
  };
  assert.deepEqual(drift(shown, real), []);
  assert.deepEqual(drift(shown, { list: real.list, d: 1 }), [
    ".a: not in the answer",
    ".d: in the answer, and not in the docs",
  ]);
  assert.deepEqual(drift(shown, { ...real, list: [{ type: "one" }] }), [
    ".list[].b: not in the answer",
  ]);
  assert.equal(shownJson("no JSON"), null);
});
