/** What a memory does not take, or cannot show: each time a clear problem, and nothing half stored. */
import { beforeEach, describe, expect, it } from "vitest";
import { call, env, json, newTenant, post } from "../../support.ts";

let key: string;
let tenant: string;
beforeEach(async () => {
  ({ key, tenant } = await newTenant());
});

const create = async (body: object = {}): Promise<string> =>
  (await json(post("/v1/contexts", key, body))).id;
const get = (path: string) => json(call(`/v1/contexts/${path}`, { key }));
const add = (id: string, messages: object[]) =>
  post(`/v1/contexts/${id}/messages`, key, { messages });
const rows = (table: string, context: string) =>
  env.DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE context_id = ?`)
    .bind(context)
    .first("n");
const objects = async () =>
  (await env.BUCKET.list()).objects.map(({ key }) => key).filter((path) => path.includes(tenant));

describe("an unknown profile, form or model", () => {
  it("is named with those that exist, and changes nothing", async () => {
    const id = await create();
    await add(id, [{ role: "user", content: "Hi" }]);
    const before = await get(id);
    const patch = (body: object) =>
      json(call(`/v1/contexts/${id}`, { method: "PATCH", key, body }));
    for (const problem of [
      await json(post("/v1/contexts", key, { profile: "acme/1" })),
      await patch({ name: "new", profile: "acme/1" }),
      await get(`${id}/view?profile=acme/1`),
    ])
      expect(problem).toMatchObject({
        type: "urn:fovea:problem:unknown-profile",
        detail: expect.stringContaining("Choose one of deepseek-ocr, openai/gpt-4o,"),
      });
    for (const problem of [
      await json(post("/v1/contexts", key, { reader: "acme" })),
      await patch({ name: "new", reader: "acme" }),
      await get(`${id}/messages/1/recall?source=image&model=acme`),
    ])
      expect(problem).toMatchObject({
        type: "urn:fovea:problem:unknown-model",
        detail: expect.stringContaining("pp-ocr"),
      });
    expect(await get(id)).toEqual(before);
    expect(await rows("context_views", id)).toBe(0);
    expect((await json(call("/v1/contexts", { key }))).data).toHaveLength(1);
  });
});

describe("too much at once", () => {
  it("is refused with its limit, and none of it is stored", async () => {
    const id = await create();
    const five = JSON.stringify({ data: "x".repeat(5 * 1024 ** 2) });
    const body = await add(id, [
      { role: "user", content: "good" },
      { role: "tool", content: [{ type: "tool_result", id: "c", text: five }] },
    ]);
    expect(await json(body)).toMatchObject({ status: 413, title: expect.any(String) });
    const part = await json(
      add(id, [
        { role: "user", content: "good" },
        { role: "user", content: five.slice(0, 3 * 1024 ** 2) },
      ]),
    );
    expect(part).toMatchObject({
      status: 422,
      detail: expect.stringMatching(/messages\.1\.content: .*100000/),
    });
    expect(await get(id)).toMatchObject({ last_message: 0 });
    expect(await rows("context_messages", id)).toBe(0);
  });

  it("leaves no context if the last message of an import is too large", async () => {
    const text = { type: "text", text: "x".repeat(100_000) };
    const lines = Array.from({ length: 450 }, (_, i) => ({
      type: "message",
      number: i + 1,
      role: "user",
      parts: i < 449 ? [{ type: "text", text: `message ${i}` }] : [text, text, text],
      created_at: "2026-11-01T12:00:00Z",
    }));
    const file = [{ type: "context" }, ...lines].map((line) => JSON.stringify(line)).join("\n");
    const answer = await call("/v1/contexts/import", {
      method: "POST",
      key,
      body: new TextEncoder().encode(file),
      headers: { "content-type": "application/jsonl" },
    });
    expect(await json(answer)).toMatchObject({
      status: 422,
      detail: expect.stringMatching(/line 451: a message has at most 200000 characters/),
    });
    const left = env.DB.prepare("SELECT count(*) AS n FROM contexts WHERE tenant_id = ?").bind(
      tenant,
    );
    expect(await left.first("n")).toBe(0);
    expect(await objects()).toEqual([]);
  });
});

describe("a view that its provider would refuse", () => {
  const image = (i: number) => ({
    type: "image",
    url: `https://example.com/${i}.png`,
    alt: `photo ${i}`,
  });

  it("has as many images as the provider takes, the newest, and names the others", async () => {
    const id = await create({ profile: "anthropic/claude-sonnet-4.5" });
    for (const from of [0, 60])
      await add(id, [
        { role: "user", content: Array.from({ length: 60 }, (_, i) => image(from + i)) },
      ]);
    const { messages } = await get(`${id}/view?format=anthropic`);
    const parts = messages.flatMap(({ content }: { content: object[] }) => content);
    const shown = parts.filter(({ type }: { type: string }) => type === "image");
    expect(shown).toHaveLength(100);
    expect(shown.at(-1)).toMatchObject({ source: { url: "https://example.com/119.png" } });
    expect(parts[19]).toEqual({ type: "text", text: "[memory image photo 19]" });
    expect(parts[20]).toMatchObject({ source: { url: "https://example.com/20.png" } });
    // Nothing is lost: the items of another provider have them.
    const { messages: openai } = await get(`${id}/view?format=openai&profile=openai/gpt-4o`);
    expect(JSON.stringify(openai).match(/image_url"/g)).toHaveLength(240);
  });

  it("says by how much pinned messages alone exceed the budget", async () => {
    const id = await create({ token_budget: 64, recent: 0 });
    const pinned = Array.from({ length: 5 }, (_, i) => ({
      role: "system",
      content: `Rule ${i}: ${"always say where it stands ".repeat(20)}`,
      pinned: true,
    }));
    await add(id, pinned);
    await json(post(`/v1/contexts/${id}/age`, key, {}, { prefer: "wait=5" }));
    const view = await get(`${id}/view`);
    expect(view).toMatchObject({
      over_budget: true,
      over_budget_reason: expect.stringMatching(
        /The view has \d+ tokens, the budget is 64: recent and pinned messages take \d+/,
      ),
    });
    expect(view.items).toHaveLength(5);
  });
});
