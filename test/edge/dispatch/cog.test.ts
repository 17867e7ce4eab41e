import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CogPool, verifyCogCallback } from "../../../src/edge/dispatch/cog.ts";
import type { ShardRequest } from "../../../src/edge/dispatch/upstream.ts";
import { env } from "../support.ts";

const traceparent = `00-${"4".repeat(32)}-${"7".repeat(16)}-01`;
const request: ShardRequest = {
  id: "shard_x-1",
  documentUrl: "https://e.io/file",
  pushUrl: "https://e.io/push",
  callbackUrl: "https://e.io/closed",
  pages: [2, 3],
  together: null,
  maxPages: 100,
  cancelAfterS: 90,
  options: { model: "pp-ocr", mode: "auto", task: "markdown", prompt: null, dpi: 144 },
  tokens: { keep: false, stored: [] },
  password: null,
  traceparent,
};

let asked: Request[];
let status: number;
let health: unknown;
let cog: CogPool;
beforeEach(() => {
  asked = [];
  health = { status: "READY" };
  status = 202;
  cog = new CogPool(env, {
    name: "a",
    type: "cog",
    url: "http://a.test",
    slots: 1,
    draining: false,
  });
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    asked.push(new Request(input as RequestInfo, init as RequestInit));
    if (status === 0) throw new TypeError("no connection");
    if (status === -1) throw new DOMException("too late", "TimeoutError");
    return Response.json(health, { status });
  });
});
afterEach(() => vi.restoreAllMocks());

it("starts a prediction with the id of the attempt, and passes the trace on", async () => {
  expect(await cog.start(request)).toEqual({ prediction: "shard_x-1" });
  const [call] = asked as [Request];
  expect([call.method, call.url]).toEqual(["PUT", "http://a.test/predictions/shard_x-1"]);
  expect(call.headers.get("prefer")).toBe("respond-async");
  expect(call.headers.get("traceparent")).toBe(traceparent);
  expect(await call.json()).toMatchObject({
    input: { pages: "2,3", push_url: "https://e.io/push", traceparent },
    webhook: "https://e.io/closed",
    webhook_events_filter: ["completed"],
  });
});

it("sends no trace if there is none", async () => {
  await cog.start({ ...request, traceparent: null });
  const call = asked[0] as Request;
  expect(call.headers.get("traceparent")).toBeNull();
  expect(((await call.json()) as { input: object }).input).not.toHaveProperty("traceparent");
});

it.each([
  [409, "busy"],
  [503, "starting"],
  [500, "unavailable"],
  [422, "unavailable"],
  [302, "unavailable"],
  [0, "unavailable"],
  // The server may have accepted the prediction.
  [-1, "unanswered"],
  [502, "unanswered"],
  [504, "unanswered"],
])("takes %d for %s", async (answer, why) => {
  status = answer;
  expect(await cog.start(request)).toBe(why);
});

describe("its health", () => {
  it.each([
    [200, { status: "READY" }, { healthy: true, state: "READY" }],
    [200, { status: "BUSY" }, { healthy: true, state: "BUSY" }],
    [200, { status: "STARTING" }, { healthy: false, state: "STARTING" }],
    [200, { status: "SETUP_FAILED" }, { healthy: false, state: "SETUP_FAILED" }],
    [200, {}, { healthy: false, state: "UNREACHABLE" }],
    [500, { status: "READY" }, { healthy: false, state: "UNREACHABLE" }],
    [0, null, { healthy: false, state: "UNREACHABLE" }],
    [-1, null, { healthy: false, state: "LATE" }],
  ])("%d with %j is %j", async (answer, body, found) => {
    status = answer;
    health = body;
    expect(await cog.health()).toEqual(found);
  });
});

describe("its closing webhook", () => {
  const read = (body: string, token = env.WORKER_TOKEN as string) => {
    const headers = { authorization: `Bearer ${token}` };
    return verifyCogCallback(env, new Request("https://e.io", { headers }), body);
  };
  it("is accepted only with the worker's bearer token", async () => {
    const body = JSON.stringify({ id: "p", status: "failed" });
    expect(await read(body)).toEqual({ prediction: "p", status: "failed" });
    expect(await read(body, "another")).toBeNull();
  });
  it.each(["{", "[]", "{}", '{"id":"p"}', '{"id":"p","status":"processing"}', '{"id":7}'])(
    "%s says nothing",
    async (body) => expect(await read(body)).toBeNull(),
  );
});
