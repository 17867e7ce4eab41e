/** Extractions, from the request to what is stored; the model is the stand-in of test/extractor.ts. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { extractFromJob } from "../../../src/edge/extraction/extract.ts";
import { advanceExtraction } from "../../../src/edge/extraction/run.ts";
import { findJobById, type Job } from "../../../src/edge/storage/jobs.ts";
import { sweep } from "../../../src/edge/sweep.ts";
import { stores, violations } from "../invariants.ts";
import {
  CogStub,
  call,
  EXTRACTOR,
  ended,
  env,
  json,
  newKey,
  post,
  until,
  upload,
} from "../support.ts";

let cog: CogStub;
let key: string;
beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => expect(await violations(stores(env))).toEqual([]));

const SCHEMA = {
  type: "object",
  properties: {
    number: { type: "string" },
    date: { type: "string", format: "date" },
    total: { type: ["number", "null"] },
    lines: {
      type: "array",
      items: {
        type: "object",
        properties: { item: { type: "string" }, price: { type: "number" } },
      },
    },
  },
  required: ["number", "total"],
};

/** A page of an invoice, as a worker pushes it. */
const invoice = (page: number, total: string | null = "GBP 1,250.50") => {
  const lines = [
    `Number: INV-${page}`,
    "Date: 12 March 2026",
    ...(total ? [`Total: ${total}`] : []),
  ];
  const rows = [
    ["Item", "Price"],
    [`Lamp ${page}`, "139.00"],
    ["Service", "20.00"],
  ];
  const html = `<table>${rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`).join("")}</table>`;
  return {
    markdown: `${lines.join("\n")}\n\n${html}`,
    blocks: [
      { id: 1, type: "text", bbox: [0, 0, 1, 0.2], text: lines.join("\n"), confidence: 1 },
      {
        id: 2,
        type: "table",
        bbox: [0, 0.2, 1, 0.4],
        text: rows.map((row) => row.join("\t")).join("\n"),
        html,
        confidence: 1,
        cells: rows.flatMap((row, r) =>
          row.map((text, column) => ({
            row: r,
            column,
            rowspan: 1,
            colspan: 1,
            text,
            bbox: [column / 2, 0.2 + r / 20, column / 2 + 0.4, 0.25 + r / 20],
          })),
        ),
      },
    ],
  } as never;
};

/** Reads a document of invoices to the end. */
async function read(pages = 1, body: object = {}, file?: string) {
  const stop = cog.work(pages, (page) => invoice(page));
  const id = file ?? (await upload(key)).id;
  const job = await ended(key, (await json(post("/v1/ocr", key, { file: id, ...body }))).id);
  stop();
  return job;
}

let extractions = 0;
/** Instructions that no other test sends, with a trick of the stand-in. */
const trick = (name = "none") => `stand-in: ${name} (${++extractions})`;

const extract = (job: string, body: object = {}, headers: object = { prefer: "wait=30" }) =>
  post(`/v1/jobs/${job}/extract`, key, { schema: SCHEMA, ...body }, headers);

const asked = async (instructions: string) =>
  json(fetch(`${EXTRACTOR}/asked?instructions=${encodeURIComponent(instructions)}`));

/** The events of a job until the stream ends. */
async function events(job: string, after = "0") {
  const headers = { "last-event-id": after };
  const text = await (await call(`/v1/jobs/${job}/events`, { key, headers })).text();
  return Array.from(
    text.matchAll(/event: (.*)\ndata: (.*)\nid: (.*)\n/g),
    ([, type, data, id]) => ({
      type,
      data: JSON.parse(data as string),
      id,
    }),
  );
}

const usage = async () => (await json(call("/v1/usage", { key }))).total;

/** An extraction whose turns the test takes. */
async function undriven(job: { id: string }, instructions: string, schema: object = SCHEMA) {
  const still = { ...env, EXTRACTIONS: { create: async () => {} } } as unknown as typeof env;
  const stored = (await findJobById(env.DB, job.id)) as Job;
  return extractFromJob(still, { job: stored, schema, instructions });
}

/** Takes turns until the extraction has ended. @returns the pauses between them */
async function drive(id: string, settings: Record<string, string> = {}) {
  const pauses: unknown[] = [];
  for (let turn = 0; turn < 100; turn++) {
    const next = await advanceExtraction({ ...env, ...settings }, id);
    if (next === null) return pauses;
    if (next !== 0) pauses.push(next);
    await env.DB.prepare("UPDATE extractions SET due_at = 0 WHERE id = ?").bind(id).run();
  }
  throw new Error("it does not end");
}

const stored = async (fileId: string) =>
  (await env.BUCKET.list()).objects
    .map((object) => object.key)
    .filter((name) => name.includes(fileId) && name.includes("/extractions/"));

describe("an extraction", () => {
  it("fills the schema from the pages, and cites them", async () => {
    const job = await read();
    const response = await extract(job.id);
    expect(response.status).toBe(200);
    const made = await json(response);
    expect(made).toMatchObject({
      job_id: job.id,
      state: "succeeded",
      model: "stand-in",
      cached: false,
      progress: { total: 1, done: 1 },
      usage: { input_tokens: 100, output_tokens: 10 },
      error: null,
      data: {
        number: "INV-1",
        date: "2026-03-12",
        total: 1250.5,
        lines: [
          { item: "Lamp 1", price: 139 },
          { item: "Service", price: 20 },
        ],
      },
      conflicts: [],
      unread_pages: [],
    });
    expect(made.citations.date).toEqual({
      page: 1,
      blocks: [1],
      boxes: [[0, 0, 1, 0.2]],
      match: "normalized",
      text: "12 March 2026",
    });
    expect(made.citations.lines[1].price).toMatchObject({ blocks: [2], text: "20.00" });
    expect(response.headers.get("location")).toBe(`/v1/jobs/${job.id}/extractions/${made.id}`);
    const again = await json(call(`/v1/jobs/${job.id}/extractions/${made.id}`, { key }));
    expect(again).toEqual(made);
    expect(await usage()).toMatchObject({
      extractions: 1,
      extractions_cached: 0,
      extraction_input_tokens: 100,
      extraction_output_tokens: 10,
    });
    expect(await stored(job.file_id)).toHaveLength(1);
  });

  it("is an event of its job, whose stream is open until then", async () => {
    const stop = cog.work(1, (page) => invoice(page));
    const { id: file } = await upload(key);
    const asked = { file, schema: SCHEMA, instructions: trick("busy-once") };
    const { id, extraction } = await json(post("/v1/ocr", key, asked));
    const told = await events(id);
    stop();
    expect(told.map(({ type }) => type)).toEqual([
      "queued",
      "running",
      "page",
      "succeeded",
      "extraction.completed",
    ]);
    const data = { extraction_id: extraction.id, state: "succeeded", error: null };
    expect(told.at(-1)).toMatchObject({ data });
    expect(await events(id, told.at(-2)?.id)).toEqual(told.slice(-1));

    const refused = await json(extract(id, { instructions: trick("refuse") }));
    expect((await events(id, told.at(-1)?.id)).map(({ data }) => data)).toEqual([
      {
        extraction_id: refused.id,
        state: "failed",
        error: { code: "provider_refused", message: expect.any(String) },
      },
    ]);
    // A job of hits, too.
    const again = await json(post("/v1/ocr", key, asked));
    expect((await events(again.id)).map(({ type }) => type)).toEqual([
      "queued",
      "page",
      "succeeded",
      "extraction.completed",
    ]);
  });

  it("tells the model what is data, and asks it for the schema with the key", async () => {
    const job = await read();
    const instructions = trick();
    await extract(job.id, { instructions });
    const [{ authorization, body }] = await asked(instructions);
    expect(authorization).toBe("Bearer key-of-the-stand-in");
    expect(body).toMatchObject({
      model: "stand-in",
      temperature: 0,
      response_format: {
        type: "json_schema",
        json_schema: { name: "extraction", schema: SCHEMA, strict: false },
      },
    });
    const [system, user] = body.messages;
    const [, mark] = /<<<([0-9a-f]{32})\. It is data/.exec(system.content) as unknown as string[];
    expect(user.content).toMatch(
      new RegExp(`^<<<${mark} page 1>>>\nNumber: INV-1\n[\\s\\S]*<<<${mark} end>>>$`),
    );
  });

  it("is answered without waiting, and then found by its address", async () => {
    const job = await read();
    const response = await extract(job.id, {}, {});
    expect(response.status).toBe(202);
    const { id, state } = await json(response);
    expect(state).toBe("queued");
    const address = response.headers.get("location") as string;
    await until(async () => (await json(call(address, { key }))).state === "succeeded");
    expect((await json(call(address, { key }))).id).toBe(id);
  });

  it("that is asked for again is the same, and with an Idempotency-Key the same response", async () => {
    const job = await read();
    const instructions = trick();
    const [one, two] = await Promise.all([
      json(extract(job.id, { instructions })),
      json(extract(job.id, { instructions })),
    ]);
    const { properties, ...rest } = SCHEMA;
    const three = await json(extract(job.id, { instructions, schema: { properties, ...rest } }));
    expect([two.id, three.id]).toEqual([one.id, one.id]);
    expect(await asked(instructions)).toHaveLength(1);
    const headers = { prefer: "wait=30", "idempotency-key": "k1" };
    const first = await extract(job.id, { instructions }, headers);
    const second = await extract(job.id, { instructions }, headers);
    expect(second.headers.get("idempotent-replayed")).toBe("true");
    expect(await second.json()).toEqual(await first.json());
  });

  it("comes from the cache for another job with the same readings, and for nobody else", async () => {
    const job = await read();
    const instructions = trick();
    const made = await json(extract(job.id, { instructions }));
    const again = await read(1, {}, job.file_id);
    const response = await extract(again.id, { instructions }, {});
    expect(response.status).toBe(200);
    const cached = await json(response);
    expect(cached).toMatchObject({
      cached: true,
      data: made.data,
      citations: made.citations,
      usage: { input_tokens: 0, output_tokens: 0 },
    });
    expect(await usage()).toMatchObject({ extractions: 1, extractions_cached: 1 });
    const refreshed = await read(1, { cache: "refresh" }, job.file_id);
    expect(await json(extract(refreshed.id, { instructions }))).toMatchObject({ cached: false });
    const theirs = key;
    key = await newKey();
    expect((await extract(job.id, { instructions })).status).toBe(404);
    const address = `/v1/jobs/${job.id}/extractions/${made.id}`;
    expect((await call(address, { key })).status).toBe(404);
    const own = await read();
    expect((await call(`/v1/jobs/${own.id}/extractions/${made.id}`, { key })).status).toBe(404);
    expect(await json(extract(own.id, { instructions }))).toMatchObject({ cached: false });
    key = theirs;
  });

  it("of a value that is not on the pages has no citation", async () => {
    const job = await read();
    const schema = { type: "object", properties: { total: { type: "number" } } };
    const made = await json(extract(job.id, { schema, instructions: trick("invent") }));
    expect(made).toMatchObject({ data: { total: 987654.32 }, citations: { total: null } });
  });

  it("is deleted with its job, and with its document", async () => {
    const job = await read();
    const other = await read(1, {}, job.file_id);
    const one = await json(extract(job.id, { instructions: trick() }));
    const two = await json(extract(other.id, { instructions: trick() }));
    expect(await stored(job.file_id)).toHaveLength(2);
    await call(`/v1/jobs/${job.id}`, { method: "DELETE", key });
    expect((await call(`/v1/jobs/${job.id}/extractions/${one.id}`, { key })).status).toBe(404);
    expect(await stored(job.file_id)).toEqual([expect.stringContaining(two.id)]);
    await call(`/v1/files/${job.file_id}`, { method: "DELETE", key });
    expect((await call(`/v1/jobs/${other.id}/extractions/${two.id}`, { key })).status).toBe(404);
    expect((await extract(other.id)).status).toBe(410);
    expect(await stored(job.file_id)).toEqual([]);
  });
});

describe("with the reading", () => {
  it("starts when the pages are read, and the response has both", async () => {
    const stop = cog.work(2, (page) => invoice(page));
    const { id: file } = await upload(key);
    const body = { file, schema: SCHEMA, instructions: trick() };
    const response = await post("/v1/ocr", key, body, { prefer: "wait=60" });
    stop();
    const job = await json(response);
    expect(response.status).toBe(200);
    expect(job.result.pages).toHaveLength(2);
    expect(job.extraction).toMatchObject({ state: "succeeded", data: { number: "INV-1" } });
    const { extraction } = await json(call(`/v1/jobs/${job.id}`, { key }));
    expect(extraction).toMatchObject({ id: job.extraction.id, state: "succeeded" });
    expect(extraction.data).toBeUndefined();
    const cached = await post("/v1/ocr", key, body, {});
    expect(cached.status).toBe(200);
    expect(await json(cached)).toMatchObject({
      extraction: { cached: true, data: job.extraction.data },
    });
  });

  it("is asked for once, although the request is repeated", async () => {
    const { id: file } = await upload(key);
    const instructions = trick();
    const body = { file, schema: SCHEMA, instructions };
    const headers = { "idempotency-key": "read-once" };
    const first = await json(post("/v1/ocr", key, body, headers));
    expect(first.extraction).toMatchObject({ state: "queued", progress: { total: null } });
    expect((await json(post("/v1/ocr", key, body, headers))).id).toBe(first.id);
    const stop = cog.work(1, (page) => invoice(page));
    const view = async () => (await json(call(`/v1/jobs/${first.id}`, { key }))).extraction;
    await until(async () => (await view()).state === "succeeded");
    stop();
    expect(await asked(instructions)).toHaveLength(1);
  });

  it("by a new schema is made from a document that is in the cache", async () => {
    const { file_id: file } = await read(2);
    const asked = cog.predictions.length;
    const instructions = trick();
    const body = { file, schema: SCHEMA, instructions };
    const response = await post("/v1/ocr", key, body, { prefer: "wait=30" });
    const made = await json(response);
    expect(response.headers.get("cache-status")).toBe("fovea; hit");
    expect(response.status).toBe(200);
    expect(made.result.pages).toHaveLength(2);
    expect(made.extraction).toMatchObject({
      job_id: made.id,
      state: "succeeded",
      cached: false,
      data: { number: "INV-1" },
    });
    expect((await json(call(`/v1/jobs/${made.id}`, { key }))).extraction.id).toBe(
      made.extraction.id,
    );
    const other = { type: "object", properties: { date: { type: "string" } } };
    const late = await post("/v1/ocr", key, { ...body, schema: other });
    const open = await json(late);
    expect([late.status, open.state]).toEqual([202, "succeeded"]);
    const address = `/v1/jobs/${open.id}/extractions/${open.extraction.id}`;
    await until(async () => (await json(call(address, { key }))).state === "succeeded");
    expect((await json(call(address, { key }))).data).toEqual({ date: "12 March 2026" });
    expect(cog.predictions).toHaveLength(asked);
  });

  it("fails if no page is read", async () => {
    const { id: file } = await upload(key);
    const { id } = await json(post("/v1/ocr", key, { file, schema: SCHEMA }));
    await call(`/v1/jobs/${id}/cancel`, { method: "POST", key });
    const view = async () => (await json(call(`/v1/jobs/${id}`, { key }))).extraction;
    await until(async () => (await view()).state === "failed");
    expect((await view()).error.code).toBe("not_read");
  });

  it("keeps a zero-retention document until the extraction is delivered", async () => {
    const stop = cog.work(1, (page) => invoice(page));
    const { id: file } = await upload(key);
    const body = { file, schema: SCHEMA, zero_retention: true };
    const { id } = await json(post("/v1/ocr", key, body));
    await ended(key, id);
    stop();
    const view = async () => (await json(call(`/v1/jobs/${id}`, { key }))).extraction;
    await until(async () => (await view()).state === "succeeded");
    await (await call(`/v1/jobs/${id}/result`, { key })).text();
    expect((await call(`/v1/files/${file}`, { key })).status).toBe(200);
    const address = `/v1/jobs/${id}/extractions/${(await view()).id}`;
    const response = await call(address, { key });
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect((await json(response)).data.number).toBe("INV-1");
    expect((await call(`/v1/files/${file}`, { key })).status).toBe(404);
    expect(await stored(file)).toEqual([]);
    expect((await call(address, { key })).status).toBe(404);
  });
});

describe("a request", () => {
  it.each([
    ["another root", { schema: { type: "array" } }, "invalid-schema"],
    ["no type", { schema: { type: "object", items: { type: "text" } } }, "invalid-schema"],
    [
      "a remote reference",
      { schema: { type: "object", not: { $ref: "https://x.test" } } },
      "invalid-schema",
    ],
    ["no schema", { schema: "object" }, "invalid-request"],
    ["long instructions", { schema: SCHEMA, instructions: "x".repeat(4001) }, "invalid-request"],
    ["other members", { schema: SCHEMA, other: 1 }, "invalid-request"],
  ])("with %s is refused, also with the document", async (_, body, code) => {
    const { id: file } = await upload(key);
    const job = await json(post("/v1/ocr", key, { file }));
    const response = await extract(job.id, body);
    expect([response.status, (await json(response)).type]).toEqual([
      422,
      `urn:fovea:problem:${code}`,
    ]);
    const whole = await post("/v1/ocr", key, { file, ...body });
    expect((await json(whole)).type).toBe(`urn:fovea:problem:${code}`);
    const { data } = await json(call("/v1/jobs", { key }));
    expect(data).toHaveLength(1);
  });

  it("with instructions needs a schema; with a browser token, it may have none", async () => {
    const { id: file } = await upload(key);
    const response = await post("/v1/ocr", key, { file, instructions: "x" });
    expect((await json(response)).detail).toContain("needs `schema`");
    const token = await json(post("/v1/tokens", key, { scope: "write" }));
    const refused = await post("/v1/ocr", token.token, { file, schema: SCHEMA });
    expect((await json(refused)).type).toBe("urn:fovea:problem:token-refused");
  });

  it("is refused without a provider", async () => {
    const job = (await findJobById(env.DB, (await read()).id)) as Job;
    for (const settings of [{ EXTRACT_MODEL: "" }, { EXTRACT_URL: "" }])
      await expect(
        extractFromJob({ ...env, ...settings }, { job, schema: SCHEMA }),
      ).rejects.toMatchObject({ code: "extraction-off" });
  });

  it("is refused while the account has too many open", async () => {
    const job = await read();
    await env.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
       INSERT INTO extractions (id, tenant_id, key_id, file_id, job_id, digest, model, created_at, due_at)
       SELECT 'ext_full' || i, tenant_id, key_id, 'f', 'j', i, 'm', 0, 9e15 FROM n, jobs WHERE id = ?`,
    )
      .bind(job.id)
      .run();
    const response = await extract(job.id);
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "10"]);
    await env.DB.prepare("DELETE FROM extractions WHERE id LIKE 'ext_full%'").run();
  });
});

describe("a long document", () => {
  const settings = { EXTRACT_INPUT_TOKENS: "150" };

  it("is extracted in parts, which are joined", async () => {
    const job = await read(3);
    const instructions = trick();
    const { id } = await undriven(job, instructions);
    await drive(id, settings);
    const made = await json(call(`/v1/jobs/${job.id}/extractions/${id}`, { key }));
    expect(made).toMatchObject({
      state: "succeeded",
      progress: { total: 3, done: 3 },
      usage: { input_tokens: 300, output_tokens: 30 },
      data: { number: "INV-1", total: 1250.5 },
    });
    // Equal rows of tables are different things.
    expect(made.data.lines.map(({ item }: { item: string }) => item)).toEqual([
      "Lamp 1",
      "Service",
      "Lamp 2",
      "Service",
      "Lamp 3",
      "Service",
    ]);
    expect(made.citations.lines.map((line: { item: { page: number } }) => line.item.page)).toEqual([
      1, 1, 2, 2, 3, 3,
    ]);
    expect(made.conflicts).toMatchObject([
      {
        path: "/number",
        values: [{ value: "INV-1" }, { value: "INV-2" }, { value: "INV-3", citation: { page: 3 } }],
      },
    ]);
    const [first] = await asked(instructions);
    expect(first.body.messages[0].content).toContain("this is a part of it");
    expect(first.body.response_format.json_schema.schema.required).toBeUndefined();
    expect(await stored(job.file_id)).toHaveLength(1);
  });

  it("is not begun if it has too many parts", async () => {
    const job = await read(3);
    const instructions = trick();
    const { id } = await undriven(job, instructions);
    await drive(id, { ...settings, EXTRACT_PARTS: "2" });
    expect(await json(call(`/v1/jobs/${job.id}/extractions/${id}`, { key }))).toMatchObject({
      state: "failed",
      error: { code: "document_too_long" },
    });
    expect(await asked(instructions)).toEqual([]);
  });

  it("does not ask again for what it has, wherever it was interrupted", async () => {
    const job = await read(2);
    const instructions = trick();
    const { id } = await undriven(job, instructions);
    const broken = {
      ...env,
      ...settings,
      DB: new Proxy(env.DB, {
        get: (db, name) => {
          if (name !== "prepare") return Reflect.get(db, name).bind(db);
          return (sql: string) => {
            if (sql.includes("parts_done = ?2 + 1") || sql.includes("SET state = ?2"))
              throw new Error("interrupted");
            return db.prepare(sql);
          };
        },
      }),
    };
    for (let turn = 0; turn < 5; turn++) {
      await advanceExtraction(broken as typeof env, id).catch(() => {});
      await advanceExtraction({ ...env, ...settings }, id);
    }
    expect(await json(call(`/v1/jobs/${job.id}/extractions/${id}`, { key }))).toMatchObject({
      state: "succeeded",
      usage: { input_tokens: 200 },
    });
    expect(await asked(instructions)).toHaveLength(2);
    expect(await usage()).toMatchObject({ extractions: 1, extraction_input_tokens: 200 });
  });
});

describe("the account's limit of dollars", () => {
  const view = async (job: { id: string }, id: string) =>
    json(call(`/v1/jobs/${job.id}/extractions/${id}`, { key }));
  const made = async (job: { id: string }, instructions: string, settings = {}) => {
    const { id } = await undriven(job, instructions);
    await drive(id, settings);
    return view(job, id);
  };
  const limit = (daily_usd: number) =>
    call("/v1/settings", { method: "PATCH", key, body: { daily_usd } });

  it("counts the tokens at the model's prices, and stops the next question", async () => {
    const job = await read();
    // Each answer costs 100 × 1 + 10 × 10 millionths of a dollar.
    await limit(0.0003);
    const first = trick();
    expect(await made(job, first)).toMatchObject({ state: "succeeded" });
    expect(await usage()).toMatchObject({ cost_usd: 0.0002 });
    expect(await made(job, trick("not-json"))).toMatchObject({ error: { code: "answer_invalid" } });
    expect(await usage()).toMatchObject({ cost_usd: 0.0006 });
    const refused = trick();
    expect(await made(job, refused)).toMatchObject({
      state: "failed",
      error: { code: "budget_exceeded" },
    });
    expect(await asked(refused)).toEqual([]);

    const again = await read(1, {}, job.file_id);
    expect(await made(again, first)).toMatchObject({ state: "succeeded", cached: true });
    expect(await made(job, trick(), { EXTRACT_PRICES: "{}" })).toMatchObject({
      state: "succeeded",
    });
    await limit(1);
    expect(await made(job, refused)).toMatchObject({ state: "succeeded" });
  });

  it("counts the requests that have failed, and is another account's own", async () => {
    const job = await read();
    await limit(0.0002);
    expect(await made(job, trick("refuse"))).toMatchObject({ error: { code: "provider_refused" } });
    expect(await made(job, trick())).toMatchObject({ error: { code: "budget_exceeded" } });
    key = await newKey();
    expect(await made(await read(), trick())).toMatchObject({ state: "succeeded" });
  });
});

describe("the figures of a document", () => {
  const figure = { media_type: "image/png", width: 9, height: 9, bytes: 9 };
  const page = {
    markdown: "",
    blocks: [1, 2, 3].map((id) => ({
      id,
      type: "image",
      bbox: [0, 0, 1, 0.2],
      text: "",
      confidence: null,
      figure,
    })),
  } as never;

  it.each([
    ["too_many_figures", "2"],
    // The worker has not pushed them.
    ["gone", "3"],
  ])("are not asked about: %s", async (code, most) => {
    const stop = cog.work(1, () => page);
    const { id: file } = await upload(key);
    const job = await ended(key, (await json(post("/v1/ocr", key, { file }))).id);
    stop();
    const still = { ...env, EXTRACTIONS: { create: async () => {} } } as unknown as typeof env;
    const { id } = await extractFromJob(still, {
      job: (await findJobById(env.DB, job.id)) as Job,
      schema: SCHEMA,
      figures: { imageLimit: null, imageMinSize: 0 },
    });
    await drive(id, { EXTRACT_FIGURES: most });
    expect(await json(call(`/v1/jobs/${job.id}/extractions/${id}`, { key }))).toMatchObject({
      state: "failed",
      error: { code },
    });
  });
});

describe("a driver", () => {
  it("lost before it began is started again by the sweep", async () => {
    const job = await read();
    const { id } = await undriven(job, trick());
    await env.DB.prepare("UPDATE extractions SET created_at = 0 WHERE id = ?").bind(id).run();
    await sweep(env);
    const view = async () => json(call(`/v1/jobs/${job.id}/extractions/${id}`, { key }));
    await until(async () => (await view()).state === "succeeded");
  });

  it("waits while as many of the tenant run as may, or one that asks for the same", async () => {
    const job = await read();
    const one = await undriven(job, trick());
    await advanceExtraction(env, one.id);
    const two = await undriven(job, trick());
    const alone = { EXTRACT_AT_ONCE: "1" };
    expect(await advanceExtraction({ ...env, ...alone }, two.id)).toBe(3000);
    const again = await read(1, {}, job.file_id);
    const same = await undriven(again, `stand-in: none (${extractions - 1})`);
    expect(await advanceExtraction(env, same.id)).toBe(3000);
    await drive(one.id);
    await drive(two.id, alone);
    await drive(same.id);
    expect(await json(call(`/v1/jobs/${again.id}/extractions/${same.id}`, { key }))).toMatchObject({
      cached: true,
    });
  });

  it("is kept apart from another one", async () => {
    const job = await read();
    const instructions = trick();
    const { id } = await undriven(job, instructions);
    await advanceExtraction(env, id);
    await Promise.all([advanceExtraction(env, id), advanceExtraction(env, id)]);
    await drive(id);
    expect(await asked(instructions)).toHaveLength(1);
  });

  it("stops at the deadline, and when the job is deleted", async () => {
    const job = await read();
    const late = await undriven(job, trick());
    await env.DB.prepare("UPDATE extractions SET deadline_at = 1 WHERE id = ?").bind(late.id).run();
    await drive(late.id);
    expect(await json(call(`/v1/jobs/${job.id}/extractions/${late.id}`, { key }))).toMatchObject({
      error: { code: "deadline" },
    });
    const { id } = await undriven(job, trick());
    await advanceExtraction(env, id);
    const deleting = {
      ...env,
      BUCKET: new Proxy(env.BUCKET, {
        get:
          (bucket, name) =>
          async (...args: never[]) => {
            if (name === "put") await call(`/v1/jobs/${job.id}`, { method: "DELETE", key });
            return Reflect.get(bucket, name).apply(bucket, args);
          },
      }),
    };
    expect(await advanceExtraction(deleting as typeof env, id)).toBeNull();
    expect(await stored(job.file_id)).toEqual([]);
  });
});

describe("a provider that", () => {
  let job: { id: string };
  let ofJob: string;
  beforeAll(async () => {
    cog = new CogStub().install();
    key = ofJob = await newKey();
    job = await read();
    vi.restoreAllMocks();
  });
  beforeEach(() => {
    key = ofJob;
  });

  const SMALL = { type: "object", properties: { total: { type: ["number", "null"] } } };

  it.each([
    ["not-json", "answer_invalid", [], 2],
    ["wrong-type", "answer_invalid", [], 2],
    ["refuse", "provider_refused", [], 1],
    ["filtered", "provider_refused", [], 1],
    ["cut", "answer_too_long", [], 1],
    ["endless", "answer_too_long", [], 1],
    ["not-chat", "provider_invalid", [2000], 2],
    ["not-even-json", "provider_invalid", [2000], 2],
    ["busy", "provider_rate_limited", Array(7).fill(7000), 8],
    ["busy-long", "provider_rate_limited", [], 1],
    ["broken", "provider_unavailable", [2000, 4000, 8000], 4],
    ["wrong-request", "provider_rejected", [], 2],
    ["no-schemas-refuse", "provider_refused", [], 2],
    ["wrong-key", "provider_rejected", [], 1],
    ["elsewhere", "provider_rejected", [], 1],
    ["silent", "provider_timeout", [2000], 2],
  ])("is %s makes it fail with %s", async (name, code, pauses, requests) => {
    const instructions = trick(name);
    const { id } = await undriven(job, instructions, SMALL);
    expect(await drive(id, name === "silent" ? { EXTRACT_TIMEOUT_S: "0.2" } : {})).toEqual(pauses);
    const { state, error, data } = await json(
      call(`/v1/jobs/${job.id}/extractions/${id}`, { key }),
    );
    expect([state, error.code, data]).toEqual(["failed", code, undefined]);
    expect(error.message).not.toMatch(/secret|Sure/);
    expect(await asked(instructions)).toHaveLength(requests);
    expect(await usage()).toMatchObject({ extractions: 0 });
    // A failed one is made again.
    expect((await undriven(job, instructions, SMALL)).id).not.toBe(id);
  });

  it("says what is wrong with the request is heard, and what is wrong with the answer is named", async () => {
    const message = async (name: string) => {
      const { id } = await undriven(job, trick(name), SMALL);
      await drive(id);
      return (await json(call(`/v1/jobs/${job.id}/extractions/${id}`, { key }))).error.message;
    };
    expect(await message("wrong-request")).toMatch(
      /status 400. Invalid schema for response_format/,
    );
    expect(await message("wrong-key")).toMatch(/status 401.$/);
    expect(await message("wrong-type")).toMatch(/#\/total: Instance type "string" is invalid/);
  });

  it("answers wrongly once, or in a code fence, is understood", async () => {
    const instructions = trick("wrong-once");
    const repaired = await json(extract(job.id, { schema: SMALL, instructions }));
    expect(repaired).toMatchObject({
      data: { total: 1250.5 },
      usage: { input_tokens: 200, output_tokens: 20 },
    });
    const [, second] = await asked(instructions);
    expect(second.body.messages.at(-1).content).toContain("#/total");
    const fenced = await json(extract(job.id, { schema: SMALL, instructions: trick("fenced") }));
    expect(fenced.data).toEqual({ total: 1250.5 });
  });

  it("takes no schema gets it in the messages only", async () => {
    const instructions = trick("no-schemas");
    const extraction = await json(extract(job.id, { schema: SMALL, instructions }));
    expect(extraction).toMatchObject({
      data: { total: 1250.5 },
      usage: { input_tokens: 100, output_tokens: 10 },
    });
    const [, second] = await asked(instructions);
    expect(second.body.response_format).toEqual({ type: "json_object" });
    expect(second.body.messages[0].content).toContain(JSON.stringify(SMALL));
  });

  it("answers nothing at first is asked again without an empty message", async () => {
    const instructions = trick("empty-once");
    expect((await json(extract(job.id, { schema: SMALL, instructions }))).data).toBeDefined();
    const [, second] = await asked(instructions);
    expect(second.body.messages.at(-2)).toEqual({ role: "assistant", content: "(empty)" });
  });

  it("asks to wait is asked again by the driver", async () => {
    const instructions = trick("busy-once");
    expect(await json(extract(job.id, { schema: SMALL, instructions }))).toMatchObject({
      state: "succeeded",
    });
    expect(await asked(instructions)).toHaveLength(2);
  });
});

it("its end is told to the endpoints that list `extraction.completed`", async () => {
  const admin = await newKey();
  const events = ["extraction.completed"];
  const hook = { url: "https://hooks.example.com/extractions", events };
  const endpoint = await json(post("/v1/webhooks/endpoints", admin, hook));
  const told: { type: string; data: Record<string, unknown> }[] = [];
  cog.elsewhere.set(hook.url, async (request) => {
    told.push(await request.json());
    return new Response(null, { status: 204 });
  });
  const stop = cog.work(1, invoice);
  const file = (await upload(admin)).id;
  const metadata = { order: "7" };
  const job = await json(post("/v1/ocr", admin, { file, schema: SCHEMA, metadata }));
  await until(() => told.length === 1);
  stop();
  expect(endpoint.events).toEqual(events);
  expect(told[0]).toMatchObject({
    type: "extraction.completed",
    data: { job_id: job.id, state: "succeeded", error: null, metadata },
  });
});
