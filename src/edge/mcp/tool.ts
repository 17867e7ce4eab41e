/** What every tool has in common: its scope, its schemas and its errors. */
import type { CallToolResult, McpServer, ServerContext } from "@modelcontextprotocol/server";
import type { z } from "zod";
import type { Env } from "../bindings.ts";
import type { Asker } from "../context.ts";
import type { Scope } from "../domain/keys/api-key.ts";
import { demandScope } from "../http/auth.ts";
import { knownProblem } from "../http/problem.ts";
import type { Problem } from "../problem.ts";

/** A request of a client. Every message is a request of its own: nothing is kept between two. */
export interface Session {
  env: Env;
  asker: Asker;
  requestId: string;
}

/** What a tool answers: the structured form, and the same for people and models to read. */
export interface Answer<Output> {
  structured: Output;
  content: CallToolResult["content"];
}

interface Tool<Input extends z.ZodObject, Output extends z.ZodObject> {
  name: string;
  title: string;
  description: string;
  /** What the API key must be allowed. */
  scope: Scope;
  /** Whether it changes nothing and costs nothing. */
  readOnly: boolean;
  /** Whether a repetition has no further effect. */
  idempotent: boolean;
  /** Whether it fetches from elsewhere or answers texts of others, which are not to be trusted. */
  openWorld: boolean;
  input: Input;
  output: Output;
  run(input: z.infer<Input>, context: ServerContext): Promise<Answer<z.infer<Output>>>;
}

/** Registers a tool. None of them deletes anything. */
export function addTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  server: McpServer,
  session: Session,
  { name, title, description, scope, input, output, run, ...hints }: Tool<Input, Output>,
): void {
  const annotations = {
    readOnlyHint: hints.readOnly,
    destructiveHint: false,
    idempotentHint: hints.idempotent,
    openWorldHint: hints.openWorld,
  };
  // The SDK checks the arguments by `input` before the call, and the answer by `output`.
  const call = async (given: unknown, context: ServerContext): Promise<CallToolResult> => {
    try {
      demandScope(session.asker.caller, scope);
      const { structured, content } = await run(given as z.infer<Input>, context);
      return { structuredContent: structured, content };
    } catch (error) {
      const { requestId } = session;
      const text = faultText(knownProblem(error, requestId), requestId);
      return { isError: true, content: [{ type: "text", text }] };
    }
  };
  const config = { title, description, annotations, inputSchema: input, outputSchema: output };
  server.registerTool(name, config, call as never);
}

/** A problem as a model can act on it: code, detail and further members; never a stack. */
export function faultText({ code, message, extra }: Problem, requestId: string): string {
  const more = Object.entries(extra)
    .filter(([name]) => name !== "errors")
    .map(([name, value]) => `\n${name}: ${JSON.stringify(value)}`);
  return `${code}: ${message}${more.join("")}\nrequest_id: ${requestId}`;
}
