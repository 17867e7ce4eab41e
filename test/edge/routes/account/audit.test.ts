/** GET /v1/audit: what is logged, for whom, and for how long. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AUDIT_ACTIONS, pruneAudit } from "../../../../src/edge/storage/audit.ts";
import { sweep } from "../../../../src/edge/sweep.ts";
import { CogStub, call, env, json, newKey, post, upload } from "../../support.ts";

const DAY = 86_400_000;
let key: string;
beforeEach(async () => {
  new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

interface Entry {
  id: string;
  action: string;
  target: string;
  fields: string[];
  key_id: string | null;
  key_name: string | null;
}

const log = async (query = "", caller = key): Promise<Entry[]> =>
  (await json(call(`/v1/audit?limit=100${query}`, { key: caller }))).data;
const actions = async (query = "") => (await log(query)).map(({ action }) => action);
const patch = (path: string, body: object) =>
  call(path, { method: "PATCH", key, body: { ...body } });

describe("what is logged", () => {
  it("keys: made, changed, rotated and revoked, with the key that did it and the names of fields", async () => {
    const made = await json(post("/v1/keys", key, { name: "billing" }));
    await patch(`/v1/keys/${made.id}`, { monthly_pages: 5, name: "billing 2" });
    await post(`/v1/keys/${made.id}/rotate`, key, {});
    await call(`/v1/keys/${made.id}`, { method: "DELETE", key });
    const own = await json(call("/v1/whoami", { key }));
    const entries = await log();
    expect(entries.map(({ action }) => action)).toEqual([
      "key.revoked",
      "key.rotated",
      "key.changed",
      "key.created",
      "key.created",
    ]);
    expect(entries[2]).toMatchObject({
      target: made.id,
      fields: ["name", "monthly_pages"],
      key_id: own.id,
      key_name: own.name,
    });
    expect(entries[4]).toMatchObject({ target: own.id, key_id: null, key_name: null });
  });

  it("settings, endpoints and replayed deliveries", async () => {
    await patch("/v1/settings", { daily_pages: 7, retention_days: 3 });
    const url = "https://hooks.io/audit";
    const { id } = await json(post("/v1/webhooks/endpoints", key, { url }));
    await patch(`/v1/webhooks/endpoints/${id}`, { state: "disabled" });
    await post(`/v1/webhooks/endpoints/${id}/rotate`, key, {});
    const test = await json(post(`/v1/webhooks/endpoints/${id}/test`, key, {}));
    await post(`/v1/webhooks/deliveries/${test.id}/replay`, key, {});
    await call(`/v1/webhooks/endpoints/${id}`, { method: "DELETE", key });
    const entries = await log();
    expect(entries.map(({ action }) => action)).toEqual([
      "endpoint.deleted",
      "delivery.replayed",
      "endpoint.rotated",
      "endpoint.changed",
      "endpoint.created",
      "settings.changed",
      "key.created",
    ]);
    expect(entries[3]?.fields).toEqual(["state"]);
    expect(entries[5]?.fields.toSorted()).toEqual(["daily_pages", "retention_days"]);
    // No values: neither the address nor the limits.
    expect(JSON.stringify(entries)).not.toMatch(/hooks\.io|":7|":3/);
  });

  it("batches: made, paused, resumed and canceled; a repetition changes nothing and is not logged", async () => {
    const manifest = await json(
      post("/v1/batches/manifests", key, new TextEncoder().encode('{"url":"https://a.io/x"}\n'), {
        "content-type": "application/jsonl",
      }),
    );
    const { id } = await json(post("/v1/batches", key, { manifest: manifest.id }));
    for (const verb of ["pause", "pause", "resume", "cancel"])
      await post(`/v1/batches/${id}/${verb}`, key, {});
    expect((await actions(`&target=${id}`)).toSorted()).toEqual([
      "batch.canceled",
      "batch.created",
      "batch.paused",
      "batch.resumed",
    ]);
  });

  it("nothing of a change that did not happen", async () => {
    const before = (await log()).length;
    const none = `key_${"0".repeat(24)}`;
    expect((await patch(`/v1/keys/${none}`, { name: "x" })).status).toBe(404);
    expect((await call(`/v1/keys/${none}`, { method: "DELETE", key })).status).toBe(404);
    expect((await post("/v1/keys", key, { name: "" })).status).toBe(422);
    expect(await log()).toHaveLength(before);
  });

  it("a change and its entry are one transaction: without the entry there is no change", async () => {
    await env.DB.prepare(
      "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken'); END",
    ).run();
    vi.spyOn(console, "error").mockImplementation(() => {});
    try {
      expect((await post("/v1/keys", key, { name: "unlogged" })).status).toBe(500);
      expect((await patch("/v1/settings", { daily_pages: 9 })).status).toBe(500);
    } finally {
      await env.DB.prepare("DROP TRIGGER broken").run();
    }
    expect(JSON.stringify(await json(call("/v1/keys", { key })))).not.toContain("unlogged");
    expect(await json(call("/v1/settings", { key }))).toMatchObject({ daily_pages: null });
  });
});

describe("the list", () => {
  it("is only for administrators of the account", async () => {
    const reader = await json(post("/v1/keys", key, { scopes: ["read", "write"] }));
    expect((await call("/v1/audit", { key: reader.key })).status).toBe(403);
    const other = await newKey();
    expect(await log("", other)).toHaveLength(1);
    // An entry of another account is no cursor of this list.
    const [foreign] = (await log("", key)) as [Entry];
    const cursor = btoa(foreign.id).replaceAll("=", "");
    expect(await log(`&cursor=${cursor}`, other)).toEqual([]);
  });

  it("can be narrowed to an action, a key, a target and days, and refuses what is none of these", async () => {
    const made = await json(post("/v1/keys", key, { name: "a", scopes: ["admin"] }));
    await post("/v1/keys", made.key, { name: "b" });
    const file = await upload(key);
    await call(`/v1/files/${file.id}`, { method: "DELETE", key });
    expect(await actions("&action=file.deleted")).toEqual(["file.deleted"]);
    expect(await actions(`&key=${made.id}`)).toEqual(["key.created"]);
    expect(await actions(`&target=${made.id}`)).toEqual(["key.created"]);
    const today = new Date().toISOString().slice(0, 10);
    expect(await log(`&from=${today}&to=${today}`)).toHaveLength(4);
    expect(await log("&to=2020-01-01")).toEqual([]);
    expect(await log("&from=2999-01-01")).toEqual([]);
    for (const wrong of ["action=file.read", "from=yesterday", "who=me", "cursor=x"])
      expect((await call(`/v1/audit?${wrong}`, { key })).status).toBe(422);
  });

  it("goes on page by page, each entry once", async () => {
    for (let i = 0; i < 4; i++) await post("/v1/keys", key, { name: `k${i}` });
    const seen: string[] = [];
    let cursor: string | null = "";
    do {
      const page = await json(call(`/v1/audit?limit=2${cursor && `&cursor=${cursor}`}`, { key }));
      seen.push(...page.data.map(({ id }: Entry) => id));
      cursor = page.next_cursor;
    } while (cursor);
    expect(seen).toHaveLength(5);
    expect(new Set(seen).size).toBe(5);
  });
});

it("keeps entries for AUDIT_RETENTION_DAYS, and deletes older ones in slices", async () => {
  for (let i = 0; i < 3; i++) await post("/v1/keys", key, { name: `k${i}` });
  const entries = await log();
  const age = (id: string, days: number) =>
    env.DB.prepare("UPDATE audit SET created_at = created_at - ? WHERE id = ?")
      .bind(days * DAY, id)
      .run();
  for (const { id } of entries.slice(1)) await age(id, 366);
  await pruneAudit(env.DB, Date.now() - 365 * DAY, 1);
  expect(await log()).toHaveLength(3);
  await age((entries[0] as Entry).id, 364);
  await sweep(env);
  expect(await log()).toHaveLength(1);
});

it("every action has a name of the form resource.verb", () => {
  for (const action of AUDIT_ACTIONS) expect(action).toMatch(/^[a-z]+\.[a-z]+ed$/);
});
