/** What a long memory asks of D1 and R2: what a view shows counts, not what the context contains. */
import { describe, expect, it } from "vitest";
import { call, env, json, newKey, post } from "../../support.ts";
import { counted } from "../../trips.ts";

/** For this model no image pays, so nothing has to be rendered. */
const TEXT_ONLY = "openai/gpt-4o-mini";

/** About 40 tokens. */
const words = (i: number) =>
  `Parcel TKT-${(i * 7919).toString(36).toUpperCase()}/${i % 10} left the depot on day ${i % 365}, and the driver put it behind the green door.`;

async function filled(key: string, messages: number, fields: object) {
  const { id } = await json(post("/v1/contexts", key, { profile: TEXT_ONLY, ...fields }));
  for (let from = 0; from < messages; from += 1000) {
    const count = Math.min(1000, messages - from);
    const some = Array.from({ length: count }, (_, i) => ({
      role: "user",
      content: words(from + i),
    }));
    expect((await post(`/v1/contexts/${id}/messages`, key, { messages: some })).status).toBe(201);
  }
  return id as string;
}

const age = (id: string, key: string) =>
  json(post(`/v1/contexts/${id}/age`, key, {}, { prefer: "wait=20" }));

const viewed = (id: string, key: string, query = "") =>
  counted(async () => json(call(`/v1/contexts/${id}/view${query}`, { key })));

describe("a view within a budget", () => {
  it("takes as many trips and rows after 4,000 messages as after 400", async () => {
    const key = await newKey();
    const seen = [];
    for (const messages of [400, 4000]) {
      const id = await filled(key, messages, { token_budget: 3000 });
      expect(await age(id, key)).toMatchObject({ state: "done", over_budget: false });
      await viewed(id, key);
      const { result, trips, rows } = await viewed(id, key);
      expect(result.tokens.total).toBeLessThanOrEqual(3000);
      const { length } = (await json(call(`/v1/contexts/${id}/segments`, { key }))).data;
      // Two rows of each segment and of each message shown, as an index has rows, too.
      expect(rows.read).toBeLessThan(2 * (length + result.items.length) + 20);
      seen.push(trips);
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[0]).toMatchObject({ r2: 0 });
    expect(seen[0]?.d1).toBeLessThanOrEqual(4);
  });

  it("shows at once what needs no image, where it is far over", async () => {
    const key = await newKey();
    // Nothing renders here.
    const profile = "openai/gpt-4o";
    const id = await filled(key, 1000, { profile, token_budget: 2000 });
    expect((await viewed(id, key)).result.tokens.total).toBeGreaterThan(25_000);
    const { state, changes } = await json(post(`/v1/contexts/${id}/age`, key, {}));
    expect(state).toBe("making");
    expect(new Set(changes.map(({ to }: { to: string }) => to))).toEqual(new Set(["index"]));
    const { result } = await viewed(id, key);
    expect(result.over_budget_reason).toMatch(/ask again/);
    expect(result.hidden_segments).toBe(0);
    expect(result.tokens.total).toBeLessThan(25_000);
  });
});

describe("a view without a budget", () => {
  it("reads the texts of the newest segments only, and says what is in the others", async () => {
    const key = await newKey();
    const id = await filled(key, 1000, { recent: 0 });
    await age(id, key);
    const [{ id: segment }] = (await json(call(`/v1/contexts/${id}/segments`, { key }))).data;
    const copies = env.DB.prepare(
      `INSERT INTO context_segments SELECT s.id || '_' || j.value, context_id, j.value - 1000, j.value - 1000, text_tokens,
         users, importance, index_line, index_tokens, newest_at, erased, created_at
       FROM context_segments s, json_each(?2) j WHERE s.id = ?1`,
    );
    const numbers = Array.from({ length: 400 }, (_, i) => i);
    await copies.bind(segment, JSON.stringify(numbers)).run();
    const { result, seen } = await viewed(id, key);
    expect(seen.filter(({ to, what }) => to === "r2" && what.includes("/segments/"))).toHaveLength(
      300,
    );
    expect(result.items.filter(({ type }: { type: string }) => type === "index")).not.toEqual([]);
    // The next step makes it smaller for good.
    expect(await age(id, key)).toMatchObject({ state: "done" });
    expect((await viewed(id, key)).result.tokens.total).toBeLessThanOrEqual(1_000_000);
  });
});

describe("one step of ageing", () => {
  it("reads the contents once", async () => {
    const key = await newKey();
    const id = await filled(key, 1000, { token_budget: 3000 });
    const { seen } = await counted(() => json(post(`/v1/contexts/${id}/age`, key, {})));
    const reads = seen.filter(({ what }) =>
      what.includes("FROM context_renders r WHERE context_id"),
    );
    // One for the step, and one for what would be due after it.
    expect(reads).toHaveLength(2);
    expect(seen.length).toBeLessThan(200);
  });
});
