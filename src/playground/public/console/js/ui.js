/** Parts that all panes share: problems, times, states, tables, dialogs. Text only ever becomes text nodes. */
import { ProblemError } from "../../js/api.js";
import { byId, h } from "../../js/dom.js";

/** @typedef {Node | string | null | undefined | false} Child */

// — what happened —

/** @param {unknown} problem in the API's words */
export function problemNote(problem) {
  const { title, message, requestId } =
    problem instanceof ProblemError
      ? problem
      : { title: "Unexpected error", message: String(problem), requestId: "" };
  return h(
    "p",
    { class: "problem" },
    h("strong", {}, title),
    ` ${message}`,
    requestId && h("span", { class: "note" }, ` ${requestId}`),
  );
}

/**
 * Shows a problem. If the key is not valid any more, the console signs out.
 * @param {unknown} problem `null`: none
 */
export function showProblem(problem) {
  if (problem instanceof ProblemError && problem.code === "invalid-key")
    return void dispatchEvent(new CustomEvent("signed-out", { detail: problem }));
  byId("problem").replaceChildren(...(problem ? [problemNote(problem)] : []));
}

/** Says what has been done, also to screen readers. @param {string} text */
export function say(text) {
  byId("said").textContent = text;
}

/** Does something for a click and shows its problem. @param {() => Promise<unknown>} act */
export const handled = (act) => async () => {
  showProblem(null);
  await act().catch(showProblem);
};

// — times and numbers —

/** @type {[Intl.RelativeTimeFormatUnit, number][]} in seconds */
const UNITS = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const RELATIVE = new Intl.RelativeTimeFormat("en");

/** @param {number} at @param {number} now milliseconds */
export function inWords(at, now) {
  const seconds = (at - now) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size * 0.95) ?? ["second", 1];
  if (unit === "second" && Math.abs(seconds) < 10) return seconds > 0 ? "in a moment" : "just now";
  return RELATIVE.format(Math.round(seconds / size), unit);
}

const exact = (/** @type {string} */ iso) =>
  new Date(iso).toLocaleString("en", { dateStyle: "full", timeStyle: "long" });

/** A time in words, with the exact time as title. @param {string | null} iso @param {string} [never] */
export function when(iso, never = "never") {
  if (iso === null) return h("span", { class: "quiet" }, never);
  return h(
    "time",
    { dateTime: iso, title: exact(iso), "data-relative": "" },
    inWords(Date.parse(iso), Date.now()),
  );
}

/** Keeps the times on the page true. */
export function renewTimes() {
  for (const time of document.querySelectorAll("time[data-relative]"))
    if (time instanceof HTMLTimeElement)
      time.textContent = inWords(Date.parse(time.dateTime), Date.now());
}

/** @param {number} value */
export const number = (value) => value.toLocaleString("en");

/** @param {number} count @param {string} word */
export const counted = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;

/** @param {number} ms */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s.toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
}

/** @param {number} bytes */
export function size(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < 3) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** A word for a state, with a dot. @param {string} word @param {"good" | "doubt" | "bad" | "open" | "off"} kind */
export const state = (word, kind) => h("span", { class: `state ${kind}` }, word);

// — drawing —

/**
 * Replaces the content of a place. What has the focus is found again by its `data-focus`.
 * @param {HTMLElement} place
 * @param {...Child} children
 */
export function redraw(place, ...children) {
  const focused = document.activeElement;
  const mark =
    focused instanceof HTMLElement && place.contains(focused) ? focused.dataset.focus : undefined;
  const inside = focused !== null && place.contains(focused);
  place.replaceChildren(.../** @type {(Node | string)[]} */ (children.filter(Boolean)));
  if (!inside) return;
  const again = mark && place.querySelector(`[data-focus="${CSS.escape(mark)}"]`);
  const target = again instanceof HTMLElement ? again : byId("title");
  target.focus({ preventScroll: true });
}

/**
 * A table that becomes a list of cards on a narrow screen. The roles are explicit, because its cells are then blocks.
 * @template Row
 * @param {string} caption
 * @param {{name: string, cell: (row: Row) => Child | Child[], number?: boolean}[]} columns
 * @param {Row[]} rows
 * @param {{quiet?: (row: Row) => boolean}} [options] which rows are pale
 */
export function table(caption, columns, rows, { quiet = () => false } = {}) {
  const cell = (
    /** @type {Row} */ row,
    /** @type {(typeof columns)[0]} */ column,
    /** @type {boolean} */ first,
  ) => {
    const content = [column.cell(row)].flat().filter(Boolean);
    return h(
      first ? "th" : "td",
      {
        role: first ? "rowheader" : "cell",
        "data-label": column.name,
        class: column.number && "number",
        ...(first && { scope: "row" }),
      },
      content.length > 0 && h("div", {}, ...content),
    );
  };
  return h(
    "table",
    { role: "table", class: "rows" },
    h("caption", { class: "unseen" }, caption),
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        ...columns.map((column) =>
          h(
            "th",
            { role: "columnheader", scope: "col", class: column.number && "number" },
            column.name,
          ),
        ),
      ),
    ),
    h(
      "tbody",
      { role: "rowgroup" },
      ...rows.map((row) =>
        h(
          "tr",
          { role: "row", class: quiet(row) && "quiet" },
          ...columns.map((column, i) => cell(row, column, i === 0)),
        ),
      ),
    ),
  );
}

/**
 * A button of a row. Its name for screen readers has the row's.
 * @param {string} label
 * @param {string} thing
 * @param {() => Promise<unknown>} act
 * @param {{danger?: boolean, focus?: string}} [options] `focus` identifies the row
 */
export const rowButton = (label, thing, act, { danger = false, focus = thing } = {}) =>
  h(
    "button",
    {
      type: "button",
      class: danger ? "small danger" : "small",
      "aria-label": `${label} ${thing}`,
      "data-focus": `${label} ${focus}`,
      onclick: handled(act),
    },
    label,
  );

/** @param {...Child} buttons */
export const actions = (...buttons) => h("div", { class: "row-actions" }, ...buttons);

/** What to do where there is nothing. @param {...Child} children */
export const empty = (...children) => h("p", { class: "empty" }, ...children);

/** The pages of a list: newest first, by the API's cursors. */
export class Pager {
  /** @type {(string | null)[]} cursors of the pages so far */
  #cursors = [null];
  /** @type {string | null} */
  #next = null;
  #changed;

  /** @param {() => Promise<unknown>} changed another page is wanted */
  constructor(changed) {
    this.#changed = changed;
  }

  /** For the query. @returns {Record<string, string>} */
  get query() {
    const cursor = this.#cursors.at(-1);
    return cursor ? { cursor } : {};
  }

  reset() {
    this.#cursors = [null];
  }

  /** @param {string | null} next cursor of the page after this one */
  links(next) {
    this.#next = next;
    if (this.#cursors.length === 1 && next === null) return null;
    const button = (
      /** @type {string} */ label,
      /** @type {boolean} */ disabled,
      /** @type {() => void} */ move,
    ) =>
      h(
        "button",
        {
          type: "button",
          "data-focus": label,
          "aria-disabled": String(disabled),
          onclick: handled(async () => {
            if (disabled) return;
            move();
            await this.#changed();
          }),
        },
        label,
      );
    return h(
      "nav",
      { class: "pager", "aria-label": "Pages of the list" },
      button("Newer", this.#cursors.length === 1, () => this.#cursors.pop()),
      h("span", { class: "note" }, `page ${this.#cursors.length}`),
      button("Older", next === null, () => this.#cursors.push(this.#next)),
    );
  }
}

// — dialogs —

let dialogs = 0;

/**
 * A modal dialog. It is removed when it closes, and the focus goes back to where it was.
 * @param {string} title
 * @param {...Child} children
 */
function dialog(title, ...children) {
  const id = `dialog-${++dialogs}`;
  const box = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title), ...children);
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}

export const isDialogOpen = () => document.querySelector("dialog[open]") !== null;

/**
 * A dialog with a form. It stays open while `act` fails, and shows why.
 * @template T
 * @param {{title: string, content: Child[], verb: string, refuse?: string, danger?: boolean,
 *   act: (form: FormData) => Promise<T>}} options
 * @returns {Promise<T | null>} `null` if it was closed
 */
export function formDialog({ title, content, verb, refuse = "Cancel", danger = false, act }) {
  return new Promise((resolve) => {
    const fault = h("div", { role: "alert" });
    const submit = h(
      "button",
      { type: "submit", class: danger ? "primary danger" : "primary" },
      verb,
    );
    const close = h("button", { type: "button", onclick: () => box.close() }, refuse);
    const form = h(
      "form",
      {
        novalidate: true,
        onsubmit: async (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          if (submit.disabled) return;
          submit.disabled = true;
          fault.replaceChildren();
          try {
            const result = await act(new FormData(form));
            resolve(result);
            box.close();
          } catch (error) {
            fault.replaceChildren(problemNote(error));
            submit.disabled = false;
            submit.focus();
          }
        },
      },
      ...content,
      fault,
      h("p", { class: "dialog-actions" }, close, submit),
    );
    const box = dialog(title, form);
    box.addEventListener("close", () => resolve(null));
    // What is dangerous is not what Enter does.
    if (danger) close.focus();
  });
}

/**
 * Asks before something is done that cannot be undone.
 * @param {{title: string, text: string, verb: string, refuse?: string, act: () => Promise<unknown>}} options
 * @returns {Promise<boolean>} whether it was done
 */
export async function ask({ title, text, verb, refuse = "Keep it", act }) {
  const content = [h("p", {}, text)];
  const done = await formDialog({
    title,
    content,
    verb,
    refuse,
    danger: true,
    act: async () => {
      await act();
      return true;
    },
  });
  return done === true;
}

/**
 * Shows a secret, once. Escape does not close the dialog before it was copied.
 * @param {string} title
 * @param {string} secret
 * @param {string} note
 */
export function showSecret(title, secret, note) {
  let copied = false;
  const field = h("input", {
    readOnly: true,
    value: secret,
    class: "secret",
    "aria-label": title,
    autocomplete: "off",
    spellcheck: false,
    onfocus: () => field.select(),
  });
  const copy = h("button", { type: "button", class: "primary" }, "Copy");
  const status = h("p", { class: "note", role: "status" });
  copy.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(secret);
      copied = true;
      copy.textContent = "Copied";
      status.textContent = "It is in the clipboard.";
    } catch {
      status.textContent = "The browser does not allow it here: press Ctrl+C.";
    }
  });
  field.addEventListener("copy", () => {
    copied = true;
  });
  const close = h("button", { type: "button", onclick: () => box.close() }, "I have kept it");
  const box = dialog(
    title,
    h("p", {}, note),
    h("p", { class: "copyable" }, field, copy),
    status,
    h("p", { class: "dialog-actions" }, close),
  );
  box.addEventListener("cancel", (event) => {
    if (!copied) event.preventDefault();
  });
  return new Promise((resolve) => box.addEventListener("close", () => resolve(null)));
}

/** A dialog to read. @param {string} title @param {...Child} content */
export function showDetails(title, ...content) {
  const close = h("button", { type: "button", onclick: () => box.close() }, "Close");
  const box = dialog(title, ...content, h("p", { class: "dialog-actions" }, close));
  box.classList.add("wide");
  // The beginning, not the last button, is what to read first.
  box.scrollTop = 0;
}

// — forms —

let fields = 0;

/**
 * @param {string} label
 * @param {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} control
 * @param {string} [note]
 */
export function field(label, control, note) {
  const id = `field-${++fields}`;
  control.id = id;
  if (note) control.setAttribute("aria-describedby", `${id}-note`);
  return h(
    "p",
    { class: "field" },
    h("label", { for: id }, label),
    control,
    note && h("span", { class: "note", id: `${id}-note` }, note),
  );
}

/**
 * @param {string} legend
 * @param {string} name
 * @param {readonly string[]} values
 * @param {readonly string[]} checked
 * @param {Record<string, string>} [words]
 */
export const checkboxes = (legend, name, values, checked, words = {}) =>
  h(
    "fieldset",
    { class: "checks" },
    h("legend", {}, legend),
    ...values.map((value) =>
      h(
        "label",
        {},
        h("input", { type: "checkbox", name, value, checked: checked.includes(value) }),
        ` ${words[value] ?? value}`,
      ),
    ),
  );

/**
 * @param {string} label
 * @param {[string, string][]} options value and words
 * @param {string} value
 * @param {(value: string) => Promise<unknown>} changed
 */
export function choice(label, options, value, changed) {
  const select = h("select", {}, ...options.map(([value, words]) => h("option", { value }, words)));
  select.value = value;
  select.addEventListener("change", () => handled(() => changed(select.value))());
  return field(label, select);
}

/** Saves a file. @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
