import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CogStub, call, ended, env, json, newKey, post, until, upload } from "../../support.ts";

let cog: CogStub;
let key: string;
beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

const token = (body: object, caller = key) => json(post("/v1/tokens", caller, { ...body }));
const answer = async (response: Response) => [
  response.status,
  (await json(response)).type?.replace("urn:fovea:problem:", ""),
];
const DATA_URL = `data:application/pdf;base64,${btoa("%PDF-1.7 of a browser")}`;

describe("a browser token", () => {
  it("that may write starts one job, the one whose id it holds, and nothing else", async () => {
    const asked = Date.now();
    const { token: text, job_id, expires_at } = await token({ scope: "write" });
    expect(Date.parse(expires_at)).toBeLessThanOrEqual(Date.now() + 300_000);
    expect(Date.parse(expires_at)).toBeGreaterThanOrEqual(asked + 299_000);
    const both = await Promise.all([
      post("/v1/ocr", text, { url: DATA_URL }),
      post("/v1/ocr", text, { url: DATA_URL }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual([202, 409]);
    expect(await answer(await post("/v1/ocr", text, { url: DATA_URL }))).toEqual([
      409,
      "token-used",
    ]);
    expect((await json(call(`/v1/jobs/${job_id}`, { key }))).id).toBe(job_id);
    for (const more of [{ zero_retention: true }, { webhook_url: "https://hooks.io/x" }])
      expect(await answer(await post("/v1/ocr", text, { url: DATA_URL, ...more }))).toEqual([
        403,
        "token-refused",
      ]);
    expect(await answer(await call(`/v1/jobs/${job_id}`, { key: text }))).toEqual([
      403,
      "missing-scope",
    ]);
    for (const [method, path] of [
      ["GET", "/v1/files"],
      ["POST", "/v1/files"],
      ["POST", "/v1/keys"],
      ["POST", "/v1/tokens"],
      ["DELETE", `/v1/jobs/${job_id}`],
      ["GET", "/v1/jobs"],
    ] as const)
      expect(await answer(await call(path, { method, key: text }))).toEqual([403, "token-refused"]);
  });

  it("that may read reads that job, its events and its result, and no other", async () => {
    const file = await upload(key);
    const stop = cog.work(1);
    const [mine, other] = [
      await ended(key, (await json(post("/v1/ocr", key, { file: file.id }))).id),
      await json(post("/v1/ocr", key, { file: file.id })),
    ];
    stop();
    const { token: text } = await token({ scope: "read", job: mine.id });
    for (const path of ["", "/events", "/result?format=md"])
      expect((await call(`/v1/jobs/${mine.id}${path}`, { key: text })).status).toBe(200);
    for (const path of ["", "/events", "/result?format=md"])
      expect(await answer(await call(`/v1/jobs/${other.id}${path}`, { key: text }))).toEqual([
        403,
        "token-refused",
      ]);
    expect((await post("/v1/ocr", text, { file: file.id })).status).toBe(403);
  });

  it("holds no longer than the key that made it, costs no database read, and cannot do more", async () => {
    const made = await json(post("/v1/keys", key, { scopes: ["read"] }));
    const jobId = `job_${"0".repeat(24)}`;
    const reading = await token({ scope: "read", job: jobId }, made.key);
    const ask = () => call(`/v1/jobs/${jobId}`, { key: reading.token });
    expect((await ask()).status).toBe(404);
    expect(await answer(await post("/v1/tokens", made.key, { scope: "write" }))).toEqual([
      403,
      "missing-scope",
    ]);
    await env.DB.prepare("UPDATE keys SET revoked_at = 1 WHERE id = ?").bind(made.id).run();
    expect((await ask()).status).toBe(404);
    await env.DB.prepare("UPDATE keys SET revoked_at = NULL WHERE id = ?").bind(made.id).run();
    await call(`/v1/keys/${made.id}`, { method: "DELETE", key });
    expect(await answer(await ask())).toEqual([401, "invalid-key"]);
  });

  it("is over after five minutes", async () => {
    const { token: text, job_id } = await token({ scope: "read" });
    const now = Date.now();
    expect((await call(`/v1/jobs/${job_id}`, { key: text })).status).toBe(404);
    vi.spyOn(Date, "now").mockReturnValue(now + 301_000);
    expect((await call(`/v1/jobs/${job_id}`, { key: text })).status).toBe(401);
  });

  it("has a rate limit of its own, and leaves that of its key alone", async () => {
    const slow = await json(post("/v1/keys", key, { scopes: ["read"], rate_per_minute: 2 }));
    const { token: text, job_id } = await token({ scope: "read" }, slow.key);
    const ask = () => call(`/v1/jobs/${job_id}`, { key: text });
    const now = Date.now();
    vi.spyOn(Date, "now").mockReturnValue(now);
    for (let i = 0; i < 120; i++) expect((await ask()).status).toBe(404);
    expect((await ask()).status).toBe(429);
    expect((await call("/v1/jobs", { key: slow.key })).status).toBe(200);
  });

  it.each([{}, { scope: "admin" }, { scope: "read", job: "x" }, { scope: "read", x: 1 }])(
    "is not made of %j",
    async (body) => expect((await post("/v1/tokens", key, { ...body })).status).toBe(422),
  );
});

describe("pages of other origins", () => {
  const preflight = (path: string) =>
    call(path, {
      method: "OPTIONS",
      headers: { origin: "https://shop.io", "access-control-request-method": "POST" },
    });

  it("may call what a token may, and see its problems too", async () => {
    const response = await preflight("/v1/ocr");
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.get("access-control-allow-headers")).toContain("authorization");
    const { token: text, job_id } = await token({ scope: "read" });
    const refused = await call(`/v1/jobs/${job_id}`, {
      key: text,
      headers: { origin: "https://shop.io" },
    });
    expect(refused.status).toBe(404);
    expect(refused.headers.get("access-control-allow-origin")).toBe("*");
    expect(refused.headers.get("access-control-allow-credentials")).toBeNull();
  });

  it("may call nothing else", async () => {
    for (const path of ["/v1/keys", "/v1/files", "/v1/tokens", "/v1/jobs"]) {
      const response = await preflight(path);
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
    }
  });
});

describe("a key that is bound to networks", () => {
  const from = (address: string | null, caller: string) =>
    call("/v1/jobs", {
      key: caller,
      headers: address === null ? {} : { "cf-connecting-ip": address },
    });

  it("is refused from elsewhere, before the request is counted", async () => {
    const made = await json(
      post("/v1/keys", key, {
        allowed_cidrs: ["203.0.113.77/24", "2001:db8::/32"],
        rate_per_minute: 3,
      }),
    );
    expect(made.allowed_cidrs).toEqual(["203.0.113.0/24", "2001:db8:0:0:0:0:0:0/32"]);
    for (const address of ["198.51.100.1", "2001:db9::1", "nonsense", null])
      expect(await answer(await from(address, made.key))).toEqual([403, "address-refused"]);
    expect((await from("203.0.113.9", made.key)).status).toBe(200);
    expect((await from("2001:db8:1::9", made.key)).status).toBe(200);
    const rotated = await json(post(`/v1/keys/${made.id}/rotate`, key, {}));
    expect(await answer(await from("198.51.100.1", rotated.key))).toEqual([403, "address-refused"]);
  });

  it.each([[[]], [["everywhere"]], [["10.0.0.0/33"]]])("is not made with %j", async (cidrs) => {
    expect((await post("/v1/keys", key, { allowed_cidrs: cidrs })).status).toBe(422);
  });
});

it("any key may ask what it is, and revoke itself by that", async () => {
  const made = await json(post("/v1/keys", key, { scopes: ["read"] }));
  const self = await json(call("/v1/whoami", { key: made.key }));
  expect(self).toMatchObject({ id: made.id, scopes: ["read"], hint: made.key.slice(-4) });
  const removal = await call(`/v1/keys/${self.id}`, { method: "DELETE", key: made.key });
  expect(removal.status).toBe(204);
  expect((await call("/v1/whoami", { key: made.key })).status).toBe(401);
});

it("a revocation that the guard was not told of holds within ten seconds", async () => {
  const made = await json(post("/v1/keys", key, { scopes: ["read"] }));
  expect((await call("/v1/jobs", { key: made.key })).status).toBe(200);
  await env.DB.prepare("UPDATE keys SET revoked_at = 1 WHERE id = ?").bind(made.id).run();
  expect((await call("/v1/jobs", { key: made.key })).status).toBe(200);
  const now = Date.now();
  vi.spyOn(Date, "now").mockReturnValue(now + 10_001);
  await until(async () => (await call("/v1/jobs", { key: made.key })).status === 401);
});
