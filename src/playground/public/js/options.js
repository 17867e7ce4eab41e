/** The options of a request, as far as the chosen model has them. */
import { byId, h } from "./dom.js";
import { RENDERER } from "./reading.js";

/** @typedef {import("./api.js").Model} Model */
/** @typedef {import("./api.js").OcrRequest} OcrRequest */

/** What `text_layer` and `granularity` mean, for people. @type {Record<string, string>} */
const NAMES = {
  auto: "where it is right",
  never: "recognise everything",
  only: "recognise nothing",
  block: "blocks",
  line: "blocks and lines",
  word: "blocks, lines and words",
};
/** Languages that the note lists. */
const LISTED = 12;

export class Options {
  /** @type {Model[]} */
  #offered = [];
  model = byId("model", HTMLSelectElement);
  mode = byId("mode", HTMLSelectElement);
  task = byId("task", HTMLSelectElement);
  pages = byId("pages", HTMLInputElement);
  prompt = byId("prompt", HTMLInputElement);
  textLayer = byId("text-layer", HTMLSelectElement);
  granularity = byId("granularity", HTMLSelectElement);
  tableFormat = byId("table-format", HTMLSelectElement);
  figures = byId("figures", HTMLSelectElement);
  languages = byId("languages", HTMLInputElement);
  refresh = byId("refresh", HTMLInputElement);

  constructor() {
    this.model.addEventListener("change", () => this.#learnModel());
    this.task.addEventListener("change", () => this.#learnTask());
  }

  /** @param {Model[]} models those of the service, the default one first */
  offer(models) {
    this.#offered = models;
    const names = models
      .filter(({ id }) => id !== RENDERER)
      .map(({ id }, i) => h("option", { value: id }, i === 0 ? `${id} (default)` : id));
    const before = this.model.value;
    this.model.replaceChildren(
      ...(names.length > 0 ? names : [h("option", { value: "" }, "default")]),
    );
    if (names.some(({ value }) => value === before)) this.model.value = before;
    this.#learnModel();
  }

  get #reader() {
    return this.#offered.find(({ id }) => id === this.model.value)?.fovea;
  }

  #learnModel() {
    const reader = this.#reader;
    choices(this.mode, reader?.modes.length ? reader.modes : ["auto"]);
    choices(this.task, reader?.tasks ?? ["markdown"]);
    // For the other readers `never` is the same as `auto`.
    const layers = reader?.text_layers.includes("only") ? reader.text_layers : ["auto"];
    choices(this.textLayer, layers, layers.length > 1 ? NAMES : { auto: "not used" });
    choices(this.granularity, reader?.granularities ?? ["block"], NAMES);
    const known = reader?.languages ?? [];
    const more = known.length > LISTED ? ` and ${known.length - LISTED} more` : "";
    byId("languages-note").textContent =
      known.length > 0 ? `It reads ${known.slice(0, LISTED).join(", ")}${more}.` : "";
    this.#learnTask();
  }

  #learnTask() {
    byId("prompt-field").hidden = !this.#reader?.takes_prompts;
    this.prompt.required = this.task.value === "locate";
  }

  /** The request, without options that have their default value. */
  request() {
    const tags = this.languages.value.split(/[\s,]+/).filter(Boolean);
    const pages = this.pages.value.trim();
    const prompt = this.#reader?.takes_prompts && this.prompt.value.trim();
    const body = {
      ...(pages && { pages }),
      ...(this.model.selectedIndex > 0 && { model: this.model.value }),
      ...(this.mode.value !== "auto" && { mode: this.mode.value }),
      ...(this.task.value !== "markdown" && { task: this.task.value }),
      ...(prompt && { prompt }),
      ...(this.textLayer.value !== "auto" && { text_layer: this.textLayer.value }),
      ...(this.granularity.value !== "block" && { granularity: this.granularity.value }),
      ...(this.tableFormat.value !== "html" && { table_format: this.tableFormat.value }),
      ...(this.figures.value !== "none" && { figures: this.figures.value }),
      ...(tags.length > 0 && { languages: tags }),
      ...(this.refresh.checked && { cache: "refresh" }),
    };
    return /** @type {OcrRequest} */ (body);
  }
}

/**
 * @param {HTMLSelectElement} select
 * @param {readonly string[]} values
 * @param {Record<string, string>} [names]
 */
function choices(select, values, names = {}) {
  const before = select.value;
  select.replaceChildren(...values.map((value) => h("option", { value }, names[value] ?? value)));
  if (values.includes(before)) select.value = before;
  select.disabled = values.length < 2;
}
