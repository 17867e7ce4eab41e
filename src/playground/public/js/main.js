/** The playground: the form, the address, and which views are on screen. */
import { Api, ProblemError, tokenClaims } from "./api.js";
import { Documents } from "./documents.js";
import { byId, h, tabs } from "./dom.js";
import { copy } from "./formats.js";
import { keepKey, takeKey } from "./key.js";
import { Options } from "./options.js";
import { count, endWords, stateWord, waitingWords } from "./plain.js";
import { Preview } from "./preview.js";
import { problemWords } from "./problem.js";
import { isOver, RENDERER, Reading } from "./reading.js";
import { Recent } from "./recent.js";
import { SampleApi } from "./sample.js";
import { SNIPPETS } from "./snippets.js";
import { Workbench } from "./workbench.js";

/** @typedef {import("./documents.js").Chosen} Chosen */
/** @typedef {import("./workbench.js").Open} Open */

const form = byId("ask", HTMLFormElement);
const key = byId("key", HTMLInputElement);
const change = byId("change");

/** @type {import("./api.js").Model[]} */
let offered = [];
/** @type {Open | null} what the workbench shows */
let open = null;
/** @type {{name: string, job: string | null, fault?: string}[]} documents that were sent together */
let sent = [];
let language = "curl";

const options = new Options();
const documents = new Documents(chosenChanged, showProblem);
const recent = new Recent(byId("jobs"), () => {
  byId("recent").hidden = recent.jobs.length === 0;
  showSent();
  if (open) showProgress(open);
});
const workbench = new Workbench();

const isLocked = (/** @type {string | undefined} */ code) =>
  code === "document_encrypted" || code === "password_wrong";

// — the key —

async function learnKey() {
  const credential = key.value.trim();
  keepKey(credential);
  const token = tokenClaims(credential);
  byId("read").textContent = token?.scope === "read" ? "Show the job" : "Read";
  showProblem(null);
  // A browser token is valid for one job and cannot list anything.
  const api = credential && !token ? new Api(credential) : null;
  const models = (await api?.models().catch(showProblem)) ?? [];
  if (key.value.trim() !== credential) return;
  offered = models;
  options.offer(offered);
  workbench.offer(offered);
  recent.offer(offered.length > 0 ? api : null);
  showSnippet();
}

key.addEventListener("change", async () => {
  await learnKey();
  // The address names a job that could not be shown without a key.
  if (!open && offered.length > 0) await route();
});

// — the form —

form.addEventListener("input", showSnippet);
form.addEventListener("change", showSnippet);

function chosenChanged() {
  const { chosen } = documents;
  if (chosen.length > 0 && open && !form.hidden) unfold(true);
  else if (chosen.length > 0 && open) leave();
  showSnippet();
}

/** The request; a password stays out of the code that is shown. */
const request = () => ({
  ...options.request(),
  ...(documents.password && { password: documents.password }),
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const credential = key.value.trim();
  const token = tokenClaims(credential);
  const fault = !credential
    ? { field: key, title: "A key is missing", detail: "Paste an API key; `npm start` prints one." }
    : documents.chosen.length === 0 && token?.scope !== "read"
      ? {
          field: byId("file"),
          title: "A document is missing",
          detail: "Choose a file or a sample.",
        }
      : null;
  showProblem(fault && new ProblemError(fault));
  if (fault) return fault.field.focus();
  if (token?.scope === "read") return showJob(token.jobId, true);
  await send(new Api(credential), documents.chosen, token !== null);
});

/**
 * Sends documents one after the other, and shows the first.
 * @param {Api} api
 * @param {Chosen[]} chosen
 * @param {boolean} isToken whether it can start one job, and nothing else
 */
async function send(api, chosen, isToken) {
  const [first, ...more] = isToken ? chosen.slice(0, 1) : chosen;
  if (!first) return;
  const asked = request();
  sent = chosen.map(({ name }) => ({ name, job: null }));
  const preview = documents.preview ?? new Preview(first.blob, documents.password);
  // From now on it belongs to the workbench.
  documents.preview = null;
  const mine = begin(api, first.name, preview);
  mine.password = documents.password;
  mine.isOfForm = true;
  try {
    if (isToken)
      await mine.reading.start({ url: await dataUrl(first.blob), ...asked }, { wait: 60 });
    else {
      const file = await api.upload(first.blob, first.name);
      recent.learn(file, first.name);
      await mine.reading.start({ file, ...asked });
      const id = mine.reading.job?.id ?? "";
      if (sent[0]) sent[0].job = id;
      if (open === mine) history.pushState(null, "", `#job=${id}`);
      recent.mark(id);
      if (offered.some(({ id }) => id === RENDERER))
        mine.reading.follow({ file, ...asked }).catch(() => {});
      const others = sendMore(api, more, asked);
      recent.refresh();
      await Promise.all([mine.reading.watch(id), others]);
      recent.refresh();
    }
  } catch (error) {
    if (open !== mine) return;
    if (!mine.reading.job) leave();
    showProblem(error);
  }
}

/** @param {Api} api @param {Chosen[]} chosen @param {import("./api.js").OcrRequest} asked */
async function sendMore(api, chosen, asked) {
  const mine = sent;
  for (const [i, { blob, name }] of chosen.entries()) {
    const entry = mine[i + 1];
    if (!entry) return;
    try {
      const file = await api.upload(blob, name);
      recent.learn(file, name);
      entry.job = (await api.start({ file, ...asked })).id;
    } catch (error) {
      entry.fault = error instanceof ProblemError ? error.title : String(error);
    }
    recent.refresh();
    if (mine === sent) showSent();
  }
}

/** @param {Blob} blob @returns {Promise<string>} */
const dataUrl = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new ProblemError({ title: "The file cannot be read" }));
    reader.readAsDataURL(blob);
  });

// — the address —

/** Shows what the address names: a job, the sample, or the form. */
async function route() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const job = asked.get("job");
  if (job && job === open?.reading.job?.id) return;
  if (job) return showJob(job, false);
  if (asked.has("sample")) return showSample();
  if (open) leave(false);
}
addEventListener("popstate", () => route());

/**
 * @param {string} id
 * @param {boolean} isNew whether the address does not name it yet
 */
async function showJob(id, isNew) {
  const credential = key.value.trim();
  if (!credential) {
    if (open) leave(false);
    showProblem(
      new ProblemError({
        title: "A key is missing",
        detail: "Paste the API key of the account that this job belongs to.",
      }),
    );
    return key.focus();
  }
  const api = new Api(credential);
  const mine = begin(api, "", null);
  if (isNew) history.pushState(null, "", `#job=${id}`);
  if (!sent.some(({ job }) => job === id)) sent = [];
  try {
    const watched = mine.reading.watch(id);
    watched.catch(() => {});
    const job = await api.job(id);
    mine.name = recent.nameOf(job.file_id);
    recent.mark(id);
    if (!tokenClaims(credential)) loadDocument(mine, api, job.file_id).catch(() => {});
    await watched;
  } catch (error) {
    if (open !== mine) return;
    leave(false);
    showProblem(error);
  }
}

/** Fetches the document of a job that was sent before, so that the browser can draw it. @param {Open} mine @param {Api} api @param {string} file */
async function loadDocument(mine, api, file) {
  const { name, blob } = await api.file(file);
  if (open !== mine) return;
  mine.name = name;
  mine.preview = new Preview(blob);
  workbench.show(mine);
  showProgress(mine);
  const picture = await mine.preview.page(1);
  if (open !== mine || picture || !offered.some(({ id }) => id === RENDERER)) return;
  // Formats that the browser cannot draw.
  const pages = mine.reading.job?.selection ?? "";
  await mine.reading.follow({ file, pages });
}

async function showSample() {
  sent = [];
  try {
    const { api, blob } = await SampleApi.load();
    const mine = begin(/** @type {any} */ (api), "invoice.pdf", new Preview(blob));
    mine.isSample = true;
    await mine.reading.watch("");
  } catch (error) {
    showProblem(error);
  }
}

/** Opens the workbench for a new reading. @param {Api} api @param {string} name @param {Preview | null} preview */
function begin(api, name, preview) {
  close();
  const isTyping = form.contains(document.activeElement);
  const reading = new Reading(api, (page) => {
    if (open?.reading !== reading) return;
    showProgress(open);
    workbench.show(open, page);
    if (page === undefined) showSent();
  });
  /** @type {Open} */
  const mine = { reading, name, preview, isSample: false, isOfForm: false };
  open = mine;
  showProblem(null);
  document.body.dataset.view = "read";
  unfold(false);
  workbench.show(mine);
  showProgress(mine);
  showSent();
  // The form, which had the focus, is gone.
  if (isTyping) byId("work").focus({ preventScroll: true });
  scrollTo({ top: 0 });
  return mine;
}

function close() {
  open?.reading.close();
  open?.preview?.close();
  open = null;
}

/** Back to the form. @param {boolean} [isNew] whether the address still names a job */
function leave(isNew = true) {
  close();
  if (isNew && location.hash) history.pushState(null, "", location.pathname);
  document.body.dataset.view = "start";
  form.hidden = false;
  byId("progress").hidden = true;
  byId("work").hidden = true;
  byId("recent", HTMLDetailsElement).open = true;
  recent.mark(null);
  showProblem(null);
  // The preview went with the workbench.
  if (documents.chosen.length > 0 && !documents.preview) documents.draw();
}

// — above the workbench —

/** Shows or hides the form of a document that is being read. @param {boolean} shown */
function unfold(shown) {
  form.hidden = !shown;
  change.ariaExpanded = String(shown);
  for (const flyout of document.querySelectorAll(".flyout")) flyout.removeAttribute("open");
}
change.addEventListener("click", () => {
  unfold(form.hidden);
  if (!form.hidden) options.model.focus();
});
byId("another").addEventListener("click", () => {
  documents.choose([]);
  leave();
  byId("file").focus();
});
byId("cancel").addEventListener("click", () => open?.reading.cancel().catch(showProblem));

// Only one flyout is open, and Escape or a press elsewhere closes it.
addEventListener("click", ({ target }) => {
  if (document.body.dataset.view !== "read") return;
  for (const flyout of document.querySelectorAll(".flyout"))
    if (!flyout.contains(/** @type {Node} */ (target))) flyout.removeAttribute("open");
});
addEventListener("keydown", ({ key: pressed }) => {
  if (pressed !== "Escape" || document.body.dataset.view !== "read") return;
  for (const flyout of document.querySelectorAll(".flyout[open]")) {
    if (flyout.contains(document.activeElement)) flyout.querySelector("summary")?.focus();
    flyout.removeAttribute("open");
  }
});

/** @param {Open} shown */
function showProgress({ reading, name, isSample, isOfForm }) {
  const { job, read } = reading;
  const over = job !== null && isOver(job.state);
  const total = job?.progress.total ?? null;
  const bar = byId("bar", HTMLProgressElement);
  byId("progress").hidden = false;
  byId("document-name").textContent = name || "A document";
  byId("document-how").textContent = job
    ? job.model + (job.mode === "auto" ? "" : `, ${job.mode}`)
    : "";
  byId("cancel").hidden = over || job === null;
  change.hidden = !isOfForm;
  bar.hidden = over;
  if (total === null) bar.removeAttribute("value");
  else Object.assign(bar, { max: total, value: read });
  const status = statusLine(reading, isSample);
  if (byId("status").textContent !== status) byId("status").textContent = status;
  if (!job?.error) return;
  showProblem(
    new ProblemError({ title: "The document could not be read", detail: job.error.message }),
  );
  if (isOfForm && isLocked(job.error.code)) askPassword(job.error.code);
}

/** Asks for the password once, in the form. @param {string} code */
function askPassword(code) {
  if (!form.hidden) return;
  documents.askPassword(
    code === "password_wrong" ? "This password does not open it." : "This PDF is protected.",
  );
  unfold(true);
  documents.focusPassword();
}

/** @param {Reading} reading @param {boolean} isSample */
function statusLine({ job, read, pages }, isSample) {
  if (!job) return "Sending the document …";
  if (isSample) return "A stored sample. Paste a key to read documents of your own.";
  if (isOver(job.state)) {
    const cached = read > 0 && [...pages.values()].every(({ source }) => source === "hit");
    return endWords(job, read, cached);
  }
  if (read === 0) {
    const words = waitingWords(job, recent.before(job));
    return `${words[0]?.toUpperCase()}${words.slice(1)} …`;
  }
  const { total } = job.progress;
  return `Reading: ${read}${total === null ? "" : ` of ${count(total, "page")}`} …`;
}

/** The documents that were sent together, each with its state. */
function showSent() {
  const list = byId("sent");
  list.hidden = sent.length < 2;
  if (list.hidden) return;
  const here = open?.reading.job?.id;
  const focused = list.contains(document.activeElement)
    ? /** @type {HTMLAnchorElement} */ (document.activeElement).hash
    : null;
  list.replaceChildren(
    ...sent.map(({ name, job, fault }) => {
      const known = recent.jobs.find(({ id }) => id === job);
      const state = known ? stateWord(known.state) : (fault ?? "Sending");
      const words = h("span", { class: `state ${known?.state ?? ""}` }, state);
      return job
        ? h("a", { href: `#job=${job}`, "aria-current": job === here && "page" }, name, words)
        : h("span", {}, name, words);
    }),
  );
  for (const link of list.querySelectorAll("a")) if (link.hash === focused) link.focus();
}

/** @param {unknown} problem */
function showProblem(problem) {
  const words = problem ? [h("p", { class: "problem" }, ...problemWords(problem))] : [];
  const said = words.map(({ textContent }) => textContent).join("");
  // The same words again would be read aloud again.
  const place = byId("problem");
  if (place.textContent === said) return;
  place.replaceChildren(...words);
  // On a phone it would be below the window.
  if (said) place.scrollIntoView({ block: "nearest" });
}

// — the request as code —

const selectLanguage = tabs(byId("code").querySelector("[role=tablist]") ?? byId("code"), (tab) => {
  language = tab.dataset.language ?? "curl";
  byId("panel-code").setAttribute("aria-labelledby", tab.id);
  showSnippet();
});

function showSnippet() {
  const name = documents.chosen[0]?.name ?? "invoice.pdf";
  const code = SNIPPETS[language]?.(location.origin, name, options.request()) ?? "";
  byId("snippet").textContent = code;
  byId("copy").textContent = "Copy";
}
byId("copy").addEventListener("click", async () => {
  await copy(byId("snippet").textContent ?? "").then(() => {
    byId("copy").textContent = "Copied";
  }, showProblem);
});

selectLanguage(byId("tab-curl"));
key.value = takeKey();
await learnKey();
await route();
