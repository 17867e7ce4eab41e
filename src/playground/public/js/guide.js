/** A guide: a Markdown file of the repository, `/guide?USING`, as a page. */
import { byId, h } from "./dom.js";
import { markdown } from "./markdown.js";

/** @type {Record<string, string>} */
const GUIDES = {
  QUICKSTART: "Quick start",
  USING: "Using the API",
  WEBHOOKS: "Webhooks",
  BATCHES: "Batches, training data",
  MEMORY: "Memory",
  ERRORS: "Errors",
  LIMITS: "Limits and privacy",
  SETTINGS: "Settings",
  SECURITY: "Security",
  DEPLOY: "Deploying",
  "SELF-HOSTING": "Self-hosting",
};

/** Within the guides, on this page, or elsewhere by https; files of the repository have no address here. @param {string} target */
function resolve(target) {
  const [, name = "", hash = ""] = /^([\w-]+)\.md(#.*)?$/.exec(target) ?? [];
  if (name in GUIDES) return `/guide?${name}${hash}`;
  return /^(#|https:\/\/)/.test(target) ? target : null;
}

async function show() {
  const asked = location.search.slice(1);
  const name = asked in GUIDES ? asked : "QUICKSTART";
  byId("contents").replaceChildren(
    h(
      "ul",
      {},
      ...Object.entries(GUIDES).map(([guide, title]) =>
        h(
          "li",
          {},
          h("a", { href: `/guide?${guide}`, "aria-current": guide === name && "page" }, title),
        ),
      ),
    ),
  );
  document.title = `${GUIDES[name]} · Fovea`;
  const response = await fetch(`/guides/${name}.md`);
  if (!response.ok) throw new Error(`/guides/${name}.md answers ${response.status}.`);
  byId("guide").replaceChildren(...markdown(await response.text(), resolve));
  if (location.hash)
    document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

show().catch((error) =>
  byId("guide").replaceChildren(
    h("p", { class: "problem" }, `The guide cannot be shown: ${error.message}`),
  ),
);
