/** The console: who is signed in, which pane is shown, and when it is loaded again. */
import { ProblemError } from "../../js/api.js";
import { byId, h } from "../../js/dom.js";
import { keepKey, keptKey, keyFromAddress } from "../../js/key.js";
import { auditPane } from "./audit.js";
import { batchesPane } from "./batches.js";
import { jobsPane } from "./jobs.js";
import { keysPane } from "./keys.js";
import { poolsPane } from "./pools.js";
import { has, Service } from "./service.js";
import { empty, isDialogOpen, problemNote, renewTimes, say, showProblem } from "./ui.js";
import { usagePane } from "./usage.js";
import { webhooksPane } from "./webhooks.js";

/** @typedef {import("./service.js").Session} Session */

/**
 * What a pane's function gives: how it is loaded, first and again.
 * @typedef {object} Pane
 * @property {() => Promise<void>} load asks the API and draws
 * @property {number} everyS seconds between two loads
 */

/**
 * @type {Record<string, {title: string, scope: string | null,
 *   open: (session: Session, place: HTMLElement, item: string) => Pane}>}
 * by the name in the address; `scope`: what a key needs, `null`: the pane decides
 */
const PANES = {
  jobs: { title: "Jobs", scope: "read", open: jobsPane },
  batches: { title: "Batches", scope: "read", open: batchesPane },
  usage: { title: "Usage", scope: "read", open: usagePane },
  keys: { title: "Keys", scope: null, open: keysPane },
  webhooks: { title: "Webhooks", scope: "webhooks", open: webhooksPane },
  pools: { title: "Pools", scope: null, open: poolsPane },
  audit: { title: "Audit log", scope: "admin", open: auditPane },
};

/** @type {Session | null} */
let session = null;
/** @type {Pane | null} */
let shown = null;
/** When the pane is loaded again. */
let dueAt = 0;
let loading = false;
/** Doubles with each load that fails. */
let patience = 1;

// — signing in —

/** @param {string} credential @returns {Promise<Session>} */
async function signIn(credential) {
  if (credential.startsWith("fov_tok_"))
    throw new ProblemError({
      title: "This is a browser token",
      detail: "It is valid for one job only. Paste an API key.",
    });
  const service = new Service(credential);
  // Only API keys begin with `fov_`. For the bootstrap secret, the route of the operator decides.
  if (credential.startsWith("fov_")) return { service, own: await service.get("/v1/whoami") };
  await service.get("/v1/pools");
  return { service, own: null };
}

/** @param {string} credential */
async function enter(credential) {
  session = await signIn(credential);
  keepKey(session.own ? credential : "");
  const { own } = session;
  byId("who").replaceChildren(
    own
      ? `${own.name} …${own.hint} · ${own.scopes.join(", ")}`
      : "the operator, by the bootstrap secret",
  );
  byId("door").hidden = true;
  byId("inside").hidden = false;
  route();
}

/** @param {unknown} [problem] */
function leave(problem) {
  keepKey("");
  showDoor(problem);
  byId("key").focus();
}

/** @param {unknown} [problem] */
function showDoor(problem) {
  session = null;
  shown = null;
  for (const box of document.querySelectorAll("dialog")) box.close();
  byId("key", HTMLInputElement).value = "";
  byId("pane").replaceChildren();
  byId("inside").hidden = true;
  byId("door").hidden = false;
  document.title = "Console · Fovea";
  byId("door-problem").replaceChildren(...(problem ? [problemNote(problem)] : []));
}

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = byId("key", HTMLInputElement);
  const credential = field.value.trim();
  const place = byId("door-problem");
  place.replaceChildren();
  try {
    if (!credential)
      throw new ProblemError({
        title: "A key is missing",
        detail: "Paste an API key; `npm start` prints one.",
      });
    await enter(credential);
    field.value = "";
    byId("title").focus();
  } catch (error) {
    place.replaceChildren(problemNote(error));
    field.focus();
  }
});
byId("sign-out").addEventListener("click", () => leave());
addEventListener("signed-out", (event) => leave(/** @type {CustomEvent} */ (event).detail));

// — panes —

/** The pane and the item in the address: `#batches/batch_…`. */
function address() {
  const [name = "", item = ""] = location.hash.slice(1).split("/");
  const first = session?.own ? "jobs" : "pools";
  return { name: Object.hasOwn(PANES, name) ? name : first, item };
}

function route() {
  if (!session) return;
  const { name, item } = address();
  const { title, scope, open } = /** @type {(typeof PANES)[string]} */ (PANES[name]);
  document.title = `${title} · Fovea console`;
  byId("title").textContent = title;
  byId("panes").replaceChildren(
    h(
      "ul",
      {},
      ...Object.entries(PANES).map(([each, { title }]) =>
        h("li", {}, h("a", { href: `#${each}`, "aria-current": each === name && "page" }, title)),
      ),
    ),
  );
  showProblem(null);
  say("");
  const place = h("div", {});
  byId("pane").replaceChildren(place);
  if (scope && !has(session, scope)) {
    shown = null;
    place.append(empty(...lacks(session, scope)));
    return;
  }
  shown = open(session, place, item);
  patience = 1;
  dueAt = 0;
  loadDue();
}

/** @param {Session} session @param {string} scope */
const lacks = ({ own }, scope) =>
  own
    ? [
        `The key “${own.name}” lacks the scope `,
        h("code", {}, scope),
        ". Sign in with a key that has it.",
      ]
    : ["This belongs to an account. Sign in with a key of the account."];

addEventListener("hashchange", () => {
  const given = keyFromAddress();
  if (given) return void enter(given).catch(showDoor);
  route();
  if (session) byId("title").focus();
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  (session ? byId("title") : byId("key")).focus();
});

// — loading again —

/** Loads the pane if it is due, the page is visible and no dialog is open. */
async function loadDue() {
  const pane = shown;
  if (!pane || loading || document.hidden || isDialogOpen() || Date.now() < dueAt) return;
  const first = dueAt === 0;
  if (!first && !byId("live", HTMLInputElement).checked) return;
  loading = true;
  try {
    await pane.load();
    if (patience > 1 || first) showProblem(null);
    patience = 1;
  } catch (error) {
    if (pane !== shown) return;
    showProblem(error);
    patience = Math.min(patience * 2, 16);
  } finally {
    loading = false;
    if (pane === shown) dueAt = Date.now() + pane.everyS * 1000 * patience;
    else if (shown) setTimeout(loadDue);
  }
}

setInterval(loadDue, 1000);
setInterval(renewTimes, 10_000);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  // What was missed while the tab was hidden.
  if (dueAt > 0) dueAt = 1;
  renewTimes();
  loadDue();
});

const credential = keyFromAddress() ?? keptKey();
if (credential) enter(credential).catch(showDoor);
else showDoor();
