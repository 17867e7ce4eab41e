// An agent with a memory: a loop around any OpenAI-compatible chat endpoint. It sends the view of a context instead of the
// whole conversation, and can look up what the view shows only as an image or a line.
//
//   FOVEA_API_KEY=… OPENAI_BASE_URL=https://api.openai.com/v1 OPENAI_API_KEY=… node examples/agent.mjs [MODEL]
//
// Type a message and press return. `CONTEXT=ctx_…` goes on with an earlier conversation.
import { createInterface } from "node:readline/promises";

const { FOVEA_API_KEY, FOVEA_URL = "http://127.0.0.1:8787", OPENAI_API_KEY = "" } = process.env;
const { OPENAI_BASE_URL = "https://api.openai.com/v1" } = process.env;
const [model = "gpt-4o"] = process.argv.slice(2);
if (!FOVEA_API_KEY) {
  console.error("FOVEA_API_KEY is not set: `npm start` prints a key.");
  process.exit(1);
}

async function request(url, key, body, method = body ? "POST" : "GET") {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (response.status === 429) {
    const seconds = Number(response.headers.get("retry-after") ?? 1);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    return request(url, key, body, method);
  }
  if (!response.ok) throw new Error(answer.detail ?? answer.error?.message ?? response.statusText);
  return answer;
}
const memory = (path, body) => request(`${FOVEA_URL}/v1/contexts${path}`, FOVEA_API_KEY, body);

const id =
  process.env.CONTEXT ??
  (await memory("", { name: "agent", profile: `openai/${model}`, token_budget: 8000 })).id;
const remember = (message) => memory(`/${id}/messages`, { format: "openai", messages: [message] });

const tools = [
  {
    type: "function",
    function: {
      name: "search_memory",
      description: "Finds earlier messages of this conversation by words, ids or numbers.",
      parameters: {
        type: "object",
        properties: { words: { type: "string" } },
        required: ["words"],
      },
    },
  },
];

/** Answers a message of the user; calls the tool as often as the model wants. */
async function answer(text) {
  await remember({ role: "user", content: text });
  for (;;) {
    const { messages } = await memory(`/${id}/view?format=openai&images=data`);
    const body = { model, messages, tools };
    const { choices } = await request(`${OPENAI_BASE_URL}/chat/completions`, OPENAI_API_KEY, body);
    const { message } = choices[0];
    await remember(message);
    if (!message.tool_calls?.length) return message.content;
    for (const call of message.tool_calls) {
      const { words } = JSON.parse(call.function.arguments);
      const { data } = await memory(`/${id}/search?q=${encodeURIComponent(words)}&limit=5`);
      const found = data.map(({ number, role, snippet }) => `${number} ${role}: ${snippet}`);
      const content = found.join("\n") || "nothing found";
      await remember({ role: "tool", tool_call_id: call.id, content });
    }
  }
}

console.error(`context ${id}`);
const lines = createInterface({ input: process.stdin });
for await (const line of lines) if (line.trim()) console.log(await answer(line));
