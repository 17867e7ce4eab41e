/** Usage by day: a plot, its numbers, and the sums by model and by key. */
import { ProblemError } from "../../js/api.js";
import { h } from "../../js/dom.js";
import { csv } from "./csv.js";
import { bars } from "./plot.js";
import { has } from "./service.js";
import { choice, empty, field, handled, number, redraw, save, say, table } from "./ui.js";

/** @typedef {import("../../../../client/schema.ts").Usage} Row */
/** @typedef {import("./service.js").Session} Session */
/** @typedef {Exclude<keyof Row, "day" | "key_id" | "model">} Count */

const DAY_MS = 86_400_000;
/** Series with colours of their own; the rest are together. */
const SERIES = 6;

const dollars = (/** @type {number} */ value) =>
  value.toLocaleString("en", {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: 2,
    maximumFractionDigits: 4,
  });

/** @type {Record<string, {words: string, of: Count[], format?: (value: number) => string}>} */
const MEASURES = {
  pages: { words: "Pages read", of: ["pages_read"] },
  delivered: {
    words: "Pages delivered, also from the cache",
    of: ["pages_read", "pages_shared", "pages_cached"],
  },
  failed: { words: "Pages that failed", of: ["pages_failed"] },
  tokens: { words: "Vision and text tokens", of: ["vision_tokens", "text_tokens"] },
  extractions: { words: "Extractions", of: ["extractions", "extractions_cached"] },
  dollars: { words: "Dollars", of: ["cost_usd"], format: dollars },
};

/** @type {[string, Count, ((value: number) => string)?][]} */
const TILES = [
  ["pages read", "pages_read"],
  ["from the cache", "pages_cached"],
  ["shared", "pages_shared"],
  ["failed", "pages_failed"],
  ["vision tokens", "vision_tokens"],
  ["text tokens", "text_tokens"],
  ["extractions", "extractions"],
  ["cost", "cost_usd", dollars],
];

const isoDay = (/** @type {number} */ at) => new Date(at).toISOString().slice(0, 10);

/** All days from one to another. @param {string} from @param {string} to */
export function daysBetween(from, to) {
  const days = [];
  for (let at = Date.parse(from); at <= Date.parse(to); at += DAY_MS) days.push(isoDay(at));
  return days;
}

/** @param {Session} session @param {HTMLElement} place */
export function usagePane(session, place) {
  const { service } = session;
  let range = "30";
  let from = isoDay(Date.now() - 29 * DAY_MS);
  let to = isoDay(Date.now());
  let measure = "pages";
  let by = "model";
  /** @type {Row[]} */
  let rows = [];
  /** @type {Record<string, number>} */
  let total = {};
  /** @type {Map<string, string>} */
  let names = new Map();
  let last = "";

  const results = h("div", {});
  const dates = h("div", { class: "dates", hidden: true });
  const dateField = (
    /** @type {string} */ label,
    /** @type {string} */ value,
    /** @type {(day: string) => void} */ set,
  ) => {
    const input = h("input", { type: "date", value, required: true });
    input.addEventListener("change", () => {
      if (!input.value) return;
      set(input.value);
      handled(load)();
    });
    return field(label, input);
  };
  dates.append(
    dateField("From", from, (day) => {
      from = day;
    }),
    dateField("To", to, (day) => {
      to = day;
    }),
  );
  place.append(
    h(
      "div",
      { class: "tools" },
      choice(
        "Days",
        [
          ["7", "the last 7"],
          ["30", "the last 30"],
          ["90", "the last 90"],
          ["365", "the last 365"],
          ["dates", "from … to …"],
        ],
        range,
        async (value) => {
          range = value;
          dates.hidden = value !== "dates";
          await load();
        },
      ),
      dates,
      choice(
        "Show",
        Object.entries(MEASURES).map(([name, { words }]) => [name, words]),
        measure,
        async (value) => {
          measure = value;
          draw();
        },
      ),
      choice(
        "By",
        [
          ["model", "model"],
          ["key_id", "key"],
        ],
        by,
        async (value) => {
          by = value;
          draw();
        },
      ),
      h(
        "p",
        { class: "field" },
        h("button", { type: "button", onclick: handled(download) }, "Download CSV"),
      ),
    ),
    results,
  );

  async function load() {
    if (range !== "dates") {
      to = isoDay(Date.now());
      from = isoDay(Date.now() - (Number(range) - 1) * DAY_MS);
    }
    const answer = await service.get("/v1/usage", { from, to });
    if (names.size === 0) names = await namesOfKeys(session);
    // What has not changed is not drawn again: the focus stays on its day.
    const now = JSON.stringify([from, to, answer]);
    if (now === last) return;
    last = now;
    rows = answer.data;
    total = answer.total;
    draw();
  }

  const nameOf = (/** @type {Row} */ row) =>
    by === "model" ? row.model : (names.get(row.key_id) ?? row.key_id);

  function draw() {
    const {
      words,
      of,
      format = number,
    } = /** @type {(typeof MEASURES)[string]} */ (MEASURES[measure]);
    const amountOf = (/** @type {Row} */ row) => of.reduce((sum, count) => sum + row[count], 0);
    const days = daysBetween(from, to);
    const series = seriesOf(rows, days, nameOf, amountOf);
    const sums = (/** @type {"model" | "key_id"} */ column) => sumsBy(rows, column, names);
    redraw(
      results,
      h(
        "dl",
        { class: "tiles" },
        ...TILES.map(([words, count, format = number]) =>
          h("div", {}, h("dt", {}, words), h("dd", {}, format(total[count] ?? 0))),
        ),
      ),
      rows.length === 0
        ? empty(
            `Nothing was read from ${from} to ${to}. Read a document in the `,
            h("a", { href: "/" }, "playground"),
            ", or choose other days.",
          )
        : bars(`${words} by day (UTC)`, days, series, format, measure !== "dollars"),
      rows.length > 0 &&
        h(
          "details",
          { class: "numbers" },
          h("summary", {}, "The numbers of the plot as a table"),
          numbersTable(words, days, series, format),
        ),
      rows.length > 0 && h("h2", {}, "By model"),
      rows.length > 0 && sumsTable("By model", "Model", sums("model")),
      rows.length > 0 && h("h2", {}, "By key"),
      rows.length > 0 && sumsTable("By key", "Key", sums("key_id")),
    );
  }

  async function download() {
    if (rows.length === 0)
      throw new ProblemError({ title: "There is nothing to save", detail: "Choose other days." });
    const columns = Object.keys(/** @type {Row} */ (rows[0]));
    const lines = rows.map((row) => ({ ...row, key_name: names.get(row.key_id) ?? "" }));
    const text = csv([...columns, "key_name"], lines);
    save(new Blob([text], { type: "text/csv" }), `fovea-usage-${from}-${to}.csv`);
    say(`${rows.length} rows are saved.`);
  }

  return { load, everyS: 60 };
}

/** @param {Session} session @returns {Promise<Map<string, string>>} by id */
async function namesOfKeys(session) {
  const keys = has(session, "admin") ? await session.service.all("/v1/keys") : [session.own];
  return new Map(keys.map((key) => [key.id, `${key.name} …${key.hint}`]));
}

/**
 * The largest series by name, and the rest as one.
 * @param {Row[]} rows
 * @param {string[]} days
 * @param {(row: Row) => string} nameOf
 * @param {(row: Row) => number} amountOf
 */
function seriesOf(rows, days, nameOf, amountOf) {
  /** @type {Map<string, number[]>} */
  const all = new Map();
  for (const row of rows) {
    const name = nameOf(row);
    const values = all.get(name) ?? days.map(() => 0);
    const at = days.indexOf(row.day);
    if (at >= 0) values[at] = (values[at] ?? 0) + amountOf(row);
    all.set(name, values);
  }
  const sum = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b, 0);
  const sorted = [...all]
    .map(([name, values]) => ({ name, values }))
    .filter(({ values }) => sum(values) > 0)
    .sort((a, b) => sum(b.values) - sum(a.values));
  if (sorted.length <= SERIES) return sorted;
  const rest = sorted.slice(SERIES - 1);
  const values = days.map((_, i) => sum(rest.map((series) => series.values[i] ?? 0)));
  return [...sorted.slice(0, SERIES - 1), { name: `${rest.length} others`, values }];
}

/**
 * @param {string} words
 * @param {string[]} days
 * @param {import("./plot.js").Series[]} series
 * @param {(value: number) => string} format
 */
function numbersTable(words, days, series, format) {
  const shown = days
    .map((day, i) => ({ day, values: series.map(({ values }) => values[i] ?? 0) }))
    .filter(({ values }) => values.some((value) => value > 0))
    .reverse();
  return table(
    `${words} by day`,
    [
      { name: "Day", cell: ({ day }) => day },
      ...series.map(({ name }, i) => ({
        name,
        number: true,
        cell: (/** @type {(typeof shown)[0]} */ { values }) => format(values[i] ?? 0),
      })),
    ],
    shown,
  );
}

/**
 * @param {Row[]} rows
 * @param {"model" | "key_id"} column
 * @param {Map<string, string>} names
 */
function sumsBy(rows, column, names) {
  /** @type {Map<string, Row>} */
  const sums = new Map();
  for (const row of rows) {
    const sum = sums.get(row[column]);
    if (!sum) sums.set(row[column], { ...row });
    else for (const [, count] of TILES) sum[count] += row[count];
  }
  return [...sums]
    .map(([id, sum]) => ({ name: names.get(id) ?? id, sum }))
    .sort((a, b) => b.sum.pages_read - a.sum.pages_read);
}

/** @param {string} caption @param {string} name @param {{name: string, sum: Row}[]} sums */
const sumsTable = (caption, name, sums) =>
  table(
    caption,
    [
      { name, cell: (row) => row.name },
      ...TILES.map(([words, count, format = number]) => ({
        name: words,
        number: true,
        cell: (/** @type {(typeof sums)[0]} */ { sum }) => format(sum[count]),
      })),
    ],
    sums,
  );
