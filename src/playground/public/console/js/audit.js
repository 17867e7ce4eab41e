/** The audit log: who did what, and when. */
import { h } from "../../js/dom.js";
import { choice, empty, field, handled, Pager, redraw, table, when } from "./ui.js";

/** @typedef {import("../../../../client/schema.ts").AuditEntry} Entry */
/** @typedef {import("./service.js").Session} Session */

/** @type {Record<Entry["action"], string>} */
const WORDS = {
  "key.created": "made a key",
  "key.changed": "changed a key",
  "key.rotated": "rotated a key",
  "key.revoked": "revoked a key",
  "settings.changed": "changed the settings",
  "file.deleted": "deleted a document",
  "file.expired": "deleted a document that was not used any more",
  "file.erased": "erased a document, as its job wanted",
  "job.deleted": "deleted a job",
  "endpoint.created": "added a webhook endpoint",
  "endpoint.changed": "changed a webhook endpoint",
  "endpoint.rotated": "rotated the secret of a webhook endpoint",
  "endpoint.disabled": "disabled a webhook endpoint that failed too often",
  "endpoint.deleted": "deleted a webhook endpoint",
  "delivery.replayed": "sent a webhook again",
  "bucket.created": "connected a bucket",
  "bucket.rotated": "replaced the access key of a bucket",
  "bucket.deleted": "disconnected a bucket",
  "batch.created": "started a batch",
  "batch.paused": "paused a batch",
  "batch.resumed": "resumed a batch",
  "batch.canceled": "canceled a batch",
  "batch.retried": "retried the failed lines of a batch",
  "batch.deleted": "deleted a batch",
  "batch.expired": "deleted an old batch",
  "tokens.deleted": "deleted the vision tokens of a document",
  "context.deleted": "deleted a context",
};

/** @param {Session} session @param {HTMLElement} place */
export function auditPane({ service }, place) {
  const filter = { action: "", key: "", target: "", from: "", to: "" };
  const pager = new Pager(load);
  const list = h("div", {});
  const tools = h("div", { class: "tools" });
  place.append(tools, list);

  const changed = async () => {
    pager.reset();
    await load();
  };

  /** @param {[string, string][]} keys */
  function drawFilters(keys) {
    const input = (
      /** @type {string} */ label,
      /** @type {"target" | "from" | "to"} */ name,
      /** @type {Record<string, unknown>} */ props,
    ) => {
      const control = h("input", { autocomplete: "off", ...props });
      control.addEventListener("change", () => {
        filter[name] = control.value.trim();
        handled(changed)();
      });
      return field(label, control);
    };
    const pick = (
      /** @type {string} */ label,
      /** @type {"action" | "key"} */ name,
      /** @type {[string, string][]} */ options,
    ) =>
      choice(label, [["", "all"], ...options], "", async (value) => {
        filter[name] = value;
        await changed();
      });
    tools.replaceChildren(
      pick("What", "action", Object.entries(WORDS)),
      pick("By key", "key", keys),
      input("To the resource", "target", { placeholder: "key_…, file_…", spellcheck: false }),
      input("From", "from", { type: "date" }),
      input("To", "to", { type: "date" }),
    );
  }

  async function load() {
    if (!tools.hasChildNodes()) {
      const keys = await service.all("/v1/keys");
      drawFilters(keys.map(({ id, name, hint }) => [id, `${name} …${hint}`]));
    }
    const { data, next_cursor } = await service.get("/v1/audit", {
      limit: 25,
      ...filter,
      ...pager.query,
    });
    redraw(
      list,
      data.length > 0
        ? table("Audit log, newest first", COLUMNS, data)
        : empty(
            Object.values(filter).some(Boolean)
              ? "Nothing like this is in the log. Choose other filters."
              : "Nothing has been logged yet: changes of keys, settings, webhooks and batches, and deletions.",
          ),
      pager.links(next_cursor),
    );
  }

  return { load, everyS: 15 };
}

/** @param {Entry} entry */
function who({ key_id, key_name, action }) {
  if (key_id !== null)
    return [h("strong", {}, key_name ?? key_id), h("span", { class: "id note line" }, key_id)];
  return action === "key.created" ? "the bootstrap secret" : "the service";
}

const COLUMNS = [
  { name: "When", cell: (/** @type {Entry} */ { created_at }) => when(created_at) },
  { name: "Who", cell: who },
  {
    name: "What",
    cell: (/** @type {Entry} */ { action, fields }) => [
      WORDS[action] ?? action,
      fields.length > 0 && h("span", { class: "note line" }, fields.join(", ")),
    ],
  },
  { name: "Which", cell: (/** @type {Entry} */ { target }) => h("span", { class: "id" }, target) },
];
