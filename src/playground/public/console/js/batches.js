/** Batches: the list, and one batch with its failures and downloads. */
import { h } from "../../js/dom.js";
import { has } from "./service.js";
import {
  actions,
  ask,
  counted,
  empty,
  handled,
  number,
  Pager,
  redraw,
  rowButton,
  save,
  say,
  size,
  state,
  table,
  when,
} from "./ui.js";

/** @typedef {import("../../../../client/schema.ts").Batch} Batch */
/** @typedef {import("../../../../client/schema.ts").BatchFailure} Failure */
/** @typedef {import("../../../../client/schema.ts").BatchOutput} Output */
/** @typedef {import("./service.js").Session} Session */

/** @type {Record<string, "good" | "doubt" | "bad" | "open" | "off">} */
const KINDS = {
  running: "open",
  paused: "doubt",
  canceling: "off",
  completed: "good",
  canceled: "off",
  failed: "bad",
};

/** Why the service paused a batch, or why it failed. @type {Record<string, string>} */
const REASONS = {
  "quota-exceeded": "The key’s pages of this month are used up.",
  "budget-exceeded": "The account’s daily limit is reached.",
  "too-many-failures": "Too many lines have failed.",
  "manifest-gone": "The manifest was deleted.",
  "manifest-changed": "The manifest has changed.",
  "manifest-empty": "The manifest has no lines.",
  "too-many-lines": "The manifest has too many lines.",
};

const isOver = (/** @type {Batch} */ { state }) =>
  !["running", "paused", "canceling"].includes(state);
const ended = (/** @type {Batch} */ { lines }) =>
  lines.succeeded + lines.partial + lines.failed + lines.canceled;

/** @param {Session} session @param {HTMLElement} place @param {string} item id of a batch */
export function batchesPane(session, place, item) {
  return item ? onePane(session, place, item) : listPane(session, place);
}

/** @param {Session} session @param {HTMLElement} place */
function listPane(session, place) {
  const pager = new Pager(load);

  async function load() {
    const { data, next_cursor } = await session.service.get("/v1/batches", {
      limit: 20,
      ...pager.query,
    });
    redraw(
      place,
      data.length > 0
        ? table("Batches, newest first", columns, data)
        : empty(
            "No batches yet. A batch reads a list of many documents in the background: ",
            h("a", { href: "/guide?BATCHES" }, "how to send one"),
            ".",
          ),
      pager.links(next_cursor),
    );
  }

  const columns = [
    {
      name: "Batch",
      cell: (/** @type {Batch} */ batch) =>
        h("a", { href: `#batches/${batch.id}`, class: "id", "data-focus": batch.id }, batch.id),
    },
    {
      name: "State",
      cell: (/** @type {Batch} */ batch) => [
        state(batch.state, KINDS[batch.state] ?? "off"),
        batch.reason && h("span", { class: "fault" }, REASONS[batch.reason] ?? batch.reason),
      ],
    },
    { name: "Lines", cell: (/** @type {Batch} */ batch) => bar(batch) },
    {
      name: "Failed lines",
      number: true,
      cell: (/** @type {Batch} */ { lines }) => number(lines.failed + lines.partial),
    },
    {
      name: "Pages",
      number: true,
      cell: (/** @type {Batch} */ { pages }) => number(pages.done),
    },
    { name: "Made", cell: (/** @type {Batch} */ batch) => when(batch.created_at) },
    {
      name: "Actions",
      cell: (/** @type {Batch} */ batch) => controls(session, batch, load),
    },
  ];

  return { load, everyS: 5 };
}

/** @param {Batch} batch */
function bar(batch) {
  const { total } = batch.lines;
  const done = ended(batch);
  if (total === null) return `${number(done)} of the lines, which are being counted`;
  return [
    h("progress", { max: Math.max(total, 1), value: done, "aria-label": "Lines that have ended" }),
    h("span", { class: "note" }, ` ${number(done)} of ${number(total)}`),
  ];
}

/**
 * What can be done with a batch in its state.
 * @param {Session} session
 * @param {Batch} batch
 * @param {() => Promise<void>} load
 */
function controls(session, batch, load) {
  if (!has(session, "write")) return null;
  const thing = `the batch ${batch.id}`;
  const send = async (/** @type {string} */ verb, /** @type {string} */ done) => {
    await session.service.send("POST", `/v1/batches/${batch.id}/${verb}`);
    await load();
    say(`The batch ${batch.id} ${done}.`);
  };
  const failures = batch.lines.failed + batch.lines.partial;
  return actions(
    batch.state === "running" && rowButton("Pause", thing, () => send("pause", "is paused")),
    batch.state === "paused" && rowButton("Resume", thing, () => send("resume", "goes on")),
    failures > 0 &&
      (batch.state === "completed" || batch.state === "paused") &&
      rowButton("Retry failed", thing, () => send("retry", "reads its failed lines again")),
    (batch.state === "running" || batch.state === "paused") &&
      rowButton("Cancel", thing, () => cancel(session, batch, load), { danger: true }),
    isOver(batch) &&
      rowButton("Delete", thing, () => remove(session, batch, load), { danger: true }),
  );
}

/** @param {Session} session @param {Batch} batch @param {() => Promise<void>} load */
async function cancel({ service }, batch, load) {
  const left =
    batch.lines.total === null
      ? ""
      : ` ${counted(batch.lines.total - ended(batch), "line")} will not be read.`;
  const done = await ask({
    title: "Cancel the batch?",
    text: `The batch ${batch.id} stops, and cannot be resumed.${left} Results so far remain in its output.`,
    verb: "Cancel the batch",
    refuse: "Let it run",
    act: () => service.send("POST", `/v1/batches/${batch.id}/cancel`),
  });
  if (!done) return;
  await load();
  say(`The batch ${batch.id} is being canceled.`);
}

/** @param {Session} session @param {Batch} batch @param {() => Promise<void>} load */
async function remove({ service }, batch, load) {
  const done = await ask({
    title: "Delete the batch?",
    text: `The batch ${batch.id} and its output are deleted. This cannot be undone. Its documents remain.`,
    verb: "Delete the batch",
    act: () => service.send("DELETE", `/v1/batches/${batch.id}`),
  });
  if (!done) return;
  if (location.hash === "#batches") await load();
  else location.hash = "#batches";
  say(`The batch ${batch.id} is deleted.`);
}

/** @param {Session} session @param {HTMLElement} place @param {string} id */
function onePane(session, place, id) {
  const { service } = session;
  const path = `/v1/batches/${encodeURIComponent(id)}`;
  /** Lines after which the page of failures begins; the last is shown. */
  const after = [0];

  async function load() {
    const [batch, failures, output] = await Promise.all([
      service.get(path),
      service.get(`${path}/failures`, { limit: 50, after: after.at(-1) }),
      service.get(`${path}/output`),
    ]);
    draw(batch, failures, output);
  }

  /**
   * @param {Batch} batch
   * @param {{data: Failure[], next_after: number | null}} failures
   * @param {Output} output
   */
  function draw(batch, failures, output) {
    const { lines, pages } = batch;
    redraw(
      place,
      h("p", { class: "back" }, h("a", { href: "#batches", "data-focus": "back" }, "All batches")),
      h("h2", { class: "id" }, batch.id),
      h(
        "p",
        {},
        state(batch.state, KINDS[batch.state] ?? "off"),
        batch.reason && ` ${REASONS[batch.reason] ?? batch.reason}`,
        " · made ",
        when(batch.created_at),
        batch.finished_at && " · ended ",
        batch.finished_at && when(batch.finished_at),
        batch.run > 1 && ` · run ${batch.run}`,
      ),
      h("p", { class: "batch-bar" }, ...[bar(batch)].flat()),
      h(
        "dl",
        { class: "tiles" },
        ...Object.entries({
          succeeded: lines.succeeded,
          "read in part": lines.partial,
          failed: lines.failed,
          canceled: lines.canceled,
          pages: pages.done,
          "failed pages": pages.failed,
        }).map(([words, count]) => h("div", {}, h("dt", {}, words), h("dd", {}, number(count)))),
      ),
      controls(session, batch, load),
      h("h2", {}, "Lines that failed"),
      failures.data.length > 0
        ? table("Lines that failed", FAILURES, failures.data)
        : h("p", { class: "hint" }, "None so far."),
      failurePages(failures.next_after),
      h("h2", {}, "Output"),
      output.shards.length > 0
        ? table("Output", outputColumns, output.shards)
        : h(
            "p",
            { class: "hint" },
            isOver(batch)
              ? "It has none."
              : "None yet: files appear here while the batch is running.",
          ),
    );
  }

  /** @param {number | null} next */
  function failurePages(next) {
    if (after.length === 1 && next === null) return null;
    const go = (
      /** @type {string} */ label,
      /** @type {boolean} */ off,
      /** @type {() => void} */ move,
    ) =>
      h(
        "button",
        {
          type: "button",
          "data-focus": label,
          "aria-disabled": String(off),
          onclick: handled(async () => {
            if (off) return;
            move();
            await load();
          }),
        },
        label,
      );
    return h(
      "nav",
      { class: "pager", "aria-label": "Pages of the failures" },
      go("Earlier lines", after.length === 1, () => after.pop()),
      go("Later lines", next === null, () => after.push(next ?? 0)),
    );
  }

  const download = async (/** @type {string} */ kind, /** @type {number} */ shard) => {
    const blob = await service.blob(`${path}/${kind}/${shard}`);
    save(blob, `${id}-${kind}-${String(shard).padStart(5, "0")}.jsonl`);
    say(`File ${shard} is saved: ${size(blob.size)}.`);
  };

  const outputColumns = [
    { name: "File", cell: (/** @type {Output["shards"][0]} */ { number }) => String(number) },
    {
      name: "Run",
      number: true,
      cell: (/** @type {Output["shards"][0]} */ { run }) => String(run),
    },
    {
      name: "Lines",
      number: true,
      cell: (/** @type {Output["shards"][0]} */ { lines }) => number(lines),
    },
    {
      name: "Pages",
      number: true,
      cell: (/** @type {Output["shards"][0]} */ { pages }) => number(pages),
    },
    {
      name: "Size",
      number: true,
      cell: (/** @type {Output["shards"][0]} */ { bytes }) => size(bytes),
    },
    {
      name: "Downloads",
      cell: (/** @type {Output["shards"][0]} */ { number: shard }) =>
        actions(
          rowButton("Results", `of file ${shard}`, () => download("output", shard)),
          rowButton("Training data", `of file ${shard}`, () => download("training-data", shard)),
        ),
    },
  ];

  return { load, everyS: 5 };
}

const FAILURES = [
  { name: "Line", cell: (/** @type {Failure} */ { line }) => number(line) },
  {
    name: "Document",
    cell: (/** @type {Failure} */ { custom_id, input }) => [
      custom_id && h("strong", {}, custom_id),
      h("code", { class: "input" }, (input ?? "not text, or too long").slice(0, 300)),
    ],
  },
  {
    name: "Outcome",
    cell: (/** @type {Failure} */ { outcome, pages }) =>
      outcome === "partial"
        ? `${number(pages.failed)} of ${counted(pages.done + pages.failed, "page")} failed`
        : "failed",
  },
  {
    name: "Why",
    cell: (/** @type {Failure} */ { error }) => [error.message, " ", h("code", {}, error.code)],
  },
];
