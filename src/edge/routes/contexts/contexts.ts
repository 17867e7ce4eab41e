/** POST and GET /v1/contexts; GET, PATCH and DELETE /v1/contexts/{id} */
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
import { listContexts, markContextDeleted, updateContext } from "../../storage/contexts.ts";
import { ContextSchema, contextParams, contextView, demandContext, LadderSchema } from "./view.ts";

const CENTURY_S = 100 * 366 * 86_400;

const name = z.string().min(1).max(200);
const tokenBudget = z.int().min(64).max(100_000_000).openapi({
  description:
    "Limit of tokens for the whole context: older messages go further down the ladder to meet it",
});
const eraseAfter = z.int().min(0).max(CENTURY_S).nullable().openapi({
  description:
    "Age in seconds at which the text of a message that has become an image is erased; its SHA-256 and length stay. `0`: as soon as the image exists · `null`: never",
});

const NewContext = z
  .strictObject({
    name: name.optional(),
    ladder: LadderSchema.default(DEFAULT_LADDER),
    token_budget: tokenBudget.optional(),
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
    "Messages are added as text and go down the ladder, to page images of fewer and fewer vision tokens: by age, by rounds, or to meet a token budget. Their texts are kept, unless `erase_after` says otherwise.",
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
    token_budget: tokenBudget.nullable().optional(),
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
    "Fields that are left out stay as they are; `null` removes a name or a budget. A change of `token_budget` or `erase_after` takes effect at the next ageing, within a minute. Erased texts do not come back.",
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
    ...problems(JSON_BODY, "not-found"),
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

  app.openapi(change, async (c) => {
    const { id } = await demandContext(c, c.req.valid("param").id);
    const body = c.req.valid("json");
    const changes = {
      name: body.name,
      tokenBudget: body.token_budget,
      eraseAfter: body.erase_after,
      metadata: body.metadata,
    };
    await updateContext(c.env.DB, id, changes, Date.now());
    return c.json(contextView(await demandContext(c, id)), 200);
  });

  app.openapi(remove, async (c) => {
    const context = await demandContext(c, c.req.valid("param").id);
    const { keyId, tenantId } = c.get("caller");
    await markContextDeleted(c.env.DB, context.id, Date.now());
    await audit(c.env.DB, tenantId, keyId, "context.deleted", context.id);
    await eraseContext(c.env, context);
    return c.body(null, 204);
  });
};
