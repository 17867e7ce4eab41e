/** POST and GET /v1/contexts, GET and DELETE /v1/contexts/{id} */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { createContext } from "../../contexts/create.ts";
import { eraseContext } from "../../contexts/erase.ts";
import { stringMap } from "../../domain/jobs/job-request.ts";
import { DEFAULT_LADDER } from "../../domain/memory/ladder.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { audit } from "../../storage/audit.ts";
import { KEEPS, listContexts, markContextDeleted } from "../../storage/contexts.ts";
import { ContextSchema, contextParams, contextView, demandContext, LadderSchema } from "./view.ts";

const NewContext = z
  .strictObject({
    name: z.string().min(1).max(200).optional(),
    ladder: LadderSchema.default(DEFAULT_LADDER),
    token_budget: z.int().min(64).max(100_000_000).optional().openapi({
      description:
        "Limit of tokens for the whole context: older messages go further down the ladder to meet it",
    }),
    keep: z.enum(KEEPS).default("hash").openapi({
      description:
        "What is kept of a message's text when it becomes an image: `hash`: its SHA-256 and length · `original`: the text, to measure what was lost",
    }),
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
    "Messages are added as text and go down the ladder, to page images of fewer and fewer vision tokens: by age, by rounds, or to meet a token budget. Their texts are then erased, unless `keep` is `original`.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(16 * KIB), idempotent] as const,
  request: { body: { required: true, content: { "application/json": { schema: NewContext } } } },
  responses: {
    201: {
      description: "The context",
      content: { "application/json": { schema: ContextSchema } },
    },
    ...problems(JSON_BODY, IDEMPOTENT, "unknown-model"),
  },
});

export const contextsCreate = (app: App) =>
  app.openapi(create, async (c) => {
    const body = c.req.valid("json");
    const context = await createContext(c.env, c.get("caller"), {
      name: body.name ?? null,
      ladder: body.ladder,
      tokenBudget: body.token_budget ?? null,
      keep: body.keep,
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

const remove = createRoute({
  ...common,
  method: "delete",
  path: "/v1/contexts/{id}",
  operationId: "deleteContext",
  summary: "Delete a context and everything in it",
  description:
    "Texts and images are erased at once; an image that is just being made, within a minute.",
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

  app.openapi(remove, async (c) => {
    const context = await demandContext(c, c.req.valid("param").id);
    const { keyId, tenantId } = c.get("caller");
    await markContextDeleted(c.env.DB, context.id, Date.now());
    await audit(c.env.DB, tenantId, keyId, "context.deleted", context.id);
    await eraseContext(c.env, context);
    return c.body(null, 204);
  });
};
