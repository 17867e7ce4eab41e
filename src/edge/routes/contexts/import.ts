/** POST /v1/contexts/import: a context from the lines of an export. */
import { z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { DEFAULT_RECENT } from "../../contexts/create.ts";
import { type ImportedMessage, importContext } from "../../contexts/import.ts";
import { stringMap } from "../../domain/jobs/job-request.ts";
import { PartSchema, ROLES, toChatMessage } from "../../domain/memory/chat-message.ts";
import { DEFAULT_PROFILE } from "../../domain/memory/profiles.ts";
import { requires } from "../../http/auth.ts";
import { essence, MIB, sizeLimit } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { invalidRequest, Problem } from "../../problem.ts";
import { ContextSchema, contextView, FadeSchema } from "./shapes.ts";

const MAX_BYTES = 32 * MIB;

/** What is read of a line; other members are ignored. */
const ContextLine = z.object({
  type: z.literal("context"),
  name: z.string().min(1).max(200).nullable().default(null),
  profile: z.string().max(64).default(DEFAULT_PROFILE),
  token_budget: z.int().min(64).max(100_000_000).nullable().default(null),
  recent: z.int().min(0).max(500).default(DEFAULT_RECENT),
  fade: z.union([FadeSchema, z.null()]).default(null),
  summaries: z.boolean().default(false),
  erase_after: z.int().min(0).nullable().default(null),
  metadata: stringMap.default({}),
});
const MessageLine = z.object({
  type: z.literal("message"),
  number: z.int().min(1),
  role: z.enum(ROLES),
  name: z.string().max(256).nullable().default(null),
  parts: z.array(PartSchema).max(100).nullable(),
  pinned: z.boolean().default(false),
  importance: z.number().min(0).max(1).default(0),
  created_at: z.iso.datetime({ offset: true }),
});
const PageLine = z.object({ type: z.literal("page") });
const Line = z.discriminatedUnion("type", [ContextLine, MessageLine, PageLine]);

const TYPES = ["application/jsonl", "application/x-ndjson", "application/x-jsonlines"];

/** Registered by hand, because the validator accepts no JSON lines. */
const route = {
  method: "post" as const,
  path: "/v1/contexts/import",
  operationId: "importContext",
  tags: ["contexts"],
  summary: "Import a context",
  description:
    "Makes a new context from the JSON lines of an export. Messages are numbered anew; those whose texts are erased are left out and listed in `skipped`. The context is created as a whole or not at all.",
  security: [{ bearer: [] }],
  request: {
    body: {
      required: true,
      content: Object.fromEntries(TYPES.map((type) => [type, { schema: { type: "string" } }])),
    },
  },
  responses: {
    201: {
      description: "The context",
      content: {
        "application/json": {
          schema: ContextSchema.extend({
            imported: z.int(),
            skipped: z.array(z.int()).openapi({ description: "Their old numbers" }),
          }).openapi("ImportedContext"),
        },
      },
    },
    ...problems(
      IDEMPOTENT,
      "malformed-request",
      "invalid-request",
      "request-too-large",
      "unsupported-media-type",
      "unknown-model",
      "unknown-profile",
      "extraction-off",
      "context-full",
    ),
  },
};

export const contextsImport = (app: App) => {
  app.openAPIRegistry.registerPath(route as never);
  app.post(route.path, requires("write"), sizeLimit(MAX_BYTES), idempotent, async (c) => {
    if (!TYPES.includes(essence(c.req.header("content-type"))))
      throw new Problem("unsupported-media-type", `Send the lines of an export as ${TYPES[0]}.`);
    const lines = readLines(await c.req.text());
    const [first] = lines;
    if (first?.value.type !== "context")
      throw invalidRequest([{ path: ["line 1"], message: "must have the type `context`" }]);
    const { token_budget, erase_after, type: _, ...fields } = first.value;
    const messages = lines.slice(1).flatMap(({ line, value }): ImportedMessage | [] => {
      if (value.type === "context")
        throw invalidRequest([{ path: [`line ${line}`], message: "a second context" }]);
      return value.type === "message" ? imported(line, value) : [];
    });
    const { context, skipped } = await importContext(
      c.env,
      c.get("caller"),
      { ...fields, tokenBudget: token_budget, eraseAfter: erase_after },
      messages,
    );
    const count = messages.length - skipped.length;
    const view = contextView({ ...context, lastNumber: count });
    return c.json({ ...view, imported: count, skipped }, 201, {
      location: `/v1/contexts/${context.id}`,
    });
  });
};

function readLines(text: string): { line: number; value: z.infer<typeof Line> }[] {
  return text.split("\n").flatMap((one, i) => {
    if (one.trim() === "") return [];
    const place = `line ${i + 1}`;
    const parsed = Line.safeParse(parseJson(one, place));
    if (parsed.success) return { line: i + 1, value: parsed.data };
    throw invalidRequest(
      parsed.error.issues.map(({ path, message }) => ({ path: [place, ...path], message })),
    );
  });
}

function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem("malformed-request", `${place}: not JSON.`);
  }
}

const imported = (line: number, value: z.infer<typeof MessageLine>): ImportedMessage => ({
  line,
  number: value.number,
  content: value.parts && toChatMessage({ ...value, content: value.parts }),
  pinned: value.pinned,
  importance: value.importance,
  createdAt: Date.parse(value.created_at),
});
