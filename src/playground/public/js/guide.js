/** Shows a Markdown file of the repository, such as `/guide?USING`. */
import { byId, h } from "./dom.js";
import { markdown } from "./markdown.js";

/** @type {Record<string, string>} */
const GUIDES = {
  QUICKSTART: "Quick start",
  USING: "Using the API",
  PYTHON: "Python",
  EXTRACTION: "Extraction",
  MISTRAL: "Coming from Mistral",
  DOCLING: "Coming from docling-serve",
  WEBHOOKS: "Webhooks",
  BATCHES: "Batches and training data",
  MEMORY: "Memory",
  ERRORS: "Errors",
  CONSOLE: "The console",
  LIMITS: "Limits and privacy",
  SETTINGS: "Settings",
  SECURITY: "Security",
  DEPLOY: "Deploying",
  "SELF-HOSTING": "Self-hosting",
};

/**
 * Allows links to other guides, to anchors and to https. Other files of the repository are not served here.
 * @param {string} target
 */
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
  if (!response.ok) throw new Error(`/guides/${name}.md: status ${response.status}.`);
  byId("guide").replaceChildren(...markdown(await response.text(), resolve));
  if (location.hash)
    document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

show().catch((error) =>
  byId("guide").replaceChildren(
    h("p", { class: "problem" }, `The guide cannot be shown: ${error.message}`),
  ),
);
