/** `fovea.contexts` and `fovea.compress` inside workerd against the real edge; the stub's images contain their text. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Fovea, InvalidRequestError, NotFoundError } from "../../src/client/index.ts";
import { Eyes } from "../edge/eyes.ts";
import { edge, newKey, ORIGIN } from "../edge/support.ts";

const DAY = 86_400_000;
const words = "The ferry was seen at the gate by the keeper. ".repeat(30).trim();

let eyes: Eyes;
let fovea: Fovea;
let sent: Request[];
beforeEach(async () => {
  eyes = new Eyes().start();
  sent = [];
  fovea = new Fovea({
    apiKey: await newKey(),
    baseUrl: ORIGIN,
    fetch: (url, init) => {
      const request = new Request(url, init);
      sent.push(request);
      return edge(request);
    },
  });
});
afterEach(() => {
  eyes.stop();
  vi.restoreAllMocks();
});

it("a context takes messages, ages, and can be viewed, recalled, exported and deleted", async () => {
  const { id } = await fovea.contexts.create({ name: "talk" });
  const [first] = await fovea.contexts.add(id, { role: "user", content: words });
  await fovea.contexts.add(id, [
    { role: "assistant", content: words },
    { role: "user", content: "Pinned", pinned: true },
  ]);
  expect(first).toMatchObject({ number: 1, form: "text", original: "text" });
  expect(await fovea.contexts.change(id, 3, { importance: 0.5 })).toMatchObject({ pinned: true });
  const at = new Date(Date.now() + 40 * DAY).toISOString();
  const look = await fovea.contexts.age(id, { at, dry_run: true });
  expect(look.changes).toMatchObject([{ first_message: 1, last_message: 2, to: "small" }]);
  expect(await fovea.contexts.age(id, { at })).toMatchObject({ state: "done", error: null });
  const { items, tokens } = await fovea.contexts.view(id);
  expect(items?.map(({ type }) => type)).toEqual(["image", "text"]);
  expect(tokens.total).toBeLessThan(tokens.as_text);
  const content = await fovea.contexts.content(id, { images: "data" });
  expect(content.map(({ type }) => type)).toEqual(["image_url", "text"]);
  expect(await fovea.contexts.recall(id, 2)).toMatchObject({ text: words, source: "original" });
  const image = await fovea.contexts.recall(id, 2, { source: "image" });
  expect(image).toMatchObject({ text: words, source: "image", verified: true });
  expect((await fovea.contexts.loss(id)).messages[1]?.recall).toMatchObject({ cer: 0 });
  const lines = await new Response(await fovea.contexts.export(id)).text();
  expect(lines.trim().split("\n")).toHaveLength(5);
  expect((await fovea.contexts.list()).data.map((one) => one.id)).toEqual([id]);
  expect(await fovea.contexts.message(id, 2)).toMatchObject({ form: "small", text: words });
  await fovea.contexts.forget(id, 2);
  await expect(fovea.contexts.message(id, 2)).rejects.toBeInstanceOf(NotFoundError);
  expect(await fovea.contexts.update(id, { name: "chat", erase_after: 60 })).toMatchObject({
    name: "chat",
    erase_after: 60,
    token_budget: null,
  });
  await fovea.contexts.delete(id);
  await expect(fovea.contexts.get(id)).rejects.toBeInstanceOf(NotFoundError);
  await expect(fovea.contexts.create({ token_budget: 1 })).rejects.toBeInstanceOf(
    InvalidRequestError,
  );
});

it("compress repeats the request until the text is read back", async () => {
  const compressed = await fovea.compress(words, { mode: "base", verify: true });
  expect(compressed.verification).toMatchObject({ state: "done", precision: 1 });
  const keys = sent.map(({ headers }) => headers.get("idempotency-key"));
  expect(new Set(keys).size).toBe(keys.length);
});
