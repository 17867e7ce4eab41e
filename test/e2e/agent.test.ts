/**
 * The example agent in a long conversation with a stand-in for a model: what it sends is what OpenAI takes, it stays within
 * the budget, and what was said at the beginning is found at the end. For the model that the test takes, memory is text
 * and index lines, which are made at once; `AGENT_TURNS=200 AGENT_MODEL=gpt-4o` sends images, too, and takes minutes.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { Fovea } from "../../src/client/index.ts";
import { findProfile, type Profile } from "../../src/edge/domain/memory/profiles.ts";
import { estimateTextTokens } from "../../src/edge/domain/memory/text-tokens.ts";
import { type ChatMessage, faultsOf, startChatModel } from "../chat-model.ts";
import { newKey, stack, truthOf } from "./support.ts";

const TURNS = Number(process.env.AGENT_TURNS ?? 60);
const MODEL = process.env.AGENT_MODEL ?? "gpt-4o-mini";
const AGENT = join(import.meta.dirname, "../../examples/agent.mjs");
/** The agent's. */
const BUDGET = 8000;
const TICKET = "TKT-RRR6WR3/C";
const PROFILE = findProfile(`openai/${MODEL}`) as Profile;

const prose = `${truthOf("paper")} ${truthOf("report-12")}`.split(/\s+/);
const passage = (turn: number, words: number) => {
  const from = (turn * 97) % (prose.length - words);
  return prose.slice(from, from + words).join(" ");
};

const asks = (turn: number) => {
  if (turn === 3) return `The blue lamp that I ordered has the ticket ${TICKET}. Please note it.`;
  if (turn === TURNS) return "Which ticket did the blue lamp have?";
  return `Question ${turn}: what follows from this? ${passage(turn, 40)}`;
};

/** Answers with a passage; now and then after two searches at once, at the end after one. */
function answer(messages: ChatMessage[]): Omit<ChatMessage, "role"> {
  const said = messages.findLast(({ role }) => role === "user")?.content;
  const last = messages.at(-1) as ChatMessage;
  const turn = typeof said === "string" ? Number(/^Question (\d+)/.exec(said)?.[1] ?? 0) : 0;
  const search = (...words: string[]) => ({
    content: null,
    tool_calls: words.map((one, i) => ({
      id: `call_${messages.length}_${turn}_${i}`,
      type: "function",
      function: { name: "search_memory", arguments: JSON.stringify({ words: one }) },
    })),
  });
  if (last.role === "tool" && said === asks(TURNS))
    return { content: /TKT-[A-Z0-9]+\/[A-Z]/.exec(String(last.content))?.[0] ?? "I do not know." };
  if (last.role === "user" && said === asks(TURNS)) return search("blue lamp ticket");
  if (last.role === "user" && turn % 7 === 4) return search(`Question ${turn - 2}`, "unsaid zebra");
  return { content: `Answer ${turn}. ${passage(turn + 5, 150)}` };
}

test(`an agent of ${TURNS} turns`, async (t) => {
  const { key } = await newKey({ tenant: "agent" });
  const fovea = new Fovea({ apiKey: key, baseUrl: stack.origin });
  const model = await startChatModel(answer);
  const agent = spawn(process.execPath, [AGENT, MODEL], {
    env: { FOVEA_API_KEY: key, FOVEA_URL: stack.origin, OPENAI_BASE_URL: model.url },
    stdio: ["pipe", "pipe", "pipe"],
  });
  t.after(() => {
    agent.kill();
    model.close();
  });
  const errors: string[] = [];
  agent.stderr.on("data", (chunk) => errors.push(String(chunk)));
  const answers = linesOf(agent);
  /** Tokens of the last request of each turn. */
  const sent: number[] = [];
  let final = "";
  for (let turn = 1; turn <= TURNS; turn++) {
    agent.stdin.write(`${asks(turn)}\n`);
    final = (await answers.next()).value ?? assert.fail(`turn ${turn}: ${errors.join("")}`);
    sent.push(tokensOf(model.asked.at(-1) as ChatMessage[]));
    // People type more slowly: meanwhile the sweep ages the memory.
    const [context] = await fovea.contexts.list().then(({ data }) => data);
    if (turn % 5 === 0) await fovea.contexts.age(context?.id as string);
  }
  agent.stdin.end();
  await once(agent, "exit");
  assert.equal(agent.exitCode, 0, errors.join(""));

  assert.deepEqual(model.faults, []);
  assert.equal(final, TICKET);
  const [context] = (await fovea.contexts.list()).data;
  const id = context?.id as string;
  const { tokens } = await fovea.contexts.view(id);
  const plain = tokens.as_text;
  // What five turns add, with the results of searches, before the memory is aged.
  const between = 5 * 500;
  assert.ok(Math.max(...sent) < BUDGET + between, `a request has ${Math.max(...sent)} tokens`);
  assert.ok(plain > 1.3 * Math.max(...sent), `as text ${plain}, at most sent ${Math.max(...sent)}`);
  assert.ok(
    model.asked.at(-1)?.some(({ content }) => Array.isArray(content)),
    "no image is sent",
  );
  for (const line of bill(model.asked)) t.diagnostic(line);
});

async function* linesOf({ stdout }: ChildProcess): AsyncGenerator<string> {
  yield* createInterface({ input: stdout as NodeJS.ReadableStream });
}

function tokensOf(messages: ChatMessage[]): number {
  return messages.reduce((sum, message) => sum + tokensOfMessage(message), 0);
}

const estimate = (text: string) => PROFILE.textTokens(estimateTextTokens(text));
/** All images are 512 × 512 pixels with `detail: low`, or of 768 pixels with `high`. */
function tokensOfMessage({ content, tool_calls = [] }: ChatMessage): number {
  const calls = tool_calls.map(({ function: { name, arguments: words } }) =>
    estimate(name + words),
  );
  const parts = typeof content === "string" ? [{ type: "text", text: content }] : (content ?? []);
  const each = parts.map(({ text, image_url }) => {
    if (!image_url) return estimate(text ?? "");
    const png = Buffer.from(image_url.url.split(",")[1] as string, "base64");
    const form = PROFILE.forms.find(({ detail }) => detail === (image_url.detail ?? "high"));
    return form?.tokens(png.readUInt32BE(16), png.readUInt32BE(20)) ?? 0;
  });
  return [...calls, ...each].reduce((a, b) => a + b, 0);
}

/** What the requests cost, and how much of each is the beginning of the one before. */
function bill(asked: ChatMessage[][]): string[] {
  const sum = { requests: 0, tokens: 0, cached: 0, plain: 0, plainCached: 0, bytes: 0, same: 0 };
  const said: ChatMessage[] = [];
  let before: string[] = [];
  let plainBefore = 0;
  for (const messages of asked) {
    const now = messages.map((message) => JSON.stringify(message));
    const differs = now.findIndex((text, i) => text !== before[i]);
    const same = differs < 0 ? now.length : differs;
    const cached = messages.slice(0, same).reduce((all, one) => all + tokensOfMessage(one), 0);
    sum.requests++;
    sum.tokens += tokensOf(messages);
    sum.cached += cached < 1024 ? 0 : cached;
    sum.bytes += now.join("").length;
    sum.same += now.slice(0, same).join("").length;
    before = now;
    const live = messages.filter((one) => !isMemory(one)).slice(-3);
    for (const one of live)
      if (!said.some((other) => JSON.stringify(other) === JSON.stringify(one))) said.push(one);
    const plain = tokensOf(said);
    sum.plain += plain;
    sum.plainCached += plainBefore < 1024 ? 0 : plainBefore;
    plainBefore = plain;
  }
  const price = (tokens: number, cached: number) => Math.round(tokens - 0.9 * cached);
  const share = (part: number, all: number) => `${((100 * part) / all).toFixed(1)} %`;
  return [
    `${sum.requests} requests: ${sum.tokens} tokens, as plain text ${sum.plain} (${share(sum.tokens, sum.plain)})`,
    `of them the beginning of the request before: ${share(sum.cached, sum.tokens)}, as plain text ${share(sum.plainCached, sum.plain)}; of the bytes ${share(sum.same, sum.bytes)}`,
    `cached reads at a tenth: ${price(sum.tokens, sum.cached)}, as plain text ${price(sum.plain, sum.plainCached)} (${share(price(sum.tokens, sum.cached), price(sum.plain, sum.plainCached))})`,
  ];
}

const isMemory = ({ content }: ChatMessage) =>
  JSON.stringify(content).includes("[memory ") ||
  JSON.stringify(content).startsWith('"Older parts');

test("the stand-in refuses what OpenAI refuses", () => {
  const call = { id: "c1", type: "function", function: { name: "f", arguments: "{}" } };
  const calls = { role: "assistant", content: null, tool_calls: [call] };
  const result = { role: "tool", tool_call_id: "c1", content: "found" };
  const user = { role: "user", content: "Hi" };
  assert.deepEqual(faultsOf([user, calls, result]), []);
  for (const wrong of [
    [],
    [user, calls, user],
    [user, calls, result, result],
    [user, result],
    [user, calls, { ...result, tool_call_id: "c2" }],
    [{ role: "user", content: "" }],
    [{ role: "user", content: [] }],
    [{ role: "human", content: "Hi" }],
    [user, { role: "assistant", content: null }, user],
    [user, calls],
  ])
    assert.notDeepEqual(faultsOf(wrong), [], JSON.stringify(wrong));
});
