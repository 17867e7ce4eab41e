/** POST /v1/contexts: a memory that fades. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { RENDERER } from "../../contexts/age.ts";
import { newId } from "../../domain/ids.ts";
import { DEFAULT_LADDER } from "../../domain/memory/ladder.ts";
import { requires } from "../../http/auth.ts";
import { jsonBody, KIB } from "../../http/body.ts";
import { idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { type Context, insertContext, KEEPS } from "../../storage/contexts.ts";
import { ContextSchema, contextView, LadderSchema } from "./view.ts";

const NewContext = z
  .strictObject({
    name: z.string().min(1).max(200).optional(),
    ladder: LadderSchema.default(DEFAULT_LADDER),
    token_budget: z.int().min(64).max(100_000_000).optional().openapi({
      description: "What the whole may cost: older messages go further down for it",
    }),
    keep: z.enum(KEEPS).default("hash").openapi({
      description:
        "What stays of a text whose message has become an image: `hash`: its SHA-256 and length · `original`: the text, to measure what was lost",
    }),
    metadata: z
      .record(z.string().max(64), z.string().max(512))
      .refine((record) => Object.keys(record).length <= 16, "at most 16 entries")
      .default({}),
  })
  .openapi("NewContext", { example: { name: "support chat", token_budget: 4000 } });

const route = createRoute({
  method: "post",
  path: "/v1/contexts",
  operationId: "createContext",
  tags: ["contexts"],
  summary: "Create a context",
  description:
    "Messages come in as text and go down its ladder: to page images of fewer and fewer vision tokens, by age, by rounds, and for a token budget. Their texts are erased on the way, unless `keep` is `original`.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(16 * KIB), idempotent] as const,
  request: { body: { required: true, content: { "application/json": { schema: NewContext } } } },
  responses: {
    201: {
      description: "The context",
      content: { "application/json": { schema: ContextSchema } },
    },
    ...problems(
      "malformed-request",
      "not-json",
      "request-too-large",
      "invalid-request",
      "unknown-model",
      "idempotency-key-reused",
      "idempotency-in-flight",
    ),
  },
});

export const contextsCreate = (app: App) =>
  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    if (!settings(c.env).MODELS.includes(RENDERER))
      throw new Problem("unknown-model", `Contexts need ${RENDERER}, which is not offered here.`);
    const { tenantId, keyId } = c.get("caller");
    const now = Date.now();
    const context: Context = {
      id: newId("ctx", now),
      tenantId,
      keyId,
      name: body.name ?? null,
      ladder: body.ladder,
      tokenBudget: body.token_budget ?? null,
      keep: body.keep,
      metadata: body.metadata,
      lastNumber: 0,
      error: null,
      createdAt: now,
      agedAt: null,
    };
    await insertContext(c.env.DB, context);
    return c.json(contextView(context), 201, { location: `/v1/contexts/${context.id}` });
  });
