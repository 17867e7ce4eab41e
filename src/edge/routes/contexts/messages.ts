/** POST and GET /v1/contexts/{id}/messages; GET, PATCH and DELETE /v1/contexts/{id}/messages/{number} */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { addMessages, MAX_CHARACTERS, MAX_MESSAGES } from "../../contexts/add.ts";
import { forgetMessage } from "../../contexts/forget.ts";
import { contentsOf } from "../../contexts/texts.ts";
import {
  type ChatMessage,
  ChatMessageSchema,
  toChatMessage,
} from "../../domain/memory/chat-message.ts";
import { fromAnthropic } from "../../domain/memory/import/anthropic.ts";
import { MessageFault } from "../../domain/memory/import/fault.ts";
import { fromGemini } from "../../domain/memory/import/gemini.ts";
import { fromOpenAI } from "../../domain/memory/import/openai.ts";
import { messageText } from "../../domain/memory/message-text.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB, MIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { invalidRequest, Problem } from "../../problem.ts";
import { wakeContext } from "../../signals/wake-context.ts";
import { listMessages, updateMessage } from "../../storage/memory/messages.ts";
import {
  contextParams,
  demandContext,
  demandMessage,
  MessageSchema,
  MessageWithText,
  messageParams,
  messageView,
} from "./shapes.ts";

/** Messages of one request. */
const MAX_ADDED = 1000;

const pinned = z.boolean().openapi({ description: "A view always shows it as text" });
const importance = z.number().min(0).max(1).openapi({
  description:
    "0 to 1: at 1 the message ages at a tenth of the speed. A segment ages by its most important message",
});
const createdAt = z.iso.datetime({ offset: true }).optional().openapi({
  description: "Time of the message, if it is older than the request",
  example: "2026-11-24T12:00:00Z",
});

const Own = z
  .strictObject({
    format: z.literal("fovea").default("fovea"),
    messages: z
      .array(
        z.strictObject({
          ...ChatMessageSchema.shape,
          pinned: pinned.default(false),
          importance: importance.default(0),
          created_at: createdAt,
        }),
      )
      .min(1)
      .max(MAX_ADDED),
  })
  .openapi("NewContextMessages", {
    example: { messages: [{ role: "user", content: "Where is my parcel?" }] },
  });

/** What the client would send to the provider itself. */
const Foreign = z
  .looseObject({
    format: z.enum(["openai", "anthropic", "gemini"]).openapi({
      description:
        "`openai`: `messages` of Chat Completions, or `input` of Responses · `anthropic`: `messages` and `system` · `gemini`: `contents` and `systemInstruction`. Other members are ignored",
    }),
    pinned: pinned.optional(),
    importance: importance.optional(),
  })
  .openapi("NewProviderMessages");

const NewMessages = z.union([Own, Foreign]).openapi("NewMessages");

const add = createRoute({
  method: "post",
  path: "/v1/contexts/{id}/messages",
  operationId: "addContextMessages",
  tags: ["contexts"],
  summary: "Append messages",
  description: `Messages are stored in the given order, regardless of \`created_at\`. With tool calls and their results, parts, images, and empty contents; also as lists of OpenAI, Anthropic or Gemini (\`format\`). A message has at most ${MAX_CHARACTERS} characters, a context ${MAX_MESSAGES} messages.`,
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(4 * MIB), idempotent] as const,
  request: {
    params: contextParams,
    body: { required: true, content: { "application/json": { schema: NewMessages } } },
  },
  responses: {
    201: {
      description: "The messages, without their text",
      content: { "application/json": { schema: z.object({ data: z.array(MessageSchema) }) } },
    },
    ...problems(JSON_BODY, IDEMPOTENT, "not-found", "context-full"),
  },
});

const list = createRoute({
  method: "get",
  path: "/v1/contexts/{id}/messages",
  operationId: "listContextMessages",
  tags: ["contexts"],
  summary: "List messages, oldest first",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: {
    params: contextParams,
    query: z.strictObject({
      after: z.coerce.number().int().min(0).default(0).openapi({
        type: "integer",
        description: "Only messages with larger numbers",
      }),
      limit: z.coerce
        .number()
        .int()
        .min(1)
        .max(200)
        .default(50)
        .openapi({ type: "integer", minimum: 1, maximum: 200 }),
    }),
  },
  responses: {
    200: {
      description: "The messages",
      content: {
        "application/json": {
          schema: z
            .object({
              data: z.array(MessageWithText),
              next_after: z.int().nullable().openapi({
                description: "`after` of the next page; `null` on the last page",
              }),
            })
            .openapi("ContextMessages"),
        },
      },
    },
    ...problems("not-found", "invalid-request"),
  },
});

const read = createRoute({
  method: "get",
  path: "/v1/contexts/{id}/messages/{number}",
  operationId: "getContextMessage",
  tags: ["contexts"],
  summary: "Get a message",
  description:
    "The message and its text. `text` is `null` if the text is erased: then `…/recall` reads the image.",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: { params: messageParams },
  responses: {
    200: {
      description: "The message",
      content: { "application/json": { schema: MessageWithText } },
    },
    ...problems("not-found"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/v1/contexts/{id}/messages/{number}",
  operationId: "deleteContextMessage",
  tags: ["contexts"],
  summary: "Delete a message",
  description:
    "Erases the message, its text and the images of its segment, which are made again without it; until then the segment's other messages are text. The numbers of other messages do not change.",
  security: [{ bearer: [] }],
  middleware: [requires("write")] as const,
  request: { params: messageParams },
  responses: {
    204: { description: "Deleted" },
    ...problems("not-found", "context-busy", "text-erased"),
  },
});

const change = createRoute({
  method: "patch",
  path: "/v1/contexts/{id}/messages/{number}",
  operationId: "changeContextMessage",
  tags: ["contexts"],
  summary: "Pin a message or change its importance",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(KIB)] as const,
  request: {
    params: messageParams,
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z
            .strictObject({ pinned: pinned.optional(), importance: importance.optional() })
            .openapi("ChangeContextMessage"),
        },
      },
    },
  },
  responses: {
    200: {
      description: "The message",
      content: { "application/json": { schema: MessageSchema } },
    },
    ...problems(JSON_BODY, "not-found"),
  },
});

export const contextsMessages = (app: App) => {
  app.openapi(add, async (c) => {
    const context = await demandContext(c, c.req.valid("param").id);
    const rows = await addMessages(c.env, context, newMessages(c.req.valid("json")));
    return c.json({ data: rows.map(messageView) }, 201);
  });

  app.openapi(list, async (c) => {
    const context = await demandContext(c, c.req.valid("param").id);
    const { after, limit } = c.req.valid("query");
    const rows = await listMessages(c.env.DB, context.id, after + 1, limit + 1);
    const shown = rows.slice(0, limit);
    const texts = await contentsOf(c.env, context, shown);
    const data = shown.map((row) => withText(row, texts.get(row.number)));
    const next_after = rows.length > limit ? (shown.at(-1)?.number ?? null) : null;
    return c.json({ data, next_after }, 200);
  });

  app.openapi(read, async (c) => {
    const { id, number } = c.req.valid("param");
    const context = await demandContext(c, id);
    const message = await demandMessage(c, context, number);
    const texts = await contentsOf(c.env, context, [message]);
    return c.json(withText(message, texts.get(number)), 200);
  });

  app.openapi(remove, async (c) => {
    const { id, number } = c.req.valid("param");
    const context = await demandContext(c, id);
    await demandMessage(c, context, number);
    const outcome = await forgetMessage(c.env, context, number);
    if (outcome === "busy")
      throw new Problem(
        "context-busy",
        "The context is being aged: repeat the request.",
        {},
        { "retry-after": "2" },
      );
    if (outcome === "shared")
      throw new Problem(
        "text-erased",
        "Its segment also contains messages whose texts are erased. They would be lost with its images: delete the context, or keep the message.",
      );
    return c.body(null, 204);
  });

  app.openapi(change, async (c) => {
    const { id, number } = c.req.valid("param");
    const context = await demandContext(c, id);
    await demandMessage(c, context, number);
    await updateMessage(c.env.DB, context.id, number, c.req.valid("json"), Date.now());
    wakeContext(c.env, context.id);
    return c.json(messageView(await demandMessage(c, context, number)), 200);
  });
};

const FROM = { openai: fromOpenAI, anthropic: fromAnthropic, gemini: fromGemini };

function newMessages(body: z.infer<typeof NewMessages>) {
  if (body.format === "fovea")
    return (body as z.infer<typeof Own>).messages.map(
      ({ pinned, importance, created_at, ...message }) => ({
        content: toChatMessage(message),
        pinned,
        importance,
        createdAt: created_at === undefined ? undefined : Date.parse(created_at),
      }),
    );
  const { format, pinned = false, importance = 0, ...request } = body as z.infer<typeof Foreign>;
  const messages = readList(format, request);
  if (messages.length === 0 || messages.length > MAX_ADDED)
    throw new Problem("invalid-request", `messages: must be 1 to ${MAX_ADDED}.`);
  return messages.map((content) => ({ content, pinned, importance }));
}

/** @throws Problem `invalid-request` with the path of what cannot be read */
function readList(format: keyof typeof FROM, request: object): ChatMessage[] {
  try {
    return FROM[format](request);
  } catch (fault) {
    if (!(fault instanceof MessageFault)) throw fault;
    throw invalidRequest([{ path: fault.path.split("."), message: fault.words }]);
  }
}

export const withText = (
  message: Parameters<typeof messageView>[0],
  content: ChatMessage | null | undefined,
): z.infer<typeof MessageWithText> => ({
  ...messageView(message),
  name: content?.name ?? null,
  parts: content?.parts ?? null,
  text: content ? messageText(content) : null,
});
