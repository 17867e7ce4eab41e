/** `fovea.contexts` and `fovea.compress` inside workerd against the real edge; the stub's images contain their text. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Fovea, InvalidRequestError, NotFoundError } from "../../src/client/index.ts";
import { Eyes } from "../edge/eyes.ts";
import { edge, newKey, ORIGIN } from "../edge/support.ts";

const words = "The ferry was seen at the gate by the keeper. ".repeat(105).trim();

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
  const { id } = await fovea.contexts.create({ name: "talk", recent: 0 });
  const [first] = await fovea.contexts.add(id, { role: "user", content: words });
  await fovea.contexts.add(id, [
    { role: "assistant", content: words },
    { role: "user", content: "Pinned", pinned: true },
  ]);
  expect(first).toMatchObject({ number: 1, segment: null, original: "kept" });
  expect(await fovea.contexts.change(id, 3, { importance: 0.5 })).toMatchObject({ pinned: true });
  expect((await fovea.contexts.age(id, { dry_run: true })).dry_run).toBe(true);
  expect(await fovea.contexts.age(id)).toMatchObject({ state: "done", error: null, sealed: 1 });
  const { items, tokens } = await fovea.contexts.view(id);
  expect(items?.map(({ type }) => type)).toEqual(["image", "message"]);
  expect(tokens.total).toBeLessThan(tokens.as_text);
  const messages = await fovea.contexts.asMessages(id, "openai", { images: "data" });
  expect(JSON.stringify(messages)).toContain("data:image/png;base64");
  expect((await fovea.contexts.asMessages(id, "anthropic")).messages.length).toBeGreaterThan(0);
  expect((await fovea.contexts.asMessages(id, "gemini")).contents.length).toBeGreaterThan(0);
  const [segment] = await fovea.contexts.segments(id);
  expect(segment).toMatchObject({ first_message: 1, last_message: 2 });
  const opened = await fovea.contexts.segment(id, segment?.id as string);
  expect(opened.messages[1]?.text).toBe(words);
  const zoomed = await fovea.contexts.zoom(id, segment?.id as string, { form: "base-14" });
  expect(zoomed).toMatchObject({ state: "ready", form: "base-14" });
  const found = await fovea.contexts.search(id, "pinned");
  expect(found.data.map(({ number }) => number)).toEqual([3]);
  expect((await fovea.contexts.costs(id)).data.length).toBeGreaterThan(5);
  expect((await fovea.contexts.profiles()).map((one) => one.id)).toContain("deepseek-ocr");
  const imported = await fovea.contexts.addFrom(id, "openai", {
    messages: [{ role: "user", content: "More" }],
  });
  expect(imported).toMatchObject([{ number: 4 }]);
  expect(await fovea.contexts.recall(id, 2)).toMatchObject({ text: words, source: "original" });
  const image = await fovea.contexts.recall(id, 2, { source: "image" });
  expect(image).toMatchObject({ text: words, source: "image", verified: true });
  const lines = await new Response(await fovea.contexts.export(id)).text();
  expect(lines.trim().split("\n")).toHaveLength(5);
  const copy = await fovea.contexts.import(lines);
  expect(copy).toMatchObject({ imported: 4, skipped: [] });
  await fovea.contexts.delete(copy.id);
  expect((await fovea.contexts.list()).data.map((one) => one.id)).toEqual([id]);
  const said: (string | null)[] = [];
  for await (const { text } of fovea.contexts.messages(id)) said.push(text);
  expect(said).toEqual([words, words, "Pinned", "More"]);
  expect(await fovea.contexts.message(id, 2)).toMatchObject({ text: words });
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
