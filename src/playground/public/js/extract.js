/** Data by a JSON Schema: the schema, and the values that were found, each with its place on the pages. */
import { ProblemError } from "./api.js";
import { h, prose } from "./dom.js";
import { copy, download, stem } from "./formats.js";
import { problemWords } from "./problem.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./api.js").Extraction} Extraction */
/** @typedef {import("../../../client/schema.ts").Citation} Citation */

/** @typedef {{api: Api, job: string, name: string}} Subject */

export class Extract {
  /** @type {Subject | null} */
  #subject = null;
  #abort = new AbortController();

  /**
   * @param {HTMLElement} panel
   * @param {(page: number, boxes: Citation["boxes"]) => void} onCite shows where a value stands
   */
  constructor(panel, onCite) {
    this.onCite = onCite;
    this.schema = h("textarea", { id: "schema", rows: 12, spellcheck: false });
    this.instructions = h("input", {
      id: "instructions",
      autocomplete: "off",
      placeholder: "such as: amounts are in pounds",
    });
    this.button = h("button", { type: "submit", class: "primary" }, "Extract");
    this.note = h("div", { class: "note", role: "status" });
    this.values = h("div", { class: "values" });
    // Folds when the values are there, which would be below the window.
    this.asked = h(
      "details",
      { class: "asked", open: true },
      h("summary", {}, "Schema and instructions"),
      h(
        "p",
        { class: "field" },
        h("label", { htmlFor: "schema" }, "JSON Schema of the data"),
        this.schema,
      ),
      h(
        "p",
        { class: "field" },
        h("label", { htmlFor: "instructions" }, "Instructions (optional)"),
        this.instructions,
      ),
    );
    this.form = h(
      "form",
      {
        class: "extract",
        ariaLabel: "Extraction",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          this.#run();
        },
      },
      this.asked,
      h("p", { class: "actions" }, this.button),
    );
    panel.append(this.form, this.note, this.values);
  }

  /** Called when the tab is selected. */
  async wake() {
    if (this.schema.value) return;
    const answer = await fetch("/samples/invoice.schema.json").catch(() => null);
    if (answer?.ok && !this.schema.value) this.schema.value = await answer.text();
  }

  /** @param {Subject | null} subject `null` without a job that can be asked */
  show(subject) {
    if (subject?.job === this.#subject?.job) return;
    this.#abort.abort();
    this.#subject = subject;
    this.button.disabled = !subject;
    this.values.replaceChildren();
    this.asked.open = true;
    this.note.textContent = subject ? "" : "This needs a document that was read with an API key.";
  }

  async #run() {
    if (!this.#subject) return;
    const { api, job } = this.#subject;
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.note.textContent = "A model is filling in the schema …";
    this.values.replaceChildren();
    this.button.disabled = true;
    try {
      const schema = parseSchema(this.schema.value);
      const instructions = this.instructions.value.trim();
      const request = { schema, ...(instructions && { instructions }) };
      const found = await api.extract(job, request, abort.signal);
      if (found.error)
        throw new ProblemError({ title: "Nothing was extracted", detail: found.error.message });
      this.#show(found);
    } catch (error) {
      if (abort.signal.aborted) return;
      this.note.replaceChildren(h("p", { class: "problem" }, ...words(error)));
    } finally {
      if (this.#abort === abort) this.button.disabled = false;
    }
  }

  /** @param {Extraction} found */
  #show({ data, citations, model, conflicts = [], unread_pages: unread = [] }) {
    const warnings = [
      conflicts.length > 0 &&
        `Several values were found for ${conflicts.map(({ path }) => path).join(", ")}.`,
      unread.length > 0 && `Pages that could not be read: ${unread.join(", ")}.`,
    ].filter(Boolean);
    this.note.replaceChildren(
      ...prose(
        `Filled in by ${model}. Press a value to see where it stands. ${warnings.join(" ")}`,
      ),
    );
    this.asked.open = false;
    const json = () => `${JSON.stringify(data, null, 2)}\n`;
    const name = `${stem(this.#subject?.name ?? "")}.data.json`;
    this.values.replaceChildren(
      h(
        "p",
        { class: "tools" },
        h(
          "button",
          {
            type: "button",
            onclick: () =>
              copy(json()).then(
                () => {
                  this.note.textContent = "Copied.";
                },
                (error) => this.note.replaceChildren(...problemWords(error)),
              ),
          },
          "Copy data",
        ),
        h(
          "button",
          {
            type: "button",
            onclick: () => download(new Blob([json()], { type: "application/json" }), name),
          },
          "Download data",
        ),
      ),
      this.#value(data, citations),
    );
  }

  /** @param {unknown} value @param {unknown} citation in the same shape @returns {HTMLElement} */
  #value(value, citation) {
    const inner = (/** @type {string | number} */ name) =>
      citation && typeof citation === "object"
        ? /** @type {Record<string, unknown>} */ (citation)[name]
        : null;
    if (Array.isArray(value))
      return h("ol", {}, ...value.map((one, i) => h("li", {}, this.#value(one, inner(i)))));
    if (value && typeof value === "object")
      return h(
        "dl",
        {},
        ...Object.entries(value).map(([name, one]) =>
          h("div", {}, h("dt", {}, name), h("dd", {}, this.#value(one, inner(name)))),
        ),
      );
    return this.#leaf(value, /** @type {Citation | null | undefined} */ (citation));
  }

  /** @param {unknown} value @param {Citation | null | undefined} citation */
  #leaf(value, citation) {
    const text = value === null ? "none" : String(value);
    if (!citation)
      return h(
        "span",
        { class: "uncited" },
        text,
        value !== null && h("span", { class: "note" }, " not on the pages"),
      );
    const { page, boxes, text: written, match } = citation;
    return h(
      "button",
      {
        type: "button",
        class: "cited-value",
        onclick: (/** @type {{currentTarget: HTMLButtonElement}} */ { currentTarget }) => {
          for (const other of this.values.querySelectorAll("[aria-pressed=true]"))
            other.ariaPressed = "false";
          currentTarget.ariaPressed = "true";
          this.onCite(page, boxes);
        },
        ariaPressed: "false",
      },
      text,
      h("span", { class: "note" }, ` page ${page}${match === "exact" ? "" : `: ${written}`}`),
    );
  }
}

/** @param {string} text @throws ProblemError */
function parseSchema(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ProblemError({
      title: "The schema is not JSON",
      detail: error instanceof Error ? error.message : "",
    });
  }
}

/** @param {unknown} error */
function words(error) {
  if (error instanceof ProblemError && error.code === "extraction-off")
    return problemWords(
      new ProblemError({
        title: "Extraction is not set up",
        detail:
          "The operator of this service has named no language model: the settings `EXTRACT_URL` and `EXTRACT_MODEL` do, as the guide Extraction says.",
      }),
    );
  return problemWords(error);
}
