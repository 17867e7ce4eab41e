import { describe, expect, it } from "vitest";
import { call, env, json, newKey, post } from "../../support.ts";

const bootstrap = env.BOOTSTRAP_SECRET as string;

describe("making keys", () => {
  it("makes the first admin key with the bootstrap secret, shows it once and stores only its hash", async () => {
    const response = await post("/v1/keys", bootstrap, { tenant: "acme", name: "first" });
    expect([response.status, response.headers.get("cache-control")]).toEqual([201, "no-store"]);
    const created = await json(response);
    expect(created).toMatchObject({ name: "first", environment: "live", scopes: ["admin"] });
    expect(created.key).toMatch(/^fov_live_[0-9A-Za-z]{30}$/);
    const { results } = await env.DB.prepare("SELECT * FROM keys WHERE id = ?")
      .bind(created.id)
      .all();
    expect(JSON.stringify(results)).not.toContain(created.key);
    expect(results[0]?.hash).toMatch(/^[0-9a-f]{64}$/);
    const list = await call("/v1/keys", { key: created.key });
    expect(await list.text()).not.toContain(created.key);
  });

  it("an admin key makes keys of its own tenant only", async () => {
    const admin = await newKey({ tenant: "own" });
    const made = await json(post("/v1/keys", admin, { environment: "test", scopes: ["read"] }));
    expect(made.key).toMatch(/^fov_test_/);
    expect((await post("/v1/keys", admin, { tenant: "other" })).status).toBe(422);
  });

  it.each([
    ["an unknown scope", { scopes: ["root"] }],
    ["an unknown field", { role: "x" }],
    ["a nameless name", { name: " " }],
  ])("refuses %s", async (_name, body) => {
    expect((await post("/v1/keys", bootstrap, { ...body })).status).toBe(422);
  });
});

describe("who may call", () => {
  const status = async (key: string | undefined, path = "/v1/jobs") => {
    const response = await call(path, { ...(key && { key }) });
    return [response.status, (await json(response)).type?.replace("urn:fovea:problem:", "")];
  };

  it("refuses no key, a made-up key, and a key with one character changed", async () => {
    const key = await newKey();
    expect(await status(undefined)).toEqual([401, "missing-key"]);
    expect(await status("fov_live_nonsense")).toEqual([401, "invalid-key"]);
    const changed = key.slice(0, -8) + (key.at(-8) === "x" ? "y" : "x") + key.slice(-7);
    expect(await status(changed)).toEqual([401, "invalid-key"]);
    expect((await call("/v1/jobs", { key })).status).toBe(200);
  });

  it("refuses a key from the moment it is revoked", async () => {
    const admin = await newKey();
    const made = await json(post("/v1/keys", admin, { scopes: ["read"] }));
    expect((await call("/v1/jobs", { key: made.key })).status).toBe(200);
    const revoked = await call(`/v1/keys/${made.id}`, { method: "DELETE", key: admin });
    expect(revoked.status).toBe(204);
    expect(await status(made.key)).toEqual([401, "invalid-key"]);
  });

  it("names the missing scope", async () => {
    const reader = await newKey({ scopes: ["read"] });
    const response = await post("/v1/ocr", reader, { file: "x" });
    expect(response.status).toBe(403);
    expect((await json(response)).detail).toContain("`write`");
    expect(await status(reader, "/v1/keys")).toEqual([403, "missing-scope"]);
    expect(await status(reader, "/v1/webhooks/secret")).toEqual([403, "missing-scope"]);
  });

  it("lets nobody see or revoke another tenant's keys", async () => {
    const [mine, theirs] = [await newKey(), await newKey()];
    const { data } = await json(call("/v1/keys", { key: theirs }));
    expect(data).toHaveLength(1);
    const response = await call(`/v1/keys/${data[0].id}`, { method: "DELETE", key: mine });
    expect(response.status).toBe(404);
    expect((await call("/v1/keys", { key: theirs })).status).toBe(200);
  });
});

describe("changing a key", () => {
  const patch = (id: string, key: string, body: object) =>
    call(`/v1/keys/${id}`, { method: "PATCH", key, body: { ...body } });

  it("changes what is given, leaves the rest, and null removes a limit", async () => {
    const admin = await newKey();
    const made = await json(
      post("/v1/keys", admin, { name: "a", monthly_pages: 10, allowed_cidrs: ["10.0.0.0/8"] }),
    );
    const at = "2999-01-01T00:00:00.000Z";
    const changed = await json(patch(made.id, admin, { name: "b", expires_at: at }));
    expect(changed).toMatchObject({ name: "b", expires_at: at, monthly_pages: 10 });
    expect(changed.allowed_cidrs).toEqual(["10.0.0.0/8"]);
    expect(changed).not.toHaveProperty("key");
    const nothing = {
      expires_at: null,
      monthly_pages: null,
      allowed_cidrs: null,
      concurrent_jobs: null,
      rate_per_minute: null,
    };
    expect(await json(patch(made.id, admin, nothing))).toMatchObject({ name: "b", ...nothing });
    expect(await json(patch(made.id, admin, { allowed_cidrs: ["10.1.2.3"] }))).toMatchObject({
      allowed_cidrs: ["10.1.2.3/32"],
    });
  });

  it("applies from the next request on", async () => {
    const admin = await newKey();
    const made = await json(post("/v1/keys", admin, { scopes: ["read"] }));
    expect((await call("/v1/jobs", { key: made.key })).status).toBe(200);
    await patch(made.id, admin, { expires_at: "2020-01-01T00:00:00.000Z" });
    expect((await call("/v1/jobs", { key: made.key })).status).toBe(401);
    await patch(made.id, admin, { expires_at: null, rate_per_minute: 7 });
    const response = await call("/v1/jobs", { key: made.key });
    expect(response.headers.get("ratelimit-policy")).toContain("q=7");
  });

  it("is for administrators of the account, and not for revoked keys", async () => {
    const admin = await newKey();
    const made = await json(post("/v1/keys", admin, { scopes: ["read", "write"] }));
    expect((await patch(made.id, made.key, { name: "mine" })).status).toBe(403);
    expect((await patch(made.id, await newKey(), { name: "theirs" })).status).toBe(404);
    await call(`/v1/keys/${made.id}`, { method: "DELETE", key: admin });
    expect((await patch(made.id, admin, { name: "late" })).status).toBe(404);
  });

  it.each([
    ["nothing", {}],
    ["scopes", { scopes: ["admin"] }],
    ["a network that is none", { allowed_cidrs: ["10.0.0.0/99"] }],
    ["a limit below zero", { monthly_pages: -1 }],
    ["no name", { name: null }],
  ])("refuses %s", async (_name, body) => {
    const admin = await newKey();
    const { id } = await json(call("/v1/whoami", { key: admin }));
    expect((await patch(id, admin, body)).status).toBe(422);
  });
});

it("lists with a cursor, newest first, each once", async () => {
  const admin = await newKey();
  for (let i = 0; i < 4; i++) await post("/v1/keys", admin, { name: `k${i}` });
  const ids: string[] = [];
  let cursor: string | null = "";
  do {
    const page = await json(
      call(`/v1/keys?limit=2${cursor && `&cursor=${cursor}`}`, { key: admin }),
    );
    expect(page.data.length).toBeLessThanOrEqual(2);
    ids.push(...page.data.map((key: { id: string }) => key.id));
    cursor = page.next_cursor;
  } while (cursor);
  expect(ids).toHaveLength(5);
  expect(new Set(ids).size).toBe(5);
  expect((await call("/v1/keys?cursor=xyz", { key: admin })).status).toBe(422);
  expect((await call("/v1/keys?limit=1000", { key: admin })).status).toBe(422);
});
