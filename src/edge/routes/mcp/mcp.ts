/** POST /mcp: the Model Context Protocol over streamable HTTP (docs/MCP.md). */
import { z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import type { StatusCode } from "hono/utils/http-status";
import type { App, AppEnv } from "../../context.ts";
import { authenticated } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, MIB } from "../../http/body.ts";
import { mayCallMcp } from "../../http/cors.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";

/** A document in a message is base64 in JSON, and both are in memory. */
const MAX_MESSAGE_BYTES = 8 * MIB;

/** The check that the protocol demands against DNS rebinding. Programs send no `Origin`. */
const knownOrigin = createMiddleware<AppEnv>(async (c, next) => {
  const origin = c.req.header("origin");
  if (origin !== undefined && !mayCallMcp(c.env, origin))
    throw new Problem("origin-refused", "Web pages of this origin may not call /mcp.");
  await next();
});

const PATH = "/mcp";

const document = {
  method: "post" as const,
  path: PATH,
  operationId: "callMcp",
  tags: ["mcp"],
  summary: "Call the MCP server",
  description:
    "One message of the Model Context Protocol (JSON-RPC 2.0) over streamable HTTP: tools for documents and memory, and results as resources. Errors of the protocol and of tools are in the body of a 200; the problems below are those of the request itself.",
  security: [{ bearer: [] as string[] }],
  request: {
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z
            .looseObject({ jsonrpc: z.literal("2.0"), method: z.string().optional() })
            .openapi("McpMessage", {
              example: { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} },
            }),
        },
      },
    },
  },
  responses: {
    200: {
      description: "The answer; a stream if the request asks for progress",
      content: {
        "application/json": { schema: z.looseObject({ jsonrpc: z.literal("2.0") }) },
        "text/event-stream": { schema: z.string() },
      },
    },
    202: { description: "The notification was received" },
    ...problems(JSON_BODY, "origin-refused"),
  },
};

export const mcp = (app: App) => {
  app.openAPIRegistry.registerPath(document);
  app.post(PATH, knownOrigin, authenticated, jsonBody(MAX_MESSAGE_BYTES), async (c) => {
    const message: unknown = await c.req.json().catch((error) => {
      if (error instanceof SyntaxError)
        throw new Problem("malformed-request", "The body is not JSON.");
      throw error;
    });
    // A batch would be many requests for the price of one. The protocol has had none since 2025-06-18.
    if (Array.isArray(message))
      throw new Problem("malformed-request", "Batches are not supported: send one message.");
    const { caller, trace, timings, requestId } = c.var;
    const session = { env: c.env, asker: { caller, trace, timings }, requestId };
    // Loaded with the first message: the SDK's schemas would make every cold start slower.
    const { answerMessage } = await import("../../mcp/server.ts");
    const answer = await answerMessage(c.req.raw, message, session);
    const headers = Object.fromEntries(answer.headers);
    return c.newResponse(answer.body, answer.status as StatusCode, headers);
  });
};
