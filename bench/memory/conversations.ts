/**
 * Generated conversations for bench/memory.ts: support and development chats in English and German with tools, code,
 * tables, ids and questions about what was said long before. The same seed gives the same conversation.
 */
import type { ChatMessage, Part } from "../../src/edge/domain/memory/chat-message.ts";

/** A question about an earlier message, and the words that only that message has. */
export interface Probe {
  /** Index of the user's message that asks. */
  asks: number;
  /** Index of the message that has the answer. */
  about: number;
  answer: string;
}

export interface Conversation {
  messages: ChatMessage[];
  probes: Probe[];
}

const WORDS = {
  en: "the of and to a in is that it for was on are with as his they at be this from have or by one had not but what all were when we there can an your which their said if do will each about how up out them then she many some so these would other into has more her two like him see time could no make than first been its who now people my made over did down only way find use may water long little very after words called just where most know".split(
    " ",
  ),
  de: "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde sei Lieferung Rechnung Angebot Vertrag Prüfung Ergebnis Unterlagen Bestellung".split(
    " ",
  ),
};
const NAMES = ["Ines Halloran", "Tomas Brandt", "Amara Okafor", "Jan Lindqvist", "Mei Tanaka"];
const QUESTIONS = {
  en: (id: string) => `What was the amount of ${id} again?`,
  de: (id: string) => `Wie hoch war der Betrag von ${id} noch einmal?`,
};
type Language = keyof typeof WORDS;

/** Mulberry32, a generator of 32-bit numbers. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function conversation(seed: number): Conversation {
  const next = random(seed + 1);
  const whole = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  const pick = <T>(from: readonly T[]) => from[whole(0, from.length - 1)] as T;
  const language: Language = seed % 3 === 2 ? "de" : "en";
  const prose = (count: number) => {
    const sentence = () => {
      const words = Array.from({ length: whole(6, 18) }, () => pick(WORDS[language])).join(" ");
      return `${words[0]?.toUpperCase()}${words.slice(1)}.`;
    };
    let text = "";
    while (text.split(" ").length < count)
      text += `${text && (next() < 0.2 ? "\n\n" : " ")}${sentence()}`;
    return text;
  };
  const amount = () => `€${whole(1, 9)},${whole(100, 999)}.${whole(10, 99)}`;
  const id = () =>
    `${pick(["ORD", "TKT", "INV"])}-${next().toString(36).slice(2, 9).toUpperCase()}`;
  const table = () =>
    `| id | amount | owner |\n|---|---|---|\n${Array.from({ length: whole(4, 12) }, () => `| ${id()} | ${amount()} | ${pick(NAMES)} |`).join("\n")}`;
  const code = () =>
    `\`\`\`ts\n${Array.from({ length: whole(8, 30) }, (_, i) => `const ${pick(["total", "rows", "order", "next"])}${i} = await ${pick(["load", "find", "sum"])}(${whole(1, 999)}, "${id()}");`).join("\n")}\n\`\`\``;
  const rows = () =>
    JSON.stringify(
      Array.from({ length: whole(3, 15) }, () => ({
        id: id(),
        amount: amount(),
        owner: pick(NAMES),
        open: next() < 0.5,
      })),
    );

  const messages: ChatMessage[] = [];
  const say = (role: ChatMessage["role"], ...parts: Part[]) =>
    messages.push({ role, name: null, parts });
  const text = (words: string): Part => ({ type: "text", text: words });
  say("system", text("You are the assistant of a wholesaler. Answer briefly and exactly."));
  const facts: { id: string; about: number; answer: string }[] = [];
  const probes: Probe[] = [];
  const rounds = whole(30, 100);
  for (let round = 0; round < rounds; round++) {
    const old = facts.find(({ about }) => messages.length - about > 60);
    if (old && next() < 0.25) {
      facts.splice(facts.indexOf(old), 1);
      probes.push({ asks: messages.length, about: old.about, answer: old.answer });
      say("user", text(QUESTIONS[language](old.id)));
      say("assistant", text(`${old.id}: ${old.answer}.`));
      continue;
    }
    say("user", text(`${prose(whole(6, 45))}${next() < 0.15 ? `\n\n${table()}` : ""}`));
    if (next() < 0.3) {
      const call = `call_${round}`;
      say("assistant", {
        type: "tool_call",
        id: call,
        name: pick(["find_orders", "query"]),
        arguments: JSON.stringify({ owner: pick(NAMES), id: id() }),
      });
      say("tool", { type: "tool_result", id: call, name: null, text: rows(), is_error: false });
    }
    const fact = { id: id(), about: messages.length, answer: amount() };
    facts.push(fact);
    const more = next() < 0.2 ? `\n\n${code()}` : "";
    say(
      "assistant",
      text(`${prose(whole(30, 160))} ${fact.id}: ${fact.answer}, ${pick(NAMES)}.${more}`),
    );
  }
  return { messages, probes };
}
