/** Recent jobs: state, progress and error; cancel, and a link to the playground. */
import { h } from "../../js/dom.js";
import {
  actions,
  ask,
  choice,
  duration,
  empty,
  number,
  Pager,
  redraw,
  rowButton,
  say,
  state,
  table,
  when,
} from "./ui.js";

/** @typedef {import("../../../../client/schema.ts").Job} Job */
/** @typedef {import("./service.js").Session} Session */

const STATES = ["queued", "running", "succeeded", "partial", "failed", "canceled", "expired"];

/** @type {Record<string, "good" | "doubt" | "bad" | "open" | "off">} */
const KINDS = {
  queued: "open",
  running: "open",
  succeeded: "good",
  partial: "doubt",
  failed: "bad",
  expired: "bad",
  canceled: "off",
};

const isOpen = (/** @type {Job} */ { state }) => state === "queued" || state === "running";

/** @param {Session} session @param {HTMLElement} place */
export function jobsPane({ service }, place) {
  let only = "";
  const pager = new Pager(load);
  const list = h("div", {});
  place.append(
    h(
      "div",
      { class: "tools" },
      choice("State", [["", "all"], ...pairs(STATES)], only, async (value) => {
        only = value;
        pager.reset();
        await load();
      }),
    ),
    list,
  );

  async function load() {
    const { data, next_cursor } = await service.get("/v1/jobs", {
      limit: 20,
      state: only,
      ...pager.query,
    });
    redraw(
      list,
      data.length > 0
        ? table("Jobs, newest first", COLUMNS, data)
        : only
          ? empty(`No job is ${only}. Choose another state.`)
          : empty(
              "No jobs yet. Read a document in the ",
              h("a", { href: "/" }, "playground"),
              ", or send one to ",
              h("a", { href: "/docs" }, "POST /v1/ocr"),
              ". Jobs of batches are not listed here.",
            ),
      pager.links(next_cursor),
    );
  }

  const COLUMNS = [
    {
      name: "Job",
      cell: (/** @type {Job} */ job) =>
        h(
          "a",
          {
            href: `/#job=${job.id}`,
            class: "id",
            "data-focus": job.id,
            title: "Open in the playground",
          },
          job.id,
        ),
    },
    {
      name: "State",
      cell: (/** @type {Job} */ job) => [
        state(job.state, KINDS[job.state] ?? "off"),
        job.error && h("span", { class: "fault" }, job.error.message),
      ],
    },
    { name: "Pages", cell: (/** @type {Job} */ job) => progress(job) },
    {
      name: "Read by",
      cell: (/** @type {Job} */ job) => [
        job.model,
        job.mode !== "auto" && ` ${job.mode}`,
        job.task !== "markdown" && ` ${job.task}`,
      ],
    },
    { name: "Made", cell: (/** @type {Job} */ job) => when(job.created_at) },
    {
      name: "Took",
      cell: (/** @type {Job} */ job) =>
        job.finished_at === null
          ? h("span", { class: "quiet" }, "still open")
          : h(
              "span",
              { class: "whole" },
              duration(Date.parse(job.finished_at) - Date.parse(job.created_at)),
            ),
    },
    {
      name: "Actions",
      cell: (/** @type {Job} */ job) =>
        isOpen(job) &&
        actions(rowButton("Cancel", `the job ${job.id}`, () => cancel(job), { danger: true })),
    },
  ];

  /** @param {Job} job */
  async function cancel(job) {
    const done = await ask({
      title: "Cancel the job?",
      text: `The job ${job.id} stops. Pages that have been read remain available.`,
      verb: "Cancel the job",
      refuse: "Let it run",
      act: () => service.send("POST", `/v1/jobs/${job.id}/cancel`),
    });
    if (!done) return;
    await load();
    say(`The job ${job.id} is canceled.`);
  }

  return { load, everyS: 4 };
}

/** @param {string[]} values @returns {[string, string][]} */
const pairs = (values) => values.map((value) => [value, value]);

/** @param {Job} job */
function progress({ progress: { total, done, failed } }) {
  const of = total === null ? "" : ` of ${number(total)}`;
  return [
    h("span", { class: "whole" }, `${number(done)}${of}`),
    failed > 0 && h("span", { class: "fault" }, `${number(failed)} failed`),
  ];
}
