/** Search by meaning. Workers AI runs nowhere but at Cloudflare: a stand-in that knows some synonyms. */
import { beforeEach, describe, expect, it } from "vitest";
import { searchMessages } from "../../../../src/edge/contexts/search.ts";
import { findContext } from "../../../../src/edge/storage/memory/contexts.ts";
import { call, env, json, newTenant, post } from "../../support.ts";

const MEANINGS = [
  /meet|see you|appointment/i,
  /gate|door|place|where/i,
  /pay|invoice|price/i,
  /ship|ferry/i,
];

/** A dimension for each meaning, and one for all texts. */
const vectorOf = (text: string) => [...MEANINGS.map((words) => (words.test(text) ? 1 : 0)), 0.1];

interface Asked {
  model: string;
  text: string[];
}

/** A stand-in for the binding `AI`. */
function standIn(answer?: () => Response | Promise<Response>) {
  const asked: Asked[] = [];
  const run = async (model: string, { text }: { text: string[] }) => {
    asked.push({ model, text });
    if (answer) return answer();
    return Response.json({ shape: [text.length, 5], data: text.map(vectorOf) });
  };
  return { asked, AI: { run } as unknown as Ai };
}

let key: string;
let tenant: string;
beforeEach(async () => {
  ({ key, tenant } = await newTenant());
});

async function contextOf(...said: string[]) {
  const { id } = await json(post("/v1/contexts", key, {}));
  const messages = said.map((content) => ({ role: "user", content }));
  if (said.length > 0) await post(`/v1/contexts/${id}/messages`, key, { messages });
  return id as string;
}

async function search(id: string, q: string, AI: Ai, limit = 10, more = {}) {
  const context = await findContext(env.DB, tenant, id);
  if (!context) throw new Error("no context");
  return searchMessages({ ...env, AI, ...more }, context, q, limit, "meaning");
}
const numbers = ({ hits }: Awaited<ReturnType<typeof search>>) =>
  hits.map(({ message }) => message.number);

describe("a search by meaning", () => {
  it("finds what has none of the words, the nearest first", async () => {
    const { asked, AI } = standIn();
    const id = await contextOf(
      "The price is 5.",
      "See you at the door.",
      "A ferry at the door.",
      "",
    );
    const found = await search(id, "where do we meet", AI, 2);
    expect(numbers(found)).toEqual([2, 3]);
    expect(found).toMatchObject({
      complete: true,
      hits: [{ snippet: "See you at the door.", score: expect.closeTo(1, 2) }, {}],
    });
    expect(asked.map(({ model, text }) => [model, text.length])).toEqual([
      ["@cf/baai/bge-m3", 1],
      ["@cf/baai/bge-m3", 3],
    ]);
  });

  it("makes each vector once, and forgets deleted messages", async () => {
    const { asked, AI } = standIn();
    const id = await contextOf("See you at the door.", "A ferry at the door.");
    await search(id, "meet where", AI);
    await post(`/v1/contexts/${id}/messages`, key, {
      messages: [{ role: "user", content: "An appointment at gate 7." }],
    });
    await call(`/v1/contexts/${id}/messages/1`, { method: "DELETE", key });
    expect(numbers(await search(id, "meet where", AI))).toEqual([3, 2]);
    expect(asked.map(({ text }) => text.length)).toEqual([1, 2, 1, 1]);
  });

  it("begins anew with another model", async () => {
    const { asked, AI } = standIn();
    const id = await contextOf("See you at the door.");
    await search(id, "meet", AI);
    const other = { MEMORY_EMBEDDING_MODEL: "@cf/some/other" };
    expect(numbers(await search(id, "meet", AI, 10, other))).toEqual([1]);
    expect(asked.map(({ model }) => model).slice(2)).toEqual(["@cf/some/other", "@cf/some/other"]);
  });

  it("looks at a thousand messages at a time", async () => {
    const { asked, AI } = standIn();
    const id = await contextOf();
    for (let i = 0; i < 2; i++)
      await post(`/v1/contexts/${id}/messages`, key, {
        messages: Array.from({ length: 600 }, (_, n) => ({ role: "user", content: `ship ${n}` })),
      });
    expect(await search(id, "ferry", AI, 1)).toMatchObject({ complete: false });
    expect(await search(id, "ferry", AI, 1)).toMatchObject({ complete: true });
    expect(asked.every(({ text }) => text.length <= 100)).toBe(true);
  });

  it.each([
    [() => Response.json({}, { status: 500 })],
    [() => Response.json({ data: [] })],
    [() => Response.json({ data: [["x"]] })],
    [() => Response.json({ data: [Array(2000).fill(1)] })],
    [() => Promise.reject(new Error("3040: out of capacity"))],
  ])("says if the model does not answer (%#)", async (answer) => {
    const id = await contextOf("See you at the door.");
    await expect(search(id, "meet", standIn(answer).AI)).rejects.toMatchObject({
      code: "meaning-failed",
    });
  });

  it("counts the tokens, and stops at the account's limit of dollars", async () => {
    const id = await contextOf("See you at the door.", "A ferry.");
    const prices = {
      EXTRACT_PRICES: JSON.stringify({ "@cf/baai/bge-m3": { input: 10, output: 0 } }),
    };
    await call("/v1/settings", { method: "PATCH", key, body: { daily_usd: 0.001 } });
    const counting = (tokens: number) =>
      standIn(() => Response.json({ data: [[1]], usage: { prompt_tokens: tokens } }));
    const usage = async () =>
      (await json(call("/v1/usage", { key }))).total.extraction_input_tokens;
    // What the model does not count is estimated.
    await search(id, "where do we meet", standIn().AI, 1, prices);
    const estimated = await usage();
    expect(estimated).toBeGreaterThan(10);
    await search(id, "meet", counting(100).AI, 1, prices);
    expect(await usage()).toBe(estimated + 100);
    const { asked, AI } = counting(1);
    await expect(search(id, "meet", AI, 1, prices)).rejects.toMatchObject({
      code: "budget-exceeded",
    });
    expect(asked).toEqual([]);
  });

  it("needs a model", async () => {
    const id = await contextOf("See you at the door.");
    const refused = await json(call(`/v1/contexts/${id}/search?q=meet&mode=meaning`, { key }));
    expect(refused).toMatchObject({ type: "urn:fovea:problem:meaning-off", status: 501 });
    const off = { MEMORY_EMBEDDING_MODEL: "" };
    await expect(search(id, "meet", standIn().AI, 1, off)).rejects.toMatchObject({
      code: "meaning-off",
    });
    expect((await call(`/v1/contexts/${id}/search?q=door&mode=words`, { key })).status).toBe(200);
  });
});
