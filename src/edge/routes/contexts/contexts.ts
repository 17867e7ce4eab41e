/** POST and GET /v1/contexts; GET, PATCH and DELETE /v1/contexts/{id} */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { changeContext, createContext, DEFAULT_RECENT } from "../../contexts/create.ts";
import { eraseContext } from "../../contexts/erase.ts";
import { stringMap } from "../../domain/jobs/job-request.ts";
import { DEFAULT_PROFILE } from "../../domain/memory/profiles.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { wakeContext } from "../../signals/wake-context.ts";
import { audit } from "../../storage/audit.ts";
import { listContexts, markContextDeleted } from "../../storage/memory/contexts.ts";
import { ContextSchema, contextParams, contextView, demandContext, FadeSchema } from "./shapes.ts";

const CENTURY_S = 100 * 366 * 86_400;

const name = z.string().min(1).max(200);
const profile = z.string().max(64).openapi({
  description: "Whose tokens and prices count (`GET /v1/memory/profiles`)",
  example: "openai/gpt-4o",
});
const tokenBudget = z.int().min(64).max(100_000_000).openapi({
  description:
    "Limit of tokens for the whole view, in tokens of the profile: older segments become fainter to meet it, and then only their index lines are left. The view says `over_budget` where it cannot be met",
});
const recent = z.int().min(0).max(500).openapi({
  description: "How many of the newest messages always stay text",
});
const fade = z.union([FadeSchema, z.null()]).openapi({
  description:
    "A ladder by age, as the DeepSeek-OCR paper proposes: from when on a segment is shown in which form of the profile. `null`: only the budget makes segments fainter",
});
const summaries = z.boolean().openapi({
  description:
    "Whether the operator's model for extractions writes a summary of each segment, which views show where a budget has no room for its images. It is not the words: these are kept. `false` in a change deletes the summaries",
});
const reader = z.string().max(64).nullable().openapi({
  description:
    "Model that checks images when they are made. What it does not read exactly (ids, numbers, names) is written beside the image, and images that it cannot read are made again in a clearer form. `null`: images are not checked",
});
const eraseAfter = z.int().min(0).max(CENTURY_S).nullable().openapi({
  description:
    "Age in seconds at which texts of segments that are shown as images are erased; SHA-256 and length of their messages stay. `0`: as soon as the images exist · `null`: never",
});

const NewContext = z
  .strictObject({
    name: name.optional(),
    profile: profile.default(DEFAULT_PROFILE),
    token_budget: tokenBudget.optional(),
    recent: recent.default(DEFAULT_RECENT),
    fade: fade.default(null),
    summaries: summaries.default(false),
    reader: reader.optional(),
    erase_after: eraseAfter.default(null),
    metadata: stringMap.default({}),
  })
  .openapi("NewContext", { example: { name: "support chat", token_budget: 4000 } });

const create = createRoute({
  method: "post",
  path: "/v1/contexts",
  operationId: "createContext",
  tags: ["contexts"],
  summary: "Create a context",
  description:
    "A memory of messages. Older ones are sealed in segments, which a view shows as page images where these cost fewer tokens than their texts. The texts are kept, unless `erase_after` says otherwise.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(16 * KIB), idempotent] as const,
  request: { body: { required: true, content: { "application/json": { schema: NewContext } } } },
  responses: {
    201: {
      description: "The context",
      content: { "application/json": { schema: ContextSchema } },
    },
    ...problems(JSON_BODY, IDEMPOTENT, "unknown-model", "unknown-profile", "extraction-off"),
  },
});

export const contextsCreate = (app: App) =>
  app.openapi(create, async (c) => {
    const body = c.req.valid("json");
    const context = await createContext(c.env, c.get("caller"), {
      name: body.name ?? null,
      profile: body.profile,
      tokenBudget: body.token_budget ?? null,
      recent: body.recent,
      fade: body.fade,
      summaries: body.summaries,
      reader: body.reader,
      eraseAfter: body.erase_after,
      metadata: body.metadata,
    });
    return c.json(contextView(context), 201, { location: `/v1/contexts/${context.id}` });
  });

const common = { tags: ["contexts"], security: [{ bearer: [] as string[] }] };

const list = createRoute({
  ...common,
  method: "get",
  path: "/v1/contexts",
  operationId: "listContexts",
  summary: "List contexts, newest first",
  middleware: [requires("read")] as const,
  request: { query: z.strictObject(listQuery) },
  responses: {
    200: {
      description: "The contexts",
      content: { "application/json": { schema: listOf(ContextSchema) } },
    },
    ...problems("invalid-request"),
  },
});

const get = createRoute({
  ...common,
  method: "get",
  path: "/v1/contexts/{id}",
  operationId: "getContext",
  summary: "Get a context",
  middleware: [requires("read")] as const,
  request: { params: contextParams },
  responses: {
    200: {
      description: "The context",
      content: { "application/json": { schema: ContextSchema } },
    },
    ...problems("not-found"),
  },
});

const ChangeContext = z
  .strictObject({
    name: name.nullable().optional(),
    profile: profile.optional(),
    token_budget: tokenBudget.nullable().optional(),
    recent: recent.optional(),
    fade: fade.optional(),
    summaries: summaries.optional(),
    reader: reader.optional(),
    erase_after: eraseAfter.optional(),
    metadata: stringMap.optional(),
  })
  .openapi("ChangeContext");

const change = createRoute({
  ...common,
  method: "patch",
  path: "/v1/contexts/{id}",
  operationId: "changeContext",
  summary: "Change a context",
  description:
    "Fields that are left out stay as they are; `null` removes a name, a budget, a ladder, a reader. Changes take effect at the next ageing, within seconds. Erased texts do not come back.",
  middleware: [requires("write"), jsonBody(16 * KIB)] as const,
  request: {
    params: contextParams,
    body: { required: true, content: { "application/json": { schema: ChangeContext } } },
  },
  responses: {
    200: {
      description: "The context",
      content: { "application/json": { schema: ContextSchema } },
    },
    ...problems(JSON_BODY, "not-found", "unknown-model", "unknown-profile", "extraction-off"),
  },
});

const remove = createRoute({
  ...common,
  method: "delete",
  path: "/v1/contexts/{id}",
  operationId: "deleteContext",
  summary: "Delete a context and everything in it",
  description:
    "Texts are erased at once, and up to 50 page images. More of them, and an image that is just being made, follow within seconds.",
  middleware: [requires("write")] as const,
  request: { params: contextParams },
  responses: { 204: { description: "Deleted" }, ...problems("not-found") },
});

export const contexts = (app: App) => {
  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const { tenantId } = c.get("caller");
    const rows = await listContexts(c.env.DB, tenantId, readCursor(cursor, "ctx"), limit + 1);
    return c.json(listPage(rows, limit, contextView), 200);
  });

  app.openapi(get, async (c) =>
    c.json(contextView(await demandContext(c, c.req.valid("param").id)), 200),
  );

  app.openapi(change, async (c) => {
    const context = await demandContext(c, c.req.valid("param").id);
    const { token_budget, erase_after, ...body } = c.req.valid("json");
    const changes = { ...body, tokenBudget: token_budget, eraseAfter: erase_after };
    await changeContext(c.env, context, changes);
    return c.json(contextView(await demandContext(c, context.id)), 200);
  });

  app.openapi(remove, async (c) => {
    const context = await demandContext(c, c.req.valid("param").id);
    const { keyId, tenantId } = c.get("caller");
    await markContextDeleted(c.env.DB, context.id, Date.now());
    await audit(c.env.DB, tenantId, keyId, "context.deleted", context.id);
    await eraseContext(c.env, context);
    wakeContext(c.env, context.id);
    return c.body(null, 204);
  });
};
