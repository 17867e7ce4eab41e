/** POST /v1/contexts/{id}/messages; GET, PATCH and DELETE /v1/contexts/{id}/messages/{number} */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { addMessages, MAX_CHARACTERS, MAX_MESSAGES, MAX_TEXTS } from "../../contexts/add.ts";
import { forgetMessage } from "../../contexts/forget.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB, MIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { findItem, ROLES, readTexts, updateMessage } from "../../storage/contexts.ts";
import {
  contextParams,
  demandContext,
  demandMessage,
  MessageSchema,
  messageParams,
  messageView,
} from "./view.ts";

const pinned = z.boolean().openapi({
  description: "Does not age; in an image, the whole image does not age",
});
const importance = z.number().min(0).max(1).openapi({
  description:
    "0 to 1: at 1 the message ages at a tenth of the speed. An image ages by its most important message",
});

const NewMessages = z
  .strictObject({
    messages: z
      .array(
        z.strictObject({
          role: z.enum(ROLES),
          content: z.string().min(1).max(MAX_CHARACTERS).openapi({ description: "Markdown" }),
          pinned: pinned.default(false),
          importance: importance.default(0),
          created_at: z.iso.datetime({ offset: true }).optional().openapi({
            description: "Time of the message, if it is older than the request",
            example: "2026-11-24T12:00:00Z",
          }),
        }),
      )
      .min(1)
      .max(100),
  })
  .openapi("NewContextMessages", {
    example: { messages: [{ role: "user", content: "Where is my parcel?" }] },
  });

const add = createRoute({
  method: "post",
  path: "/v1/contexts/{id}/messages",
  operationId: "addContextMessages",
  tags: ["contexts"],
  summary: "Append messages",
  description: `Messages are stored in the given order, regardless of \`created_at\`. A context has at most ${MAX_MESSAGES}, of which ${MAX_TEXTS} may be text.`,
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
      content: {
        "application/json": {
          schema: MessageSchema.extend({ text: z.string().nullable() }).openapi(
            "ContextMessageWithText",
          ),
        },
      },
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
    "Erases the message and the image that contains it. The other messages of the image are text until the next ageing makes a new image of them. The numbers of other messages do not change.",
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
    const messages = c.req.valid("json").messages.map(({ created_at, ...message }) => ({
      ...message,
      createdAt: created_at === undefined ? undefined : Date.parse(created_at),
    }));
    const rows = await addMessages(c.env, context, messages);
    return c.json({ data: rows.map((row) => messageView(row, "text")) }, 201);
  });

  app.openapi(read, async (c) => {
    const { id, number } = c.req.valid("param");
    const context = await demandContext(c, id);
    const message = await demandMessage(c, context, number);
    const item = message.itemId && (await findItem(c.env.DB, context.id, message.itemId));
    const text = (await readTexts(c.env.BUCKET, context, [number])).get(number) ?? null;
    return c.json({ ...messageView(message, item ? item.form : "text"), text }, 200);
  });

  app.openapi(remove, async (c) => {
    const { id, number } = c.req.valid("param");
    const context = await demandContext(c, id);
    await demandMessage(c, context, number);
    const outcome = await forgetMessage(c.env, context, number);
    if (outcome === "busy")
      throw new Problem(
        "context-busy",
        "The message is being made into an image: repeat the request.",
        {},
        { "retry-after": "2" },
      );
    if (outcome === "shared")
      throw new Problem(
        "text-erased",
        "Its image also contains messages whose texts are erased. They would be lost with the image: delete the context, or keep the message.",
      );
    return c.body(null, 204);
  });

  app.openapi(change, async (c) => {
    const { id, number } = c.req.valid("param");
    const context = await demandContext(c, id);
    await demandMessage(c, context, number);
    await updateMessage(c.env.DB, context.id, number, c.req.valid("json"), Date.now());
    const message = await demandMessage(c, context, number);
    const item = message.itemId && (await findItem(c.env.DB, context.id, message.itemId));
    return c.json(messageView(message, item ? item.form : "text"), 200);
  });
};
