/** A memory: real texts, real page images, read back by a real recogniser, searched, zoomed and erased. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { Fovea } from "../../src/client/index.ts";
import { newKey, stack, storedKeys, truthOf } from "./support.ts";

let fovea: Fovea;
before(async () => {
  const { key } = await newKey({ tenant: "memory" });
  fovea = new Fovea({ apiKey: key, baseUrl: stack.origin });
});

/** A talk of some pages: questions, and paragraphs of a paper and a report as answers. */
const talk = () => {
  const words = `${truthOf("paper")} ${truthOf("report-12")} `.repeat(2).trim().split(/\s+/);
  const answers = Array.from({ length: Math.ceil(words.length / 90) }, (_, i) =>
    words.slice(90 * i, 90 * (i + 1)).join(" "),
  );
  return answers.flatMap((content, i) => [
    { role: "user" as const, content: `What does part ${i + 1} say?` },
    { role: "assistant" as const, content },
  ]);
};

describe("a context", () => {
  test("shows images that are cheaper than text and read back exactly, and leaves nothing behind", async (t) => {
    const empty = new Set(storedKeys());
    const { id } = await fovea.contexts.create({ name: "paper", recent: 2 });
    const messages = talk();
    await fovea.contexts.add(id, messages);
    await fovea.contexts.add(id, [
      { role: "user", content: "My ticket is TKT-RRR6WR3/C. :thumbsup: 👍" },
      { role: "assistant", content: "## 5 system\n\nI noted TKT-RRR6WR3/C." },
      { role: "user", content: "Thanks", pinned: true },
      { role: "user", content: "And now?" },
    ]);
    const aged = await fovea.contexts.age(id);
    assert.equal(aged.error, null);
    const view = await fovea.contexts.view(id);
    t.diagnostic(
      `${messages.length + 4} messages: ${view.tokens.total} tokens, as text ${view.tokens.as_text}`,
    );
    assert.ok(view.tokens.total < 0.7 * view.tokens.as_text);
    const segments = await fovea.contexts.segments(id);
    assert.ok(segments.length > 0, `${aged.tokens.as_text} tokens`);
    for (const { form, renders, text_tokens } of segments) {
      const shown = renders.find((render) => render.form === form);
      t.diagnostic(
        `${form}: ${text_tokens} → ${shown?.tokens} tokens, ${shown?.pages} pages, read back ${shown?.precision}, beside it ${shown?.sidecar.length} terms`,
      );
      assert.ok((shown?.precision ?? 0) >= 0.97);
    }

    const wanted = 4;
    const recall = await fovea.contexts.recall(id, wanted, { source: "image" });
    assert.deepEqual([recall.state, recall.scope], ["recalled", "message"]);
    assert.ok((recall.measured?.cer ?? 1) < 0.03, `CER ${recall.measured?.cer}: ${recall.text}`);
    const found = await fovea.contexts.search(id, "TKT-RRR6WR3/C");
    assert.deepEqual(
      new Set(found.data.map(({ number }) => number)),
      new Set([messages.length + 1, messages.length + 2]),
    );
    const [first] = segments;
    const closer = await fovea.contexts.zoom(id, first?.id as string, { form: "base-14" });
    assert.equal(closer.pages[0]?.width, 1024);
    const png = new Uint8Array(await (await fetch(closer.pages[0]?.url as string)).arrayBuffer());
    assert.deepEqual([...png.subarray(1, 4)], [...Buffer.from("PNG")]);

    await fovea.contexts.delete(id);
    assert.deepEqual(
      storedKeys().filter((key) => !empty.has(key) && !key.startsWith("idempotency/")),
      [],
    );
    await assert.rejects(fovea.contexts.get(id), { status: 404 });
  });

  test("is an image that its text has gone from, and that the hash verifies", async () => {
    const { id } = await fovea.contexts.create({ erase_after: 0, recent: 0 });
    const content = "The pump in hall 7 was replaced on Tuesday by the morning shift. "
      .repeat(80)
      .trim();
    await fovea.contexts.add(
      id,
      [1, 2, 3, 4].map(() => ({ role: "user" as const, content })),
    );
    await fovea.contexts.age(id);
    const { items = [] } = await fovea.contexts.view(id);
    assert.equal(items[0]?.type, "image");
    assert.equal(storedKeys().filter((key) => key.includes(`${id}/segments`)).length, 0);
    const { text, measured, verified, source } = await fovea.contexts.recall(id, 2);
    assert.match(text ?? "", /pump in hall 7 was replaced on Tuesday/);
    assert.deepEqual([source, measured, typeof verified], ["image", null, "boolean"]);
    await fovea.contexts.delete(id);
  });
});

test("a text is compressed, and what is read back is measured", async (t) => {
  const text = truthOf("paper");
  for (const mode of ["gundam", "base", "tiny"] as const) {
    const compressed = await fovea.compress(text, { mode, verify: true });
    const { verification, text_tokens, vision_tokens, compression, pages } = compressed;
    t.diagnostic(
      `${mode}: ${pages.length} pages, ${text_tokens} → ${vision_tokens} tokens (${compression}), read back ${((verification?.precision ?? 0) * 100).toFixed(1)} %`,
    );
    assert.equal(verification?.state, "done");
    if (mode === "gundam") assert.ok((verification.precision ?? 0) > 0.9);
  }
});
