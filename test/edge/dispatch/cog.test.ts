import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { CogDispatcher } from "../../../src/edge/dispatch/cog.ts";
import type { ShardRequest } from "../../../src/edge/dispatch/index.ts";
import { settings } from "../../../src/edge/env.ts";
import { env } from "../support.ts";

const request: ShardRequest = {
  ...{ id: "shard_x-1", documentUrl: "https://e.io/file", pushUrl: "https://e.io/push" },
  ...{ callbackUrl: "https://e.io/closed", pages: [2, 3], maxPages: 100, cancelAfterS: 90 },
  options: { model: "pp-ocr", mode: "auto", task: "markdown", prompt: null, dpi: 144 },
};
const servers = [
  { url: "http://a.test", slots: 1 },
  { url: "http://b.test", slots: 3 },
];

let asked: string[];
let answers: Record<string, number>;
let cog: CogDispatcher;
beforeEach(() => {
  asked = [];
  answers = { "a.test": 202, "b.test": 202 };
  cog = new CogDispatcher({ ...settings(env), COG_SERVERS: servers });
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
    const { host } = new URL(String(input));
    asked.push(host);
    const status = answers[host];
    if (!status) throw new TypeError("no connection");
    return Response.json({ status: "READY" }, { status });
  });
});
afterEach(() => vi.restoreAllMocks());

it("asks the server with the most free slots first", async () => {
  const started = await cog.start(request, new Map());
  expect(started).toEqual({ server: "http://b.test", prediction: "shard_x-1" });
  await cog.start(request, new Map([["http://b.test", 3]]));
  expect(asked).toEqual(["b.test", "a.test"]);
});

it("goes on to the next server on 409 or silence", async () => {
  answers = { "a.test": 202, "b.test": 409 };
  expect(await cog.start(request, new Map())).toMatchObject({ server: "http://a.test" });
  answers = { "a.test": 202 };
  expect(await cog.start(request, new Map())).toMatchObject({ server: "http://a.test" });
});

it("is busy when every slot is taken, unavailable when nobody answers", async () => {
  answers = { "a.test": 409, "b.test": 409 };
  expect(await cog.start(request, new Map())).toBe("busy");
  const full = new Map(servers.map(({ url, slots }) => [url, slots]));
  expect(await cog.start(request, full)).toBe("busy");
  answers = {};
  expect(await cog.start(request, new Map())).toBe("unavailable");
});

it("is ready when one server is", async () => {
  answers = { "b.test": 200 };
  expect(await cog.ready()).toEqual({
    ready: true,
    servers: [
      { name: "http://a.test", state: "UNREACHABLE" },
      { name: "http://b.test", state: "READY" },
    ],
  });
});
