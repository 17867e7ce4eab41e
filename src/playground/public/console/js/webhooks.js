/** Webhooks: endpoints, and the log of deliveries. */
import { h } from "../../js/dom.js";
import {
  actions,
  ask,
  checkboxes,
  choice,
  counted,
  duration,
  empty,
  field,
  formDialog,
  Pager,
  redraw,
  rowButton,
  say,
  showDetails,
  showSecret,
  state,
  table,
  when,
} from "./ui.js";

/** @typedef {import("../../../../client/schema.ts").WebhookEndpoint} Endpoint */
/** @typedef {import("../../../../client/schema.ts").ListedWebhookDelivery} Listed */
/** @typedef {import("../../../../client/schema.ts").WebhookDeliveryLog} Log */
/** @typedef {import("./service.js").Session} Session */

const JOB_EVENTS = ["job.succeeded", "job.partial", "job.failed", "job.canceled", "job.expired"];
const EVENTS = [
  ...JOB_EVENTS,
  "page.completed",
  "batch.completed",
  "key.created",
  "key.changed",
  "key.rotated",
  "key.revoked",
  "endpoint.disabled",
];

const SIGNED =
  "It signs the webhooks to this endpoint. Copy it now, for the program that verifies them: it is not shown again.";

/** @param {Session} session @param {HTMLElement} place */
export function webhooksPane({ service }, place) {
  let only = "";
  let endpoint = "";
  const pager = new Pager(load);
  const endpointPager = new Pager(load);
  const endpoints = h("div", {});
  const filters = h("div", { class: "tools" });
  const deliveries = h("div", {});
  /** Endpoints in the filter. */
  let offered = "";
  place.append(h("h2", {}, "Endpoints"), endpoints, h("h2", {}, "Deliveries"), filters, deliveries);

  async function load() {
    const [places, log] = await Promise.all([
      service.get("/v1/webhooks/endpoints", { limit: 20, ...endpointPager.query }),
      service.get("/v1/webhooks/deliveries", {
        limit: 20,
        state: only,
        endpoint,
        ...pager.query,
      }),
    ]);
    drawEndpoints(places.data, places.next_cursor);
    drawFilters(places.data);
    redraw(
      deliveries,
      log.data.length > 0
        ? table("Deliveries, newest first", DELIVERIES, log.data)
        : only || endpoint
          ? empty("No such deliveries. Choose another state or endpoint.")
          : empty(
              "Nothing was delivered yet. An endpoint gets its first event when a job ends, or when you test it.",
            ),
      pager.links(log.next_cursor),
    );
  }

  /** @param {Endpoint[]} list @param {string | null} next */
  function drawEndpoints(list, next) {
    redraw(
      endpoints,
      h(
        "p",
        { class: "tools" },
        h(
          "button",
          { type: "button", class: "primary", "data-focus": "make", onclick: () => create() },
          "Add an endpoint",
        ),
      ),
      list.length > 0
        ? table("Webhook endpoints", ENDPOINTS, list, {
            quiet: ({ state }) => state === "disabled",
          })
        : empty(
            "No endpoints yet. Add the address of your server that is told when jobs end: ",
            h("a", { href: "/guide?WEBHOOKS" }, "what it gets"),
            ".",
          ),
      endpointPager.links(next),
    );
  }

  /** Drawn again only if the endpoints have changed, so that an open list stays open. @param {Endpoint[]} list */
  function drawFilters(list) {
    const now = JSON.stringify(list.map(({ id, url }) => [id, url]));
    if (now === offered) return;
    offered = now;
    filters.replaceChildren(
      choice(
        "State",
        [
          ["", "all"],
          ["failed", "failed"],
          ["pending", "pending"],
          ["delivered", "delivered"],
        ],
        only,
        async (value) => {
          only = value;
          pager.reset();
          await load();
        },
      ),
      choice(
        "Endpoint",
        [["", "all"], ...list.map(({ id, url }) => /** @type {[string, string]} */ ([id, url]))],
        endpoint,
        async (value) => {
          endpoint = value;
          pager.reset();
          await load();
        },
      ),
    );
  }

  const ENDPOINTS = [
    {
      name: "Address",
      cell: (/** @type {Endpoint} */ { url }) => h("span", { class: "url" }, url),
    },
    {
      name: "State",
      cell: (/** @type {Endpoint} */ { state: is, disabled_at, disabled_reason }) =>
        is === "active"
          ? state("active", "good")
          : [
              state("disabled", disabled_reason === "failures" ? "bad" : "off"),
              h(
                "span",
                { class: "fault" },
                disabled_reason === "failures" ? "after five failed deliveries, " : "on request, ",
                when(disabled_at),
              ),
            ],
    },
    {
      name: "Events",
      cell: (/** @type {Endpoint} */ { events }) =>
        h("ul", { class: "lines" }, ...events.map((event) => h("li", {}, event))),
    },
    { name: "Made", cell: (/** @type {Endpoint} */ { created_at }) => when(created_at) },
    {
      name: "Actions",
      cell: (/** @type {Endpoint} */ one) => {
        const button = (
          /** @type {string} */ label,
          /** @type {(one: Endpoint) => Promise<unknown>} */ act,
          danger = false,
        ) => rowButton(label, `the endpoint ${one.url}`, () => act(one), { danger, focus: one.id });
        return actions(
          button("Test", test),
          button("Edit", edit),
          button("Rotate secret", rotate),
          one.state === "active" ? button("Disable", disable) : button("Enable", enable),
          button("Delete", remove, true),
        );
      },
    },
  ];

  const DELIVERIES = [
    {
      name: "Event",
      cell: (/** @type {Listed} */ { event, job_id }) => [
        h("strong", {}, event),
        job_id && h("a", { href: `/#job=${job_id}`, class: "id line" }, job_id),
      ],
    },
    { name: "To", cell: (/** @type {Listed} */ { url }) => h("span", { class: "url" }, url) },
    { name: "State", cell: (/** @type {Listed} */ delivery) => deliveryState(delivery) },
    { name: "Made", cell: (/** @type {Listed} */ { created_at }) => when(created_at) },
    {
      name: "Actions",
      cell: (/** @type {Listed} */ delivery) => {
        const thing = `the delivery of ${delivery.event} ${delivery.id}`;
        return actions(
          rowButton("Details", thing, () => details(delivery.id)),
          rowButton("Replay", thing, () => replay(delivery)),
        );
      },
    },
  ];

  /** @param {Endpoint | null} one */
  const endpointFields = (one) => [
    field(
      "Address",
      h("input", {
        name: "url",
        type: "url",
        autocomplete: "off",
        placeholder: "https://example.com/hooks/fovea",
        value: one?.url ?? "",
      }),
      "A public https address of your server.",
    ),
    checkboxes("Events", "events", EVENTS, one?.events ?? JOB_EVENTS),
  ];
  /** @param {FormData} form */
  const endpointIn = (form) => ({
    url: String(form.get("url") ?? "").trim(),
    events: form.getAll("events"),
  });

  async function create() {
    const made = await formDialog({
      title: "Add an endpoint",
      content: endpointFields(null),
      verb: "Add the endpoint",
      act: (form) => service.send("POST", "/v1/webhooks/endpoints", endpointIn(form)),
    });
    if (!made) return;
    await showSecret("The endpoint’s secret", made.secret, SIGNED);
    await load();
    say(`The endpoint ${made.url} is added.`);
  }

  /** @param {Endpoint} one */
  async function edit(one) {
    const changed = await formDialog({
      title: "Edit the endpoint",
      content: endpointFields(one),
      verb: "Save",
      act: (form) => service.send("PATCH", `/v1/webhooks/endpoints/${one.id}`, endpointIn(form)),
    });
    if (!changed) return;
    await load();
    say(`The endpoint ${changed.url} is changed.`);
  }

  /** @param {Endpoint} one */
  async function test(one) {
    const delivery = await service.send("POST", `/v1/webhooks/endpoints/${one.id}/test`);
    say(`A test event is on its way to ${one.url}: see the deliveries.`);
    pager.reset();
    // Its outcome is known in a moment, if the server answers.
    for (let i = 0; i < 5; i++) {
      await load();
      const { state } = await service.get(`/v1/webhooks/deliveries/${delivery.id}`);
      if (state !== "pending") {
        await load();
        say(
          state === "delivered"
            ? `${one.url} has got the test event.`
            : `${one.url} has not taken the test event: see the deliveries.`,
        );
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
  }

  /** @param {Endpoint} one */
  async function rotate(one) {
    const rotated = await formDialog({
      title: "Rotate the secret?",
      content: [
        h(
          "p",
          {},
          `Webhooks to ${one.url} get a new secret. For 24 hours they are signed with the old one too.`,
        ),
      ],
      verb: "Rotate the secret",
      act: () => service.send("POST", `/v1/webhooks/endpoints/${one.id}/rotate`),
    });
    if (!rotated) return;
    await showSecret("The endpoint’s new secret", rotated.secret, SIGNED);
    await load();
    say(`The secret of ${one.url} is rotated.`);
  }

  /** @param {Endpoint} one */
  async function disable(one) {
    const done = await ask({
      title: "Disable the endpoint?",
      text: `${one.url} gets no more events until you enable it. Events of that time are not delivered later.`,
      verb: "Disable the endpoint",
      refuse: "Keep it active",
      act: () => service.send("PATCH", `/v1/webhooks/endpoints/${one.id}`, { state: "disabled" }),
    });
    if (!done) return;
    await load();
    say(`The endpoint ${one.url} is disabled.`);
  }

  /** @param {Endpoint} one */
  async function enable(one) {
    await service.send("PATCH", `/v1/webhooks/endpoints/${one.id}`, { state: "active" });
    await load();
    say(`The endpoint ${one.url} is active.`);
  }

  /** @param {Endpoint} one */
  async function remove(one) {
    const done = await ask({
      title: "Delete the endpoint?",
      text: `${one.url} gets no more events, and pending deliveries to it are canceled. This cannot be undone.`,
      verb: "Delete the endpoint",
      act: () => service.send("DELETE", `/v1/webhooks/endpoints/${one.id}`),
    });
    if (!done) return;
    if (endpoint === one.id) endpoint = "";
    await load();
    say(`The endpoint ${one.url} is deleted.`);
  }

  /** @param {Listed} delivery */
  async function replay(delivery) {
    await service.send("POST", `/v1/webhooks/deliveries/${delivery.id}/replay`);
    await load();
    say(`${delivery.event} is sent again to ${delivery.url}.`);
  }

  /** @param {string} id */
  async function details(id) {
    /** @type {Log} */
    const log = await service.get(`/v1/webhooks/deliveries/${id}`);
    showDetails(
      `Delivery of ${log.event}`,
      h("p", {}, state(log.state, KINDS[log.state]), " to ", h("span", { class: "url" }, log.url)),
      h("p", { class: "note" }, "webhook-id ", h("code", {}, log.id)),
      h("h3", {}, "Attempts"),
      log.attempts.length > 0
        ? table("Attempts", ATTEMPTS, log.attempts)
        : h("p", { class: "hint" }, "None yet."),
      h("h3", {}, "Request"),
      log.request
        ? h(
            "pre",
            { class: "source", tabIndex: 0, role: "region", "aria-label": "Body of the request" },
            JSON.stringify(log.request.body, null, 2),
          )
        : h("p", { class: "hint" }, "The job was deleted, and with it what the body is made from."),
    );
  }

  return { load, everyS: 6 };
}

/** @type {Record<Log["state"], "good" | "bad" | "open">} */
const KINDS = { delivered: "good", failed: "bad", pending: "open" };

/** @param {Listed} delivery */
function deliveryState({ state: is, attempt_count, last_status, last_error, next_attempt_at }) {
  const again = is === "pending" && attempt_count > 0 && next_attempt_at !== null;
  const isDue = Date.parse(next_attempt_at ?? "") <= Date.now();
  return [
    state(is, KINDS[is]),
    h(
      "span",
      { class: is === "delivered" ? "note line" : "fault" },
      attempt_count === 0 ? "not tried yet" : counted(attempt_count, "attempt"),
      last_error ? `, ${last_error}` : last_status !== null && `, status ${last_status}`,
      again && (isDue ? ", due now" : ", again "),
      again && !isDue && when(next_attempt_at),
    ),
  ];
}

const ATTEMPTS = [
  { name: "Attempt", cell: (/** @type {Log["attempts"][0]} */ { attempt }) => String(attempt) },
  { name: "When", cell: (/** @type {Log["attempts"][0]} */ { at }) => when(at) },
  {
    name: "Answer",
    cell: (/** @type {Log["attempts"][0]} */ { status, error }) =>
      error ?? (status === null ? "none" : `status ${status}`),
  },
  {
    name: "Took",
    number: true,
    cell: (/** @type {Log["attempts"][0]} */ { duration_ms }) => duration(duration_ms),
  },
  {
    name: "Beginning of the body",
    cell: (/** @type {Log["attempts"][0]} */ { answer }) =>
      answer ? h("code", { class: "input" }, answer) : h("span", { class: "quiet" }, "empty"),
  },
];
