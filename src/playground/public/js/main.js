/** The playground: the form, its requests and the views of their results. */
import { Api, ProblemError, tokenClaims } from "./api.js";
import { byId, h, tabs } from "./dom.js";
import { MemoryView } from "./memory.js";
import { pageView, setImage } from "./page-view.js";
import { isOver, RENDERER, Reading } from "./reading.js";
import { Sharpness } from "./sharpness.js";
import { SNIPPETS } from "./snippets.js";

/** @typedef {import("./api.js").Model} Model */
/** @typedef {import("./api.js").OcrRequest} OcrRequest */

const KEY = "fovea-key";
const WAITING = {
  slot: "all workers are busy",
  worker: "a worker is reading it",
  cold_start: "a worker is starting",
  installation: "the model is being installed",
  pool: "no worker responds",
};

/** @type {Record<string, string>} */
const ENDS = {
  succeeded: "Read",
  partial: "Partly read",
  failed: "Failed",
  canceled: "Canceled",
  expired: "Expired",
};

const form = byId("ask", HTMLFormElement);
const key = byId("key", HTMLInputElement);
const model = byId("model", HTMLSelectElement);
const mode = byId("mode", HTMLSelectElement);
const task = byId("task", HTMLSelectElement);
const pages = byId("pages", HTMLInputElement);
const prompt = byId("prompt", HTMLInputElement);
const textLayer = byId("text-layer", HTMLSelectElement);
const granularity = byId("granularity", HTMLSelectElement);
const tableFormat = byId("table-format", HTMLSelectElement);
const figures = byId("figures", HTMLSelectElement);
const languages = byId("languages", HTMLInputElement);
const refresh = byId("refresh", HTMLInputElement);
const file = byId("file", HTMLInputElement);
const drop = byId("drop");

/** @type {{name: string, blob: Blob} | null} */
let chosen = null;
/** @type {Model[]} */
let offered = [];
/** @type {Reading | null} */
let reading = null;
let shown = 0;
/** @type {import("./api.js").PageResult | null} the result on screen */
let drawn = null;
let language = "curl";

const sharpness = new Sharpness(byId("panel-sharpness"));
const memory = new MemoryView(byId("panel-memory"));

// — the document —

/** @param {Blob} blob @param {string} name @param {HTMLElement} [sample] the sample's button */
function choose(blob, name, sample) {
  chosen = { blob, name };
  const kib = Math.max(1, Math.round(blob.size / 1024)).toLocaleString("en");
  byId("chosen").replaceChildren(h("strong", {}, name), ` ${kib} KiB`);
  for (const button of form.querySelectorAll("[data-sample]"))
    button.ariaPressed = String(button === sample);
  showSnippet();
}

file.addEventListener("change", () => {
  const [first] = file.files ?? [];
  if (first) choose(first, first.name);
});
for (const button of form.querySelectorAll("[data-sample]"))
  button.addEventListener("click", async () => {
    const name = /** @type {HTMLElement} */ (button).dataset.sample ?? "";
    const answer = await fetch(`/samples/${name}`).catch(() => null);
    if (answer?.ok) choose(await answer.blob(), name, /** @type {HTMLElement} */ (button));
    else
      showProblem(
        new ProblemError({
          title: "Sample not available",
          detail: `${name} could not be fetched.`,
        }),
      );
  });
// By default the browser would open a file that is dropped outside the field.
for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.preventDefault());
addEventListener("dragover", () => drop.classList.add("over"));
addEventListener("dragleave", () => drop.classList.remove("over"));
addEventListener("drop", (event) => {
  drop.classList.remove("over");
  const [first] = event.dataTransfer?.files ?? [];
  if (first) choose(first, first.name);
});

// — the options —

async function learnModels() {
  const credential = key.value.trim();
  if (credential) sessionStorage.setItem(KEY, credential);
  else sessionStorage.removeItem(KEY);
  const token = tokenClaims(credential);
  byId("read").textContent = token?.scope === "read" ? "Show the job" : "Read";
  showProblem(null);
  // A browser token is valid for one job and cannot list models.
  offered =
    credential && !token ? ((await new Api(credential).models().catch(showProblem)) ?? []) : [];
  const readers = offered.filter(({ id }) => id !== RENDERER);
  const names = readers.map(({ id }, i) =>
    h("option", { value: id }, i === 0 ? `${id} (default)` : id),
  );
  model.replaceChildren(...(names.length > 0 ? names : [h("option", { value: "" }, "default")]));
  sharpness.offer(offered);
  // Contexts need rendered pages.
  memory.offer(offered.some(({ id }) => id === RENDERER) ? new Api(credential) : null);
  learnModel();
}

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

function learnModel() {
  const reader = offered.find(({ id }) => id === model.value)?.fovea;
  const options = (
    /** @type {HTMLSelectElement} */ select,
    /** @type {readonly string[]} */ values,
    /** @type {Record<string, string>} */ names = {},
  ) => {
    const before = select.value;
    select.replaceChildren(...values.map((value) => h("option", { value }, names[value] ?? value)));
    if (values.includes(before)) select.value = before;
    select.disabled = values.length < 2;
  };
  options(mode, reader?.modes.length ? reader.modes : ["auto"]);
  options(task, reader?.tasks ?? ["markdown"]);
  // For the other readers `never` is the same as `auto`.
  const layers = reader?.text_layers.includes("only") ? reader.text_layers : ["auto"];
  options(textLayer, layers, layers.length > 1 ? NAMES : { auto: "not used" });
  options(granularity, reader?.granularities ?? ["block"], NAMES);
  const known = reader?.languages ?? [];
  const more = known.length > LISTED ? ` and ${known.length - LISTED} more` : "";
  byId("languages-note").textContent =
    known.length > 0 ? `It reads ${known.slice(0, LISTED).join(", ")}${more}.` : "";
  learnTask();
}

function learnTask() {
  const reader = offered.find(({ id }) => id === model.value)?.fovea;
  byId("prompt-field").hidden = !reader?.takes_prompts;
  prompt.required = task.value === "locate";
  showSnippet();
}

key.addEventListener("change", learnModels);
model.addEventListener("change", learnModel);
task.addEventListener("change", learnTask);
form.addEventListener("input", showSnippet);

/** The request, without options that have their default value. */
function request() {
  const reader = offered.find(({ id }) => id === model.value)?.fovea;
  const tags = languages.value.split(/[\s,]+/).filter(Boolean);
  const body = {
    ...(pages.value.trim() && { pages: pages.value.trim() }),
    ...(model.selectedIndex > 0 && { model: model.value }),
    ...(mode.value !== "auto" && { mode: mode.value }),
    ...(task.value !== "markdown" && { task: task.value }),
    ...(reader?.takes_prompts && prompt.value.trim() && { prompt: prompt.value.trim() }),
    ...(textLayer.value !== "auto" && { text_layer: textLayer.value }),
    ...(granularity.value !== "block" && { granularity: granularity.value }),
    ...(tableFormat.value !== "html" && { table_format: tableFormat.value }),
    ...(figures.value !== "none" && { figures: figures.value }),
    ...(tags.length > 0 && { languages: tags }),
    ...(refresh.checked && { cache: "refresh" }),
  };
  return /** @type {OcrRequest} */ (body);
}

// — the request as code —

const selectLanguage = tabs(byId("code").querySelector("[role=tablist]") ?? byId("code"), (tab) => {
  language = tab.dataset.language ?? "curl";
  byId("panel-code").setAttribute("aria-labelledby", tab.id);
  showSnippet();
});

function showSnippet() {
  const name = chosen?.name ?? "invoice.pdf";
  byId("snippet").textContent = SNIPPETS[language]?.(location.origin, name, request()) ?? "";
  byId("copy").textContent = "Copy";
}
byId("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(byId("snippet").textContent ?? "");
  byId("copy").textContent = "Copied";
});

// — the reading —

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const credential = key.value.trim();
  const token = tokenClaims(credential);
  const fault = !credential
    ? { field: key, title: "A key is missing", detail: "Paste an API key; `npm start` prints one." }
    : !chosen && token?.scope !== "read"
      ? { field: file, title: "A document is missing", detail: "Choose a file or a sample." }
      : null;
  showProblem(fault && new ProblemError(fault));
  if (fault) return fault.field.focus();
  reading?.close();
  const api = new Api(credential);
  const mine = new Reading(api, (page) => mine === reading && show(page));
  reading = mine;
  shown = 0;
  selectTab(byId("tab-pages"));
  byId("page").replaceChildren();
  show();
  byId("progress").scrollIntoView({ block: "start" });
  try {
    if (token?.scope === "read") await mine.watch(token.jobId);
    else if (token)
      await mine.start({ url: await dataUrl(), ...request() }, { pictures: false, wait: 60 });
    else {
      const id = await api.upload(chosen?.blob ?? new Blob(), chosen?.name ?? "");
      const pictures = offered.some(({ id }) => id === RENDERER);
      await mine.start({ file: id, ...request() }, { pictures });
    }
  } catch (error) {
    if (mine !== reading) return;
    showProblem(error);
    byId("progress").hidden = true;
  }
});

/** @returns {Promise<string>} */
const dataUrl = () =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new ProblemError({ title: "The file cannot be read" }));
    reader.readAsDataURL(chosen?.blob ?? new Blob());
  });

byId("cancel").addEventListener("click", () => reading?.cancel().catch(showProblem));

/** @param {unknown} problem */
function showProblem(problem) {
  const place = byId("problem");
  if (!problem) return place.replaceChildren();
  const { title, message, requestId } =
    problem instanceof ProblemError
      ? problem
      : { title: "Unexpected error", message: String(problem), requestId: "" };
  place.replaceChildren(
    h(
      "p",
      { class: "problem" },
      h("strong", {}, title),
      ` ${message}`,
      requestId && h("span", { class: "note" }, ` ${requestId}`),
    ),
  );
}

/** @param {number} [changed] the changed page */
function show(changed) {
  if (!reading) return;
  showProgress(reading);
  showPageList(reading);
  const numbers = [...reading.pages.keys()].sort((a, b) => a - b);
  if (shown === 0 && numbers.length > 0) shown = /** @type {number} */ (changed ?? numbers[0]);
  if (changed === shown || changed === undefined) showPage(reading);
}

/** @param {Reading} reading */
function showProgress({ job, pages }) {
  const over = job !== null && isOver(job.state);
  const read = [...pages.values()].filter(({ result, error }) => result || error).length;
  const total = job?.progress.total ?? null;
  const bar = byId("bar", HTMLProgressElement);
  byId("progress").hidden = false;
  byId("cancel").hidden = over || job === null;
  bar.hidden = over;
  if (total === null) bar.removeAttribute("value");
  else Object.assign(bar, { max: total, value: read });
  byId("status").textContent = statusLine(job, read);
  if (job?.error)
    showProblem(
      new ProblemError({ title: "The document could not be read", detail: job.error.message }),
    );
}

/** @param {import("./api.js").Job | null} job @param {number} read */
function statusLine(job, read) {
  if (!job) return "Sending the document …";
  const of = job.progress.total === null ? "" : ` of ${job.progress.total}`;
  const counted = `${read}${of} ${job.progress.total === 1 ? "page" : "pages"}`;
  if (!isOver(job.state)) {
    const why = job.waiting_for && read === 0 ? `: ${WAITING[job.waiting_for]}` : "";
    return `Reading, ${counted}${why} …`;
  }
  const cached =
    read > 0 && [...(reading?.pages.values() ?? [])].every(({ source }) => source === "hit");
  const ms = Date.parse(job.finished_at ?? job.created_at) - Date.parse(job.created_at);
  return `${ENDS[job.state] ?? job.state}: ${counted}${cached ? ", from the cache" : ` in ${(ms / 1000).toFixed(1)} s`}.`;
}

/** @param {Reading} reading */
function showPageList({ pages }) {
  const list = byId("page-list");
  const numbers = [...pages]
    .filter(([, { result, error }]) => result || error)
    .map(([number]) => number);
  list.hidden = numbers.length < 2;
  const focused =
    document.activeElement instanceof HTMLElement ? document.activeElement.dataset.page : undefined;
  list.replaceChildren(
    ...numbers
      .sort((a, b) => a - b)
      .map((number) => {
        const verdict = pages.get(number)?.result?.verdict ?? "failed";
        return h(
          "button",
          {
            type: "button",
            class: `page-link ${verdict}`,
            "data-page": String(number),
            ariaLabel: `Page ${number}, ${verdict}`,
            "aria-current": number === shown && "page",
            onclick: () => {
              shown = number;
              show();
            },
          },
          String(number),
        );
      }),
  );
  if (focused)
    /** @type {HTMLElement | null} */ (list.querySelector(`[data-page="${focused}"]`))?.focus();
}

/** @param {Reading} reading */
function showPage(reading) {
  const page = reading.pages.get(shown);
  const place = byId("page");
  const sheet = /** @type {HTMLElement | null} */ (place.querySelector(".sheet"));
  if (page?.result && page.result === drawn && sheet) {
    // Only the image is new. Replacing the rest would lose the focus.
    setImage(sheet, page.image ?? null, `Page ${shown} as it was read`);
  } else if (page?.result) {
    drawn = page.result;
    const source = page.source ? { source: page.source } : {};
    const picture = (/** @type {number} */ id) => reading.figure(drawnPage, id);
    const drawnPage = shown;
    place.replaceChildren(pageView(page.result, { image: page.image ?? null, picture, ...source }));
  } else if (page?.error)
    place.replaceChildren(
      h("p", { class: "problem" }, h("strong", {}, `Page ${shown}`), ` ${page.error.message}`),
    );
  const file = reading.job?.file_id;
  sharpness.show(
    page?.result && file && offered.length > 0
      ? { api: reading.api, file, page: shown, reference: page.result }
      : null,
  );
}

const selectTab = tabs(byId("stage"), (tab) => {
  if (tab.id === "tab-sharpness") sharpness.wake();
  if (tab.id === "tab-memory") memory.wake();
});

selectLanguage(byId("tab-curl"));
selectTab(byId("tab-pages"));
/**
 * The key in the address that `npm start` prints (`/#key=…`), which is cleared at once. Taken on loopback only: elsewhere
 * a link could make its reader upload documents to the sender's account.
 * @returns {string | null}
 */
function keyFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given === null) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname) ? given : null;
}

key.value = keyFromAddress() ?? sessionStorage.getItem(KEY) ?? "";
learnModels();
