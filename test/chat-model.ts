/**
 * A stand-in for a chat model behind OpenAI's API, on a real HTTP server. It has no model: a test says what it answers to
 * a list of messages. It refuses lists that OpenAI refuses, and keeps what it got.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface ChatMessage {
  role: string;
  content: string | Part[] | null;
  tool_calls?: { id: string; type: string; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}
type Part = {
  type: string;
  text?: string;
  image_url?: { url: string; detail?: string };
};

export interface ChatModel {
  /** Its base, for `OPENAI_BASE_URL`. */
  url: string;
  /** The lists of all requests so far. */
  asked: ChatMessage[][];
  /** What was wrong with them. */
  faults: string[];
  close(): void;
}

/** @param answer the message of the assistant, without its role */
export async function startChatModel(
  answer: (messages: ChatMessage[]) => Omit<ChatMessage, "role">,
): Promise<ChatModel> {
  const asked: ChatMessage[][] = [];
  const faults: string[] = [];
  const server = createServer(async (request, response) => {
    const { model, messages } = JSON.parse(await textOf(request)) as {
      model: string;
      messages: ChatMessage[];
    };
    asked.push(messages);
    const wrong = faultsOf(messages);
    faults.push(...wrong.map((fault) => `request ${asked.length}, ${fault}`));
    const message = { role: "assistant", ...answer(messages) };
    const finish_reason = message.tool_calls ? "tool_calls" : "stop";
    const body =
      wrong.length > 0
        ? { error: { message: wrong[0] } }
        : {
            object: "chat.completion",
            model,
            choices: [{ index: 0, message, finish_reason }],
          };
    response.writeHead(wrong.length > 0 ? 400 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    asked,
    faults,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text;
}

const ROLES = ["system", "developer", "user", "assistant", "tool"];

/**
 * What OpenAI refuses: unknown roles, empty contents, calls without their results right after them, results without their
 * calls. https://platform.openai.com/docs/api-reference/chat/create (2026-11)
 */
export function faultsOf(messages: ChatMessage[]): string[] {
  const faults: string[] = [];
  let waiting = new Set<string>();
  for (const [i, message] of messages.entries()) {
    const fault = (what: string) => faults.push(`message ${i + 1} (${message.role}): ${what}`);
    if (!ROLES.includes(message.role)) fault("there is no such role");
    if (message.role === "tool") {
      if (!waiting.delete(message.tool_call_id ?? "")) fault(`answers no call before it`);
    } else if (waiting.size > 0) {
      fault(`${[...waiting]} were called before it and have no result`);
      waiting = new Set();
    }
    const calls = message.tool_calls ?? [];
    if (calls.length > 0 && message.role !== "assistant") fault("only the assistant calls tools");
    if (message.tool_calls && calls.length === 0) fault("an empty list of calls");
    for (const { id, function: called } of calls) {
      if (waiting.has(id)) fault(`${id} is called twice`);
      waiting.add(id);
      if (!called.name) fault("a call without a name");
    }
    if (!isContent(message)) fault(`empty or unknown content ${JSON.stringify(message.content)}`);
  }
  if (waiting.size > 0) faults.push(`the list ends before the results of ${[...waiting]}`);
  if (!["user", "tool"].includes(messages.at(-1)?.role ?? "")) faults.push("nobody has asked");
  return faults;
}

function isContent({ role, content, tool_calls }: ChatMessage): boolean {
  if (content === null) return role === "assistant" && (tool_calls?.length ?? 0) > 0;
  if (typeof content === "string") return content.trim() !== "";
  return content.length > 0 && content.every((part) => isPart(role, part));
}

function isPart(role: string, { type, text, image_url }: Part): boolean {
  if (type === "text") return (text ?? "").trim() !== "";
  return (
    role === "user" && type === "image_url" && /^(https?:|data:image\/)/.test(image_url?.url ?? "")
  );
}
