/**
 * A memory with many messages on the local stack: appending, ageing, viewing, searching, zooming.
 * `npm start`, then `npm run bench -- memory-scale --messages 10000 --age` (key and address from
 * `.data/development.json`). Prints medians in milliseconds, and how many times the bare route (`GET /health`, measured
 * before and after) they are.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Fovea } from "../src/client/index.ts";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "10000" },
    profile: { type: "string", default: "deepseek-ocr" },
    budget: { type: "string", default: "20000" },
    data: { type: "string", default: process.env.FOVEA_DATA ?? ".data" },
    /** Images are made and checked, which takes about a second a page. */
    age: { type: "boolean", default: false },
  },
});
const { origin, key } = JSON.parse(readFileSync(`${values.data}/development.json`, "utf8"));
const fovea = new Fovea({ apiKey: key, baseUrl: origin });
const count = Number(values.messages);

const median = (all: number[]) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;

async function times(rounds: number, work: () => Promise<unknown>): Promise<number> {
  const all: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const began = performance.now();
    await work();
    all.push(performance.now() - began);
  }
  return median(all);
}

const health = () => times(30, async () => (await fetch(`${origin}/health`)).text());
let bare = 0;

const row = (what: string, ms: number, note = "") =>
  console.log(
    `| ${what} | ${ms.toFixed(ms < 10 ? 1 : 0)} | ${(ms / bare).toFixed(ms < 10 * bare ? 1 : 0)} | ${note} |`,
  );

/** About 60 tokens, with an id of its own. */
const words = (i: number) =>
  `Parcel TKT-${(i * 7919).toString(36).toUpperCase()}/${i % 10} left the depot of Utrecht on day ${i % 365} with ${i * 13} grams, and the driver called the customer twice before he put it behind the green door of number ${i % 97}.`;

console.log("| step | ms (median) | bare routes | |\n|---|---|---|---|");
await health();
bare = await health();
row("bare route", bare);
const { id } = await fovea.contexts.create({
  name: "scale",
  profile: values.profile,
  token_budget: Number(values.budget),
});
const appends: number[] = [];
for (let i = 0; i < count; i += 1000) {
  const messages = Array.from({ length: Math.min(1000, count - i) }, (_, k) => ({
    role: (k % 2 ? "assistant" : "user") as "user" | "assistant",
    content: words(i + k),
  }));
  const start = performance.now();
  await fovea.contexts.add(id, messages);
  appends.push(performance.now() - start);
}
row(`append 1,000 of ${count} messages`, median(appends));
row(
  "append one",
  await times(10, () => fovea.contexts.add(id, { role: "user", content: words(1) })),
);
const step = performance.now();
await fetch(`${origin}/v1/contexts/${id}/age`, {
  method: "POST",
  headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
  body: "{}",
});
row("one step of ageing", performance.now() - step);
if (values.age) {
  const start = performance.now();
  const aged = await fovea.contexts.age(id);
  row("age until nothing is due", performance.now() - start, `${aged.sealed} segments sealed`);
}
const { tokens, over_budget, items = [] } = await fovea.contexts.view(id);
const kinds = Object.entries(Object.groupBy(items, ({ type }) => type)).map(
  ([type, list]) => `${list?.length} ${type}`,
);
row(
  "view",
  await times(20, () => fovea.contexts.view(id)),
  `${tokens.total} tokens, as text ${tokens.as_text}; over budget: ${over_budget}; ${kinds.join(", ")}`,
);
row("view as OpenAI's messages", await times(20, () => fovea.contexts.asMessages(id, "openai")));
row("costs with all profiles", await times(10, () => fovea.contexts.costs(id)));
const target = `TKT-${((count - 5) * 7919).toString(36).toUpperCase()}`;
const first = performance.now();
for (;;) if ((await fovea.contexts.search(id, target)).complete) break;
row("first search, which makes the index", performance.now() - first);
const found = await fovea.contexts.search(id, target);
row(
  "search for an id",
  await times(20, () => fovea.contexts.search(id, target)),
  `${found.data.length} found`,
);
row("search for two words", await times(20, () => fovea.contexts.search(id, "green door")));
row("recall", await times(20, () => fovea.contexts.recall(id, Math.ceil(count / 2))));
const [segment] = await fovea.contexts.segments(id);
if (segment) {
  row("open a segment", await times(10, () => fovea.contexts.segment(id, segment.id)));
  const start = performance.now();
  const zoomed = await fovea.contexts.zoom(id, segment.id, { form: "base-14" }).catch(() => null);
  if (zoomed) {
    const note = `${zoomed.pages.length} pages`;
    row("zoom into base-14 the first time", performance.now() - start, note);
    const again = () => fovea.contexts.zoom(id, segment.id, { form: "base-14" });
    row("zoom into it again", await times(10, again));
  }
}
row("bare route, again", await health());
const end = performance.now();
await fovea.contexts.delete(id);
row("delete", performance.now() - end);
