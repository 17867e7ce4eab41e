/** The health of the service, and for the operator its pools and the queue. */
import { h } from "../../js/dom.js";
import { counted, duration, empty, number, redraw, state, table, when } from "./ui.js";

/** @typedef {import("../../../../client/schema.ts").Pool} Pool */
/** @typedef {import("../../../../client/schema.ts").Pools} Pools */
/** @typedef {import("../../../../client/schema.ts").Ready} Ready */
/** @typedef {import("./service.js").Session} Session */

/** What a component is when it works, and when it does not. @type {Record<string, [string, string]>} */
const PHASES = {
  settings: ["settings are valid", "settings are wrong"],
  database: ["database answers", "database does not answer"],
  storage: ["storage answers", "storage does not answer"],
  workers: ["a worker is ready", "no worker is ready"],
};

/** @param {Session} session @param {HTMLElement} place */
export function poolsPane({ service, own }, place) {
  async function load() {
    const [ready, pools] = await Promise.all([
      // 503 has the same body: it says what is not ready.
      fetch("/ready").then((response) => response.json()),
      own ? null : service.get("/v1/pools"),
    ]);
    redraw(place, ...health(ready), ...(pools ? survey(pools) : [ONLY_OPERATOR()]));
  }
  return { load, everyS: 10 };
}

const ONLY_OPERATOR = () =>
  h(
    "p",
    { class: "hint" },
    "Pools are shared by all accounts, so only the operator sees them: sign in with the service’s ",
    h("code", {}, "BOOTSTRAP_SECRET"),
    ". An administrator’s key has its account’s share at ",
    h("a", { href: "/docs" }, "GET /metrics"),
    ".",
  );

/** @param {string} name @param {boolean} works */
function component(name, works) {
  const [yes, no] = PHASES[name] ?? [name, `not ${name}`];
  return works ? state(yes, "good") : state(no, "bad");
}

/** @param {Ready} ready */
const health = ({ status, phases, workers }) => [
  h("h2", {}, "Service"),
  h(
    "p",
    {},
    status === "ready" ? state("ready", "good") : state("not ready", "bad"),
    status === "ready"
      ? ": new pages can be read."
      : ": new pages wait; pages from the cache are served.",
  ),
  h(
    "ul",
    { class: "phases" },
    ...Object.entries(phases).map(([name, works]) => h("li", {}, component(name, works))),
  ),
  h(
    "p",
    { class: "note" },
    workers.length === 0
      ? "No pools are configured."
      : `${counted(workers.length, "pool")}: ${workers.map(({ state }) => state.toLowerCase()).join(", ")}.`,
  ),
];

/** @param {Pools} survey */
const survey = ({ pools, queue, counters_since }) => [
  h("h2", {}, "Queue"),
  h(
    "dl",
    { class: "tiles" },
    ...tile("shards waiting", number(queue.shards)),
    ...tile("pages in them", number(queue.pages)),
    ...tile("of these, of batches", number(queue.batch_pages)),
    ...tile("accounts waiting", number(queue.tenants)),
    ...tile("oldest has waited since", queue.oldest_at ? when(queue.oldest_at) : "–"),
  ),
  h("h2", {}, "Pools"),
  ...(pools.length > 0
    ? [
        table("Pools", COLUMNS, pools, { quiet: ({ draining }) => draining }),
        h(
          "p",
          { class: "note hint" },
          "Shards are counted since the scheduler started, ",
          when(counters_since),
          ".",
        ),
      ]
    : [
        empty(
          "No pools are configured, so no new page can be read: ",
          h("a", { href: "/guide?DEPLOY" }, "how to add one"),
          ".",
        ),
      ]),
];

/** @param {string} words @param {string | Node} value */
const tile = (words, value) => [h("div", {}, h("dt", {}, words), h("dd", {}, value))];

/** What a pool does now. @param {Pool} pool */
function poolState({ draining, starting, resting_until, breaker, probe, slots, taken }) {
  if (draining) return state("draining", "off");
  if (breaker.state === "open") return state("kept away", "bad");
  if (breaker.state === "half-open") return state("on trial", "doubt");
  if (starting || probe?.state === "STARTING") return state("starting", "doubt");
  if (probe && !probe.healthy) return state("not healthy", "bad");
  if (taken >= slots) return state("full", "open");
  if (resting_until) return state("resting", "doubt");
  return state("ready", "good");
}

const COLUMNS = [
  {
    name: "Pool",
    cell: (/** @type {Pool} */ { name, type, address }) => [
      h("strong", {}, name),
      h(
        "span",
        { class: "note line" },
        `${type === "cog" ? "Cog server" : "Replicate"} ${address}`,
      ),
    ],
  },
  { name: "State", cell: poolState },
  {
    name: "Slots",
    cell: (/** @type {Pool} */ { slots, taken }) => [
      h("meter", { max: slots, value: taken, "aria-label": "Slots in use" }),
      h("span", { class: "note" }, ` ${number(taken)} of ${number(slots)}`),
    ],
  },
  {
    name: "Breaker",
    cell: (/** @type {Pool} */ { breaker }) => [
      breaker.state,
      breaker.state === "closed" &&
        breaker.strikes > 0 &&
        `, ${counted(breaker.strikes, "strike")}`,
      breaker.open_until && h("span", { class: "note line" }, "until ", when(breaker.open_until)),
    ],
  },
  {
    name: "Last probe",
    cell: (/** @type {Pool} */ { probe }) =>
      probe
        ? [
            state(probe.state.toLowerCase(), probe.healthy ? "good" : "bad"),
            h("span", { class: "note line" }, when(probe.at)),
          ]
        : h("span", { class: "quiet" }, "not yet"),
  },
  { name: "Models", cell: (/** @type {Pool} */ { models }) => models.join(", ") },
  {
    name: "Shards",
    cell: (/** @type {Pool} */ { counters }) =>
      h(
        "ul",
        { class: "lines" },
        h("li", {}, `${number(counters.dispatched)} given`),
        h("li", {}, `${number(counters.refused)} refused`),
        h("li", {}, `${number(counters.lost)} lost`),
        counters.first_word_ms !== null &&
          h("li", {}, `first word after ${duration(counters.first_word_ms)}`),
      ),
  },
];
