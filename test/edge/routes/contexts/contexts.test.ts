/** Contexts in the Worker. The images of the stub contain their text. */
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { age as ageOnce } from "../../../../src/edge/contexts/age.ts";
import { findProfile, type Profile } from "../../../../src/edge/domain/memory/profiles.ts";
import { estimateTextTokens } from "../../../../src/edge/domain/memory/text-tokens.ts";
import { findJobById } from "../../../../src/edge/storage/jobs.ts";
import { findContext } from "../../../../src/edge/storage/memory/contexts.ts";
import { sweep } from "../../../../src/edge/sweep.ts";
import { Eyes } from "../../eyes.ts";
import {
  call,
  env,
  json,
  newKey,
  newTenant,
  post,
  runContextDriver,
  until,
} from "../../support.ts";

const DAY = 86_400_000;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
const ahead = (ms: number) => new Date(Date.now() + ms).toISOString();
/** About 12 tokens per sentence. */
const words = (seed: string, sentences: number) =>
  Array.from(
    { length: sentences },
    (_, i) => `The ${seed} was seen at gate ${i} by the keeper.`,
  ).join(" ");

let eyes: Eyes;
let key: string;
let tenant: string;
beforeEach(async () => {
  eyes = new Eyes().start();
  ({ key, tenant } = await newTenant());
});
afterEach(async () => {
  eyes.stop();
  vi.restoreAllMocks();
  // The sweeps of later tests have nothing to do for this one.
  await env.DB.prepare("UPDATE contexts SET due_at = NULL").run();
});

const create = (body: object = {}) => json(post("/v1/contexts", key, body));
const add = (id: string, ...messages: object[]) =>
  post(`/v1/contexts/${id}/messages`, key, {
    messages: messages.map((message) => ({ role: "user", content: "", ...message })),
  });
const get = (path: string, by = key, headers = {}) =>
  call(`/v1/contexts/${path}`, { key: by, headers });
const patch = (path: string, body: object) =>
  call(`/v1/contexts/${path}`, { method: "PATCH", key, body });
const age = async (id: string, body: object = {}, prefer = "wait=20") =>
  json(post(`/v1/contexts/${id}/age`, key, body, { prefer }));
const view = (id: string, query = "") => json(get(`${id}/view${query}`));
const recall = (id: string, number: number, query = "") =>
  get(`${id}/messages/${number}/recall${query}`, key, { prefer: "wait=20" });
const types = async (id: string, query = "") =>
  (await view(id, query)).items.map(({ type }: { type: string }) => type);
/** The tenant's objects in R2, without the bundles of jobs that have ended. */
const kept = async () =>
  (await env.BUCKET.list()).objects
    .map(({ key }) => key)
    .filter((path) => path.includes(tenant) && !path.includes("/bundles/"));
/** Number of the tenant's rows in a table. */
const count = (table: string) =>
  env.DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE tenant_id = ?`).bind(tenant).first("n");

/** A page of this profile holds a segment, as the one page of the stub does. */
const PROFILE = "gemini/gemini-2.5-flash";

/** Creates a context with three messages that fill a segment, and a fourth that does not. */
async function filled(body: object = {}, ms = 2 * DAY) {
  const { id } = await create({ recent: 0, profile: PROFILE, ...body });
  const messages = ["ship", "crane", "ferry", "buoy"].map((seed) => ({
    content: words(seed, 80),
    created_at: ago(ms),
  }));
  expect((await add(id, ...messages)).status).toBe(201);
  return { id, messages };
}

describe("a context", () => {
  it("is created, listed and shown, and invisible to other tenants", async () => {
    const made = await create({ name: "chat", token_budget: 4000, metadata: { a: "b" } });
    expect(made).toMatchObject({
      name: "chat",
      profile: "deepseek-ocr",
      recent: 12,
      fade: null,
      reader: "pp-ocr",
      erase_after: null,
      last_message: 0,
      aged_at: null,
    });
    const second = await create({ erase_after: 0 });
    const listed = await json(call("/v1/contexts?limit=1", { key }));
    expect(listed.data).toHaveLength(1);
    const rest = await json(call(`/v1/contexts?cursor=${listed.next_cursor}`, { key }));
    const ids = [...listed.data, ...rest.data].map(({ id }: { id: string }) => id);
    expect(ids.sort()).toEqual([made.id, second.id].sort());
    expect(await json(get(made.id))).toEqual(made);
    await add(made.id, { content: "secret" });
    const other = await newKey();
    const paths = ["", "/view", "/segments", "/export", "/costs", "/search?q=secret"];
    for (const path of [...paths, "/messages", "/messages/1", "/messages/1/recall"])
      expect((await get(made.id + path, other)).status, path).toBe(404);
    expect((await call(`/v1/contexts/${made.id}`, { method: "DELETE", key: other })).status).toBe(
      404,
    );
    const reader = await newKey({ scopes: ["read"] });
    expect((await post("/v1/contexts", reader, {})).status).toBe(403);
  });

  it("rejects profiles, forms and readers that do not exist, and ladders that go up", async () => {
    const unknown = await json(post("/v1/contexts", key, { profile: "acme/1" }));
    expect(unknown.type).toBe("urn:fovea:problem:unknown-profile");
    const fade = (...forms: string[]) => ({
      rungs: forms.map((form, i) => ({ form, after: i })),
    });
    for (const wrong of [fade("tiny-12", "text"), fade("blurry"), { rungs: [] }])
      expect((await post("/v1/contexts", key, { fade: wrong })).status).toBe(422);
    expect((await post("/v1/contexts", key, { reader: "fovea-render" })).status).toBe(422);
    const { id } = await create({ fade: fade("text", "tiny-12") });
    // The ladder's forms are not those of the other profile.
    expect((await patch(id, { profile: "openai/gpt-4o" })).status).toBe(422);
    expect(await json(patch(id, { profile: "openai/gpt-4o", fade: null }))).toMatchObject({
      profile: "openai/gpt-4o",
      fade: null,
    });
  });

  it("rejects invalid messages, and stores none of a list with a bad one", async () => {
    const { id } = await create();
    for (const message of [
      { content: "a", importance: 2 },
      { content: "a", role: "x" },
      { content: [{ type: "tool_call", id: "1" }] },
      { content: [{ type: "image", url: "ftp://example.com/a.png" }] },
      { content: 5 },
    ])
      expect((await add(id, { content: "good" }, message)).status).toBe(422);
    const huge = [{ type: "tool_result", id: "c", text: "x".repeat(100_000) }];
    const wordy = { content: [...huge, ...huge, ...huge], role: "tool" };
    const refused = await json(add(id, { content: "good" }, wordy));
    expect(refused.detail).toMatch(/^messages\.1: a message has at most 200000 characters/);
    expect((await json(get(`${id}/messages`))).data).toEqual([]);
    expect((await add("ctx_none", { content: "a" })).status).toBe(404);
  });

  it("accepts messages once per Idempotency-Key", async () => {
    const { id } = await create();
    const body = { messages: [{ role: "user", content: "a" }] };
    for (let i = 0; i < 2; i++)
      await post(`/v1/contexts/${id}/messages`, key, body, { "idempotency-key": "once" });
    expect((await view(id)).items).toHaveLength(1);
  });

  it("takes the lists of providers, with tool calls and empty contents", async () => {
    const { id } = await create();
    const openai = {
      format: "openai",
      messages: [
        { role: "developer", content: "Be brief." },
        { role: "user", content: [{ type: "text", text: "Weather?" }] },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            {
              id: "c1",
              type: "function",
              function: { name: "weather", arguments: '{"at":"Bonn"}' },
            },
          ],
        },
        { role: "tool", tool_call_id: "c1", content: "Rain" },
      ],
    };
    expect((await post(`/v1/contexts/${id}/messages`, key, openai)).status).toBe(201);
    const anthropic = {
      format: "anthropic",
      messages: [{ role: "assistant", content: [{ type: "text", text: "It rains." }] }],
    };
    expect((await post(`/v1/contexts/${id}/messages`, key, anthropic)).status).toBe(201);
    const { data } = await json(get(`${id}/messages`));
    expect(data.map(({ role }: { role: string }) => role)).toEqual([
      "developer",
      "user",
      "assistant",
      "tool",
      "assistant",
    ]);
    expect(data[2].parts).toEqual([
      { type: "tool_call", id: "c1", name: "weather", arguments: '{"at":"Bonn"}' },
    ]);
    const { messages } = await view(id, "?format=openai");
    const call = messages.find((one: { tool_calls?: object }) => one.tool_calls);
    expect(call).toMatchObject({ role: "assistant", tool_calls: [{ id: "c1" }] });
    const wrong = await json(
      post(`/v1/contexts/${id}/messages`, key, { format: "openai", messages: [{ role: "bot" }] }),
    );
    expect(wrong).toMatchObject({ type: "urn:fovea:problem:invalid-request" });
    expect(wrong.detail).toMatch(/messages\[0\]\.role/);
  });

  it("takes a list that is larger than a value of D1, and the longest message", async () => {
    const { id } = await create();
    const long = Array.from({ length: 30 }, (_, i) => ({ content: `${i} ${"漢".repeat(30_000)}` }));
    expect((await add(id, ...long)).status).toBe(201);
    const parts = [1, 2].map(() => ({ type: "text", text: "漢".repeat(99_000) }));
    expect((await add(id, { content: parts })).status).toBe(201);
    const last = await json(get(`${id}/messages/31`));
    expect(last.characters).toBe(2 * 99_000 + 2);
  });

  it("lists its messages in pages", async () => {
    const { id } = await create();
    await add(id, ...["a", "b", "c"].map((content) => ({ content })));
    const first = await json(get(`${id}/messages?limit=2`));
    expect(first.data.map(({ text }: { text: string }) => text)).toEqual(["a", "b"]);
    const rest = await json(get(`${id}/messages?limit=2&after=${first.next_after}`));
    expect(rest).toMatchObject({ data: [{ number: 3, text: "c" }], next_after: null });
  });
});

describe("ageing", () => {
  it("seals older messages, and shows them as images where these are cheaper", async () => {
    const { id, messages } = await filled();
    const aged = await age(id);
    expect(aged).toMatchObject({ state: "done", error: null, sealed: 1 });
    expect(aged.changes).toMatchObject([{ first_message: 1, last_message: 3, from: "text" }]);
    expect(aged.tokens.total).toBeLessThan(aged.tokens.as_text);
    expect(aged.expected_tokens).toBe(aged.tokens.total);
    const { items, stable_items } = await view(id);
    expect(items).toMatchObject([
      { type: "image", first_message: 1, last_message: 3, sidecar: [] },
      { type: "message", number: 4, role: "user", text: messages[3]?.content },
    ]);
    expect(items[0].index).toMatch(/^1–3, /);
    expect(items[0].pages[0].messages).toEqual(
      [1, 2, 3].map((number) => ({ number, role: "user" })),
    );
    expect(stable_items).toBe(1);
    // The texts, and one page with what was read of it: no source document and no job of the renderer.
    const keys = await kept();
    expect(keys.filter((path) => path.startsWith("contexts/"))).toEqual([
      expect.stringMatching(`/${id}/segments/1$`),
    ]);
    const forms = (await json(get(`${id}/segments`))).data[0].renders;
    expect(keys.filter((path) => path.startsWith("files/"))).toHaveLength(forms.length);
    expect((await json(call("/v1/files", { key }))).data).toEqual([]);
    expect(eyes.seen.slice(0, 2).map(({ model, media }) => `${model} ${media}`)).toEqual([
      "fovea-render application/vnd.fovea.conversation+json",
      "pp-ocr image/png",
    ]);
  });

  it("counts the words around an image as they are sent, in the tokens of the profile", async () => {
    const claude = findProfile("anthropic/claude-opus-5") as Profile;
    const fade = { rungs: [{ form: "page-12", after: 0 }] };
    const { id } = await create({ recent: 0, profile: claude.id, fade });
    // The reader misses what contains an e, so it is written beside the image.
    const content = (i: number) => `Ticket TKT-${i}eee/C. ${words("ship", 80)}`;
    await add(id, ...[1, 2, 3, 4].map((i) => ({ content: content(i) })));
    await age(id);
    const [item] = (await view(id)).items;
    expect(item.sidecar).toEqual(["TKT-1eee/C", "TKT-2eee/C", "TKT-3eee/C"]);
    const { messages } = await view(id, "?format=anthropic");
    const parts = messages[0].content as { type: string; text: string }[];
    const around = parts.filter(({ type, text }) => type === "text" && text.startsWith("[memory"));
    const sent = around.reduce((sum, { text }) => sum + estimateTextTokens(text), 0);
    expect(Math.abs(item.tokens - item.pages[0].tokens - claude.textTokens(sent))).toBeLessThan(6);
  });

  it("takes a clearer form where the reader cannot read the cheapest", async () => {
    const { id } = await filled();
    await age(id);
    const [segment] = (await json(get(`${id}/segments`))).data;
    const tried = segment.renders as { form: string; precision: number }[];
    expect(tried.length).toBeGreaterThan(1);
    for (const { form, precision } of tried)
      expect(precision >= 0.97, form).toBe(form === segment.form);
  });

  it("does not make images of what is cheaper as text", async () => {
    const { id } = await filled({ profile: "openai/gpt-4o-mini" });
    expect(await age(id)).toMatchObject({ state: "done", sealed: 1, changes: [] });
    expect(await types(id)).toEqual(Array(4).fill("message"));
    expect(eyes.seen).toEqual([]);
  });

  it("previews changes without making them", async () => {
    const { id } = await filled();
    await age(id);
    const look = await age(id, { dry_run: true, at: ahead(40 * DAY) });
    expect(look).toMatchObject({ dry_run: true, changes: [] });
    expect((await post(`/v1/contexts/${id}/age`, key, { at: ago(DAY) })).status).toBe(422);
  });

  it("always shows pinned messages as text", async () => {
    const { id } = await create({ recent: 0, profile: PROFILE });
    await add(
      id,
      { content: "You are a harbour master.", role: "system", pinned: true },
      ...["ship", "crane", "ferry", "buoy"].map((seed) => ({ content: words(seed, 80) })),
    );
    await age(id);
    expect(await types(id)).toEqual(["message", "image", "message"]);
    // Pinned after it was sealed: the image stays as it is.
    await patch(`${id}/messages/3`, { pinned: true });
    await age(id);
    const { items } = await view(id);
    expect(
      items.map(({ type, number }: { type: string; number?: number }) => number ?? type),
    ).toEqual([1, "image", 3, 5]);
  });

  it("keeps to a token budget, down to index lines, and says so where it cannot", async () => {
    const { id } = await create({ token_budget: 2500, recent: 1, profile: PROFILE });
    for (const seed of ["ship", "crane", "ferry", "buoy", "gull", "tide", "rope", "oar"])
      await add(id, { content: words(seed, 80) });
    expect(await view(id)).toMatchObject({ over_budget: true });
    const aged = await age(id);
    expect(aged.tokens.total).toBeLessThanOrEqual(2500);
    expect(aged.over_budget).toBe(false);
    expect((await types(id)).at(-1)).toBe("message");
    await patch(id, { token_budget: 200 });
    const tight = await age(id);
    expect(tight).toMatchObject({ state: "done", over_budget: true });
    expect(tight.over_budget_reason).toMatch(/the budget is 200/);
    expect((await view(id)).hidden_segments).toBeGreaterThan(0);
  });

  it("fades by age along a ladder, and never back", async () => {
    const fade = {
      by: "time",
      rungs: [
        { form: "tile-14", after: 0 },
        { form: "index", after: 365 * 86_400 },
      ],
    };
    const { id } = await filled({ fade });
    const forms: string[] = [];
    for (const days of [0, 40, 400, 1]) {
      await age(id, days > 0 ? { at: ahead(days * DAY) } : {});
      forms.push((await json(get(`${id}/segments`))).data[0].form);
    }
    expect(forms).toEqual(["tile-14", "tile-14", "index", "index"]);
  });

  it("is done by the context's driver without a request", async () => {
    const { id } = await filled();
    await until(async () => {
      await runContextDriver(id);
      return (await view(id)).items[0].type === "image";
    });
  });

  it("is done although the wake-up of the driver was lost", async () => {
    const { id } = await filled();
    const driver = env.CONTEXTS.get(env.CONTEXTS.idFromName(id));
    const alarm = () => runInDurableObject(driver, (_, { storage }) => storage.getAlarm());
    await runInDurableObject(driver, (_, { storage }) => storage.deleteAll());
    await sweep(env);
    expect(await alarm()).toBeNull();
    await env.DB.prepare("UPDATE contexts SET due_at = due_at - 180000 WHERE id = ?")
      .bind(id)
      .run();
    await sweep(env);
    expect(await alarm()).toBeGreaterThan(Date.now());
  });

  it("rests until the next rung of the ladder, and for good without one", async () => {
    const hours = 2;
    const rungs = [{ form: "index", after: 2 * 86_400 + hours * 3600 }];
    for (const [fade, rest] of [
      [{ by: "time", rungs }, hours * 3600_000],
      [undefined, null],
    ] as const) {
      const { id } = await filled({ fade });
      const driver = env.CONTEXTS.get(env.CONTEXTS.idFromName(id));
      const alarm = () => runInDurableObject(driver, (_, { storage }) => storage.getAlarm());
      const filledAt = Date.now();
      await age(id);
      await runContextDriver(id);
      const next = await alarm();
      if (rest === null) expect(next).toBeNull();
      else expect(Math.abs((next ?? 0) - filledAt - rest)).toBeLessThan(120_000);
    }
  });

  it("changes nothing if an image cannot be made, and reports why", async () => {
    const { id } = await filled();
    eyes.broken.add("fovea-render");
    const failed = await age(id);
    expect(failed.error).toMatchObject({ code: "page_unreadable" });
    expect((await json(get(id))).error).toMatchObject({ code: "page_unreadable" });
    expect(await types(id)).toEqual(Array(4).fill("message"));
  });

  it("shows no image that the reader could not check, and erases no text for it", async () => {
    const { id } = await filled({ erase_after: 0 });
    eyes.broken.add("pp-ocr");
    const failed = await age(id);
    expect(failed.error).toMatchObject({ code: "not_checked" });
    expect(await types(id)).toEqual(Array(4).fill("message"));
    expect((await kept()).filter((path) => path.startsWith("files/"))).toEqual([]);
  });

  it("makes images for another profile from the first view of it", async () => {
    const { id } = await filled();
    await age(id);
    expect(await types(id, "?profile=gemini/gemini-3.8-flash")).toEqual(Array(4).fill("message"));
    await age(id);
    const shown = await view(id, "?profile=gemini/gemini-3.8-flash");
    expect(shown.items[0]).toMatchObject({
      type: "image",
      form: expect.stringMatching(/^(high|low)-/),
    });
    expect(shown.cost.usd).toBeLessThan(shown.cost.usd_as_text);
    expect((await get(`${id}/view?profile=nobody/1`)).status).toBe(422);
    const { data } = await json(get(`${id}/costs`));
    const mini = data.find(({ profile }: { profile: string }) => profile === "openai/gpt-4o-mini");
    expect(mini.tokens).toBe(mini.tokens_as_text);
  });
});

interface Shown {
  type: string;
  number: number;
  text: string;
  first_message: number;
  last_message: number;
}

const ended = async (jobId: string) => (await findJobById(env.DB, jobId))?.finishedAt !== null;

/** Runs the sweep minutes later, when it recovers whatever has lost its driver. */
async function later(condition: () => Promise<boolean>) {
  const real = Date.now;
  const clock = vi.spyOn(Date, "now").mockImplementation(() => real() + 5 * 60_000);
  try {
    await until(async () => {
      await sweep(env);
      if (await condition()) return true;
      // A sweep after the other would keep the machine from what it waits for.
      await new Promise((resolve) => setTimeout(resolve, 100));
      return false;
    });
  } finally {
    clock.mockRestore();
  }
}

describe("interrupted anywhere", () => {
  let left = 0;
  const cuts: { mockRestore(): void }[] = [];
  /** Makes the n-th write to the bucket or database fail, as if the isolate died there. */
  function cutAfter(writes: number) {
    left = writes;
    const wrap = (target: object, name: string, isWrite: (first: unknown) => boolean) => {
      const methods = target as Record<string, (...args: unknown[]) => unknown>;
      const real = (methods[name] as (typeof methods)[string]).bind(target);
      const cut = vi.spyOn(methods, name).mockImplementation((...args) => {
        if (isWrite(args[0]) && left-- <= 0) throw new Error("cut off");
        return real(...args);
      });
      cuts.push(cut);
    };
    wrap(env.BUCKET, "put", () => true);
    wrap(env.BUCKET, "delete", () => true);
    wrap(env.DB, "batch", () => true);
    wrap(env.DB, "prepare", (sql) =>
      /^\s*(UPDATE|INSERT INTO|DELETE FROM) context/.test(String(sql)),
    );
  }

  /** Ages a context three times (begin the image, check it, show it) and interrupts one of the steps. */
  async function survives(cutStep: number, writes: number): Promise<boolean> {
    const where = `step ${cutStep} after ${writes} writes`;
    // Its cheapest form can be read, so that one image is made.
    const { id, messages } = await filled({ profile: "gemini/gemini-2.5-flash" });
    const context = await findContext(env.DB, tenant, id);
    if (!context) throw new Error("no context");
    let cut = false;
    eyes.stop();
    for (const step of [1, 2, 3]) {
      cutAfter(step === cutStep ? writes : Number.POSITIVE_INFINITY);
      const begun = await ageOnce(env, context, Date.now()).catch(() => null);
      cut ||= left < 0;
      for (const cut of cuts.splice(0)) cut.mockRestore();
      eyes.start();
      // The sweep would also finish the image, so it runs only for jobs that have lost their driver.
      const wait = cutStep < 3 ? later : until;
      for (const job of begun?.jobs ?? []) await wait(() => ended(job));
      eyes.stop();
    }
    const { items } = await view(id);
    for (const [i, { content }] of messages.entries())
      expect(
        items.some((item: Shown) =>
          item.type === "message"
            ? item.number === i + 1 && item.text === content
            : item.first_message <= i + 1 && i + 1 <= item.last_message,
        ),
        `message ${i + 1}, ${where}`,
      ).toBe(true);

    eyes.start();
    await env.DB.prepare("UPDATE contexts SET leased_until = NULL").run();
    await later(async () => (await age(id, {}, "")).state === "done");
    expect((await view(id)).items[0], where).toMatchObject({ type: "image", last_message: 3 });
    for (const [i, { content }] of messages.entries())
      expect((await json(recall(id, i + 1))).text, where).toBe(content);
    await call(`/v1/contexts/${id}`, { method: "DELETE", key });
    expect(await kept(), where).toEqual([]);
    return cut;
  }

  it.each([
    [1, 0],
    [2, 1],
    [3, 0],
  ])(
    "in step %i, it is taken up again and loses nothing",
    async (step, first) => {
      // Each takes seconds, so every eighth write is cut.
      let writes = first;
      while (await survives(step, writes)) writes += 8;
      expect(writes).toBeGreaterThan(2);
    },
    240_000,
  );
});

describe("a view", () => {
  it("is the list of messages of a request", async () => {
    const { id } = await filled();
    await age(id);
    const { messages, items } = await view(id, "?format=openai&images=data");
    expect(items).toBeUndefined();
    const text = JSON.stringify(messages);
    expect(text).toMatch(/data:image\/png;base64,iVBORw0KGg/);
    expect(messages.at(-1).role).toBe("user");
    const anthropic = await view(id, "?format=anthropic");
    expect(JSON.stringify([anthropic.system, anthropic.messages])).toContain("cache_control");
    expect((await view(id, "?format=gemini")).contents.length).toBeGreaterThan(0);
  });

  it("has URLs that work without a key, for one image and at least one hour", async () => {
    const { id } = await filled();
    await age(id);
    const { items } = await view(id);
    const { url } = items[0].pages[0];
    expect((await view(id)).items[0].pages[0].url).toBe(url);
    const image = await call(url);
    expect([image.status, image.headers.get("content-type")]).toEqual([200, "image/png"]);
    const plain = new URL(url).pathname;
    expect((await call(plain)).status).toBe(401);
    expect((await call(plain, { key })).status).toBe(200);
    expect((await call(plain, { key: await newKey() })).status).toBe(404);
    expect((await call(url.replace("/1?", "/2?"))).status).toBe(401);
    expect((await call(url.replace(/expires=\d/, "expires=9"))).status).toBe(401);
    vi.useFakeTimers({ now: Date.now() + 3600_000 - 1000, toFake: ["Date"] });
    expect((await call(url)).status).toBe(200);
    vi.setSystemTime(Date.now() + 7 * 3600_000);
    expect((await call(url)).status).toBe(401);
    vi.useRealTimers();
  });
});

describe("search", () => {
  const search = async (id: string, q: string) =>
    (await json(get(`${id}/search?q=${encodeURIComponent(q)}`))).data.map(
      ({ number }: { number: number }) => number,
    );

  it("finds ids, words and phrases, in sealed and in new messages", async () => {
    const { id } = await filled();
    await age(id);
    await add(
      id,
      { content: "Your ticket is TKT-RRR6WR3/C, over 1,284.55 EUR." },
      { content: "我们明天在港口见面" },
    );
    expect(await search(id, "crane gate")).toEqual([2]);
    expect(await search(id, "TKT-RRR6WR3/C")).toEqual([5]);
    expect(await search(id, "1,284.55")).toEqual([5]);
    expect(await search(id, "港口")).toEqual([6]);
    expect(await search(id, '"keeper ferry"')).toEqual([]);
    expect(await search(id, "submarine")).toEqual([]);
    for (const hostile of ['" OR *', "NEAR(", "a:b", "-", "';--"])
      expect((await get(`${id}/search?q=${encodeURIComponent(hostile)}`)).status).toBeLessThan(500);
    const { data } = await json(get(`${id}/search?q=ticket`));
    expect(data[0]).toMatchObject({ number: 5, snippet: expect.stringContaining("TKT-RRR6WR3/C") });
  });

  it("forgets deleted and erased messages", async () => {
    const { id } = await filled({ erase_after: 0 });
    expect(await search(id, "crane")).toEqual([2]);
    await age(id);
    expect(await search(id, "crane")).toEqual([]);
    expect(await search(id, "buoy")).toEqual([4]);
    await call(`/v1/contexts/${id}/messages/4`, { method: "DELETE", key });
    expect(await search(id, "buoy")).toEqual([]);
  });
});

describe("a segment", () => {
  it("is opened, and seen closer", async () => {
    const { id, messages } = await filled();
    await age(id);
    const [segment] = (await json(get(`${id}/segments`))).data;
    const opened = await json(get(`${id}/segments/${segment.id}`));
    expect(opened.messages.map(({ text }: { text: string }) => text)).toEqual(
      messages.slice(0, 3).map(({ content }) => content),
    );
    const zoom = (body: object) =>
      post(`/v1/contexts/${id}/segments/${segment.id}/zoom`, key, body, { prefer: "wait=20" });
    const closer = await json(zoom({ form: "tile-14" }));
    expect(closer).toMatchObject({ state: "ready", form: "tile-14", pages: [{ width: 1536 }] });
    expect((await call(closer.pages[0].url)).status).toBe(200);
    expect((await json(get(`${id}/segments`))).data[0].form).toBe(segment.form);
    const unknown = await json(zoom({ form: "huge-99" }));
    expect(unknown.type).toBe("urn:fovea:problem:unknown-form");
    expect((await get(`${id}/segments/seg_none`)).status).toBe(404);
  });
});

describe("what a context keeps", () => {
  const texts = async (id: string) =>
    (await kept()).filter((path) => path.startsWith(`contexts/${tenant}/${id}/`)).length;

  it("is all of its texts, until `erase_after` says otherwise", async () => {
    const { id, messages } = await filled();
    await age(id);
    expect(await texts(id)).toBe(1);
    expect(await json(patch(id, { erase_after: 30 * 86_400 }))).toMatchObject({
      erase_after: 30 * 86_400,
      token_budget: null,
    });
    await age(id);
    expect(await texts(id)).toBe(1);
    await patch(id, { erase_after: 86_400 });
    await age(id);
    expect(await texts(id)).toBe(0);
    expect(await json(get(`${id}/messages/1`))).toMatchObject({ original: "erased", text: null });
    expect(await json(recall(id, 1))).toMatchObject({
      source: "image",
      state: "recalled",
      scope: "message",
      verified: true,
      text: messages[0]?.content,
    });
    expect((await patch(id, { erase_after: -1 })).status).toBe(422);
    expect((await patch(id, { ladder: {} })).status).toBe(422);
    const [segment] = (await json(get(`${id}/segments`))).data;
    const zoom = post(`/v1/contexts/${id}/segments/${segment.id}/zoom`, key, {
      profile: "openai/gpt-4o",
      form: "low-12",
    });
    expect((await zoom).status).toBe(409);
  });

  it("does not include a deleted message, in any form", async () => {
    const { id, messages } = await filled();
    await age(id);
    const remove = (number: number, by = key) =>
      call(`/v1/contexts/${id}/messages/${number}`, { method: "DELETE", key: by });
    expect((await remove(2, await newKey())).status).toBe(404);
    const images = async () => (await kept()).filter((path) => path.startsWith("files/")).length;
    expect(await images()).toBeGreaterThan(0);
    expect((await remove(2)).status).toBe(204);
    expect(await images()).toBe(0);
    expect((await remove(2)).status).toBe(404);
    const { items } = await view(id);
    expect(items.map(({ number }: { number: number }) => number)).toEqual([1, 3, 4]);
    expect(JSON.stringify(items)).not.toContain("crane");
    await age(id);
    expect((await view(id)).items[0]).toMatchObject({ type: "image", last_message: 3 });
    expect(await json(recall(id, 3, "?source=image"))).toMatchObject({
      text: messages[2]?.content,
    });
  });

  it("loses no other message with a deleted one", async () => {
    const { id } = await filled({ erase_after: 0 });
    await age(id);
    const answer = await call(`/v1/contexts/${id}/messages/2`, { method: "DELETE", key });
    expect(answer.status).toBe(409);
    expect(await json(answer)).toMatchObject({ type: "urn:fovea:problem:text-erased" });
    expect(await json(recall(id, 2))).toMatchObject({ state: "recalled", source: "image" });
  });
});

describe("recall", () => {
  it("returns a text message unchanged", async () => {
    const { id } = await create();
    await add(id, { content: "Hello" });
    expect(await json(recall(id, 1))).toMatchObject({
      state: "recalled",
      source: "original",
      form: "text",
      text: "Hello",
    });
    expect((await recall(id, 2)).status).toBe(404);
  });

  it("returns the original without reading anything, as long as it is kept", async () => {
    const { id, messages } = await filled({ reader: null });
    await age(id);
    expect(await json(recall(id, 2))).toMatchObject({
      state: "recalled",
      source: "original",
      text: messages[1]?.content,
      verdict: null,
      jobs: [],
    });
    expect(eyes.seen.filter(({ model }) => model === "pp-ocr")).toEqual([]);
  });

  it("reads the image once per form and reader, and reports the accuracy", async () => {
    const { id, messages } = await filled({ reader: null });
    await age(id);
    const first = await json(recall(id, 2, "?source=image"));
    expect(first).toMatchObject({
      state: "recalled",
      source: "image",
      scope: "message",
      verdict: "ok",
      model: "pp-ocr",
    });
    expect(first.measured.characters).toBe(messages[1]?.content.length);
    const readings = () => eyes.seen.filter(({ model }) => model === "pp-ocr").length;
    expect(readings()).toBe(1);
    expect((await json(recall(id, 2, "?source=image"))).jobs).toEqual(first.jobs);
    expect(readings()).toBe(1);
  });

  it("says that it is still reading", async () => {
    const { id } = await filled({ reader: null });
    await age(id);
    eyes.stop();
    const response = await get(`${id}/messages/1/recall?source=image`);
    expect([response.status, response.headers.get("retry-after")]).toEqual([202, "2"]);
    expect(await json(response)).toMatchObject({ state: "reading", text: null });
  });

  it("rejects readers that are not offered, do not read, or fail", async () => {
    const { id } = await filled({ reader: null });
    await age(id);
    expect((await recall(id, 1, "?model=nobody")).status).toBe(422);
    expect((await recall(id, 1, "?model=fovea-render")).status).toBe(422);
    eyes.broken.add("pp-ocr");
    expect((await json(recall(id, 1, "?source=image"))).detail).toMatch(/page_unreadable/);
  });
});

describe("export and import", () => {
  const lines = async (id: string) =>
    (await (await get(`${id}/export`)).text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  const bring = (text: string) =>
    call("/v1/contexts/import", {
      method: "POST",
      key,
      body: new TextEncoder().encode(text),
      headers: { "content-type": "application/jsonl" },
    });

  it("make the same context again", async () => {
    const { id } = await filled({ name: "harbour", token_budget: 3000 });
    await age(id);
    await patch(`${id}/messages/4`, { pinned: true });
    const exported = await lines(id);
    expect(exported.map(({ type }) => type)).toEqual(["context", ...Array(4).fill("message")]);
    const made = await bring(exported.map((line) => JSON.stringify(line)).join("\n"));
    expect(made.status, await made.clone().text()).toBe(201);
    const context = await json(made);
    expect(context).toMatchObject({
      name: "harbour",
      token_budget: 3000,
      imported: 4,
      skipped: [],
    });
    const again = await lines(context.id);
    const said = (all: typeof exported) =>
      all.slice(1).map(({ role, parts, pinned, created_at, sha256 }) => ({
        role,
        parts,
        pinned,
        created_at,
        sha256,
      }));
    expect(said(again)).toEqual(said(exported));
  });

  it("say what they leave out, and take nothing of a bad file", async () => {
    const { id } = await filled({ erase_after: 0 });
    await age(id);
    const exported = await lines(id);
    expect(exported.at(-1)).toMatchObject({ type: "page", page: 1 });
    expect(exported.at(-1).png).toMatch(/^iVBORw0KGg/);
    const text = exported.map((line) => JSON.stringify(line)).join("\n");
    expect(await json(bring(text))).toMatchObject({ imported: 1, skipped: [1, 2, 3] });
    const before = await count("contexts");
    const head = JSON.stringify({ type: "context" });
    const line = (number: number, ...parts: object[]) =>
      JSON.stringify({ type: "message", number, role: "user", parts, created_at: ago(0) });
    const call_ = { type: "tool_call", id: "c", name: "f", arguments: "{}" };
    const result = { type: "tool_result", id: "c", text: "" };
    for (const [bad, why] of [
      ["{", /line 1: not JSON/],
      [line(1), /line 1: must have the type/],
      [`${head}\n${line(2)}\n${line(2)}`, /line 3: message 2 does not follow/],
      [`${head}\n${line(1, result)}\n${line(2, call_)}`, /line 2: the result of the tool call c/],
      [`${head}\n${line(1, call_)}\n${line(2, call_)}`, /line 3: the tool call c is there twice/],
      [`${head}\n${head}`, /line 2: a second context/],
    ] as const)
      expect((await json(bring(bad))).detail).toMatch(why);
    expect((await post("/v1/contexts/import", key, {})).status).toBe(415);
    expect(await count("contexts")).toBe(before);
  });
});

describe("the end", () => {
  it("leaves nothing behind", async () => {
    const { id } = await filled();
    await add(id, { content: "New" });
    await age(id);
    await recall(id, 1, "?source=image");
    await get(`${id}/search?q=new`);
    expect((await call(`/v1/contexts/${id}`, { method: "DELETE", key })).status).toBe(204);
    expect(await kept()).toEqual([]);
    for (const table of ["contexts", "files", "results"]) expect(await count(table), table).toBe(0);
    for (const table of ["messages", "segments", "renders", "views"]) {
      const left = env.DB.prepare(
        `SELECT count(*) AS n FROM context_${table} WHERE context_id = ?`,
      );
      expect(await left.bind(id).first("n"), table).toBe(0);
    }
    expect((await get(id)).status).toBe(404);
    const audit = await json(call("/v1/audit", { key }));
    expect(audit.data[0]).toMatchObject({ action: "context.deleted", target: id });
  });

  it("is done by the driver if the context was being aged", async () => {
    const { id } = await filled();
    await age(id);
    await env.DB.prepare("UPDATE contexts SET leased_until = ? WHERE id = ?")
      .bind(Date.now() + 60_000, id)
      .run();
    await call(`/v1/contexts/${id}`, { method: "DELETE", key });
    expect((await get(id)).status).toBe(404);
    expect((await kept()).length).toBeGreaterThan(0);
    await env.DB.prepare("UPDATE contexts SET leased_until = NULL").run();
    await runContextDriver(id);
    expect(await kept()).toEqual([]);
    expect(await runContextDriver(id)).toBe(false);
  });

  it("pages of a context cannot be named, listed or deleted as files", async () => {
    const { id } = await filled();
    await age(id);
    const file = await env.DB.prepare("SELECT id FROM files WHERE tenant_id = ?")
      .bind(tenant)
      .first<string>("id");
    expect((await call(`/v1/files/${file}`, { key })).status).toBe(404);
    expect((await call(`/v1/files/${file}`, { method: "DELETE", key })).status).toBe(404);
    expect((await post("/v1/ocr", key, { file, zero_retention: true })).status).toBe(404);
  });
});
