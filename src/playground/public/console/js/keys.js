/** Keys: list, make, rotate, edit and revoke. */
import { h } from "../../js/dom.js";
import { has } from "./service.js";
import {
  actions,
  ask,
  checkboxes,
  empty,
  field,
  formDialog,
  number,
  Pager,
  redraw,
  rowButton,
  say,
  showSecret,
  state,
  table,
  when,
} from "./ui.js";

/** @typedef {import("./service.js").ApiKey} ApiKey */
/** @typedef {import("./service.js").Session} Session */

const SCOPES = {
  read: "read: jobs, results, files, usage",
  write: "write: read documents, cancel, delete",
  webhooks: "webhooks: endpoints and deliveries",
  buckets: "buckets: connections to your buckets",
  admin: "admin: everything, also keys and the audit log",
};

const ONCE =
  "Copy it now and keep it in a safe place: only its hash is stored, so it cannot be shown again.";

/** @param {Session} session @param {HTMLElement} place */
export function keysPane(session, place) {
  const { service, own } = session;
  const isAdmin = has(session, "admin");
  const pager = new Pager(load);

  async function load() {
    if (!own) return draw([], null);
    if (!isAdmin) return draw([await service.get("/v1/whoami")], null);
    const page = await service.get("/v1/keys", { limit: 20, ...pager.query });
    draw(page.data, page.next_cursor);
  }

  /** @param {ApiKey[]} keys @param {string | null} next */
  function draw(keys, next) {
    const make = h(
      "button",
      { type: "button", class: "primary", "data-focus": "make", onclick: () => create() },
      own ? "Make a key" : "Make the first key of an account",
    );
    redraw(
      place,
      (isAdmin || !own) && h("p", { class: "tools" }, make),
      own &&
        !isAdmin &&
        h(
          "p",
          { class: "hint" },
          "This key lacks the scope ",
          h("code", {}, "admin"),
          ", so it sees only itself. It may revoke itself.",
        ),
      keys.length > 0 && table("API keys", COLUMNS, keys, { quiet: isOver }),
      !own &&
        empty(
          "Keys belong to accounts. With the bootstrap secret you make an account’s first key; with that key, sign in to see its others.",
        ),
      pager.links(next),
    );
  }

  const COLUMNS = [
    {
      name: "Key",
      cell: (/** @type {ApiKey} */ key) => [
        h("strong", {}, key.name),
        " ",
        h("span", { class: "note whole" }, `…${key.hint}`),
        key.environment === "test" && h("span", { class: "chip" }, "test"),
        key.id === own?.id && h("span", { class: "chip" }, "signed in"),
      ],
    },
    {
      name: "State",
      cell: (/** @type {ApiKey} */ key) => stateOf(key),
    },
    { name: "Scopes", cell: (/** @type {ApiKey} */ key) => key.scopes.join(", ") },
    {
      name: "Limits",
      cell: (/** @type {ApiKey} */ key) => {
        const limits = limitsOf(key);
        return limits.length > 0
          ? h("ul", { class: "lines" }, ...limits.map((limit) => h("li", {}, limit)))
          : h("span", { class: "quiet" }, "none");
      },
    },
    { name: "Last used", cell: (/** @type {ApiKey} */ key) => when(key.last_used_at) },
    { name: "Made", cell: (/** @type {ApiKey} */ key) => when(key.created_at) },
    {
      name: "Actions",
      cell: (/** @type {ApiKey} */ key) => {
        if (key.revoked_at !== null) return null;
        const thing = `the key ${key.name}`;
        const button = (
          /** @type {string} */ label,
          /** @type {(key: ApiKey) => Promise<unknown>} */ act,
          danger = false,
        ) => rowButton(label, thing, () => act(key), { danger, focus: key.id });
        return actions(
          isAdmin && button("Edit", edit),
          isAdmin && button("Rotate", rotate),
          button("Revoke", revoke, true),
        );
      },
    },
  ];

  async function create() {
    const made = await formDialog({
      title: own ? "Make a key" : "Make the first key of an account",
      content: [
        !own &&
          field(
            "Account",
            h("input", { name: "tenant", autocomplete: "off", placeholder: "default" }),
            "It is made if there is none of this name: lower-case letters, digits and hyphens.",
          ),
        field(
          "Name",
          h("input", { name: "name", autocomplete: "off", maxLength: 100 }),
          "So that you know later which program has it.",
        ),
        checkboxes(
          "Scopes",
          "scopes",
          Object.keys(SCOPES),
          own ? ["read", "write"] : ["admin"],
          SCOPES,
        ),
        field(
          "For",
          h(
            "select",
            { name: "environment" },
            h("option", { value: "live" }, "live: fov_live_…"),
            h("option", { value: "test" }, "test: fov_test_…"),
          ),
        ),
        ...limitFields(null),
      ],
      verb: "Make the key",
      act: async (form) => {
        const name = text(form, "name");
        const tenant = text(form, "tenant");
        return service.send("POST", "/v1/keys", {
          ...(name && { name }),
          ...(tenant && { tenant }),
          environment: text(form, "environment"),
          scopes: form.getAll("scopes"),
          ...Object.fromEntries(
            Object.entries(limitsIn(form)).filter(([, value]) => value !== null),
          ),
        });
      },
    });
    if (!made) return;
    await showSecret(`The key “${made.name}”`, made.key, ONCE);
    pager.reset();
    await load();
    say(`The key “${made.name}” is made.`);
  }

  /** @param {ApiKey} key */
  async function edit(key) {
    const changed = await formDialog({
      title: `Edit the key “${key.name}”`,
      content: [
        field("Name", h("input", { name: "name", autocomplete: "off", value: key.name })),
        ...limitFields(key),
        key.id === own?.id &&
          h(
            "p",
            { class: "warning" },
            "You are signed in with this key. A network without your own address, or a time that is over, signs you out.",
          ),
      ],
      verb: "Save",
      act: (form) =>
        service.send("PATCH", `/v1/keys/${key.id}`, {
          name: text(form, "name"),
          ...limitsIn(form),
        }),
    });
    if (!changed) return;
    await load();
    say(`The key “${changed.name}” is changed.`);
  }

  /** @param {ApiKey} key */
  async function rotate(key) {
    const made = await formDialog({
      title: `Rotate the key “${key.name}”`,
      content: [
        h(
          "p",
          {},
          `You get a new key with the same name, scopes and limits. The old one, …${key.hint}, remains valid for:`,
        ),
        field(
          "Overlap",
          h(
            "select",
            { name: "overlap" },
            h("option", { value: "86400" }, "a day"),
            h("option", { value: "3600" }, "an hour"),
            h("option", { value: "604800" }, "a week"),
            h("option", { value: "2592000" }, "30 days"),
            h("option", { value: "0" }, "no time: it ends at once"),
          ),
        ),
        key.id === own?.id &&
          h(
            "p",
            { class: "warning" },
            "You are signed in with this key: sign in with the new one before the old one ends.",
          ),
      ],
      verb: "Rotate the key",
      act: (form) =>
        service.send("POST", `/v1/keys/${key.id}/rotate`, {
          overlap_s: Number(text(form, "overlap")),
        }),
    });
    if (!made) return;
    await showSecret(`The new key “${made.name}”`, made.key, ONCE);
    await load();
    say(`The key “${made.name}” is rotated.`);
  }

  /** @param {ApiKey} key */
  async function revoke(key) {
    const done = await ask({
      title: `Revoke the key “${key.name}”?`,
      text: `Programs that use …${key.hint} are refused from the next request on. This cannot be undone.${
        key.id === own?.id ? " You are signed in with this key, so you will be signed out." : ""
      }`,
      verb: "Revoke the key",
      act: () => service.send("DELETE", `/v1/keys/${key.id}`),
    });
    if (!done) return;
    await load();
    say(`The key “${key.name}” is revoked.`);
  }

  return { load, everyS: 30 };
}

/** @param {ApiKey} key */
const isOver = (key) => key.revoked_at !== null || Date.parse(key.expires_at ?? "") < Date.now();

/** @param {ApiKey} key */
function stateOf(key) {
  if (key.revoked_at !== null)
    return [state("revoked", "off"), h("span", { class: "note line" }, when(key.revoked_at))];
  if (key.expires_at === null) return state("valid", "good");
  return isOver(key)
    ? [state("expired", "off"), h("span", { class: "note line" }, when(key.expires_at))]
    : [state("valid", "good"), h("span", { class: "note line" }, "ends ", when(key.expires_at))];
}

/** @param {ApiKey} key */
const limitsOf = (key) =>
  [
    key.rate_per_minute !== null && `${number(key.rate_per_minute)} requests a minute`,
    key.monthly_pages !== null && `${number(key.monthly_pages)} pages a month`,
    key.concurrent_jobs !== null && `${number(key.concurrent_jobs)} open jobs`,
    key.allowed_cidrs !== null && `only from ${key.allowed_cidrs.join(", ")}`,
  ].filter((limit) => limit !== false);

/** A local time for `datetime-local`. @param {string} iso */
function localTime(iso) {
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @param {ApiKey | null} key */
function limitFields(key) {
  const count = (/** @type {string} */ name, /** @type {number | null} */ value) =>
    h("input", { name, inputMode: "numeric", autocomplete: "off", value: value ?? "" });
  return [
    field(
      "Ends",
      h("input", {
        type: "datetime-local",
        name: "expires_at",
        value: key?.expires_at ? localTime(key.expires_at) : "",
      }),
      "In your time zone. Empty: it does not end.",
    ),
    h(
      "div",
      { class: "three" },
      field(
        "Requests a minute",
        count("rate_per_minute", key?.rate_per_minute ?? null),
        "Empty: the service’s limit.",
      ),
      field(
        "Pages a month",
        count("monthly_pages", key?.monthly_pages ?? null),
        "Empty: no limit.",
      ),
      field(
        "Open jobs",
        count("concurrent_jobs", key?.concurrent_jobs ?? null),
        "Empty: no limit.",
      ),
    ),
    field(
      "Only from these networks",
      h("textarea", {
        name: "allowed_cidrs",
        rows: 2,
        spellcheck: false,
        value: key?.allowed_cidrs?.join("\n") ?? "",
      }),
      "One a line, such as 203.0.113.0/24. Empty: from anywhere.",
    ),
  ];
}

/** @param {FormData} form @param {string} name */
const text = (form, name) => String(form.get(name) ?? "").trim();

/** What the fields say, for the API, which checks it; `null`: no limit. @param {FormData} form */
function limitsIn(form) {
  const count = (/** @type {string} */ name) => {
    const value = text(form, name);
    if (value === "") return null;
    return Number.isNaN(Number(value)) ? value : Number(value);
  };
  const networks = text(form, "allowed_cidrs")
    .split(/[\s,]+/)
    .filter(Boolean);
  const ends = text(form, "expires_at");
  return {
    expires_at: ends ? new Date(ends).toISOString() : null,
    rate_per_minute: count("rate_per_minute"),
    monthly_pages: count("monthly_pages"),
    concurrent_jobs: count("concurrent_jobs"),
    allowed_cidrs: networks.length > 0 ? networks : null,
  };
}
