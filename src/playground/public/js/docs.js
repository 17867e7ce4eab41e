/** The API reference, built from /openapi.json. */
import { byId, h } from "./dom.js";
import { inline } from "./markdown.js";

/** A JSON Schema or a part of an OpenAPI document. @typedef {Record<string, any>} Any */

/** Introductions to the groups by tag. @type {Record<string, string>} */
const GROUPS = {
  files: "Upload a document once and read it as often as you like.",
  jobs: "A job reads pages of a document.",
  chat: "A chat completions endpoint for OpenAI clients.",
  batches: "Read many documents at a lower priority than interactive requests.",
  keys: "API keys with their scopes, networks and limits.",
  webhooks: "Notifications when jobs end.",
  account: "Usage, settings and the audit log.",
  service: "Health, metrics and the public keys of receipts.",
};

/** The OpenAPI document. @type {Any} */
let spec = {};

const resolve = (/** @type {Any} */ schema) => {
  const name = schema.$ref?.split("/").at(-1);
  return name ? spec.components.schemas[name] : schema;
};
const nameOf = (/** @type {Any} */ schema) => schema.$ref?.split("/").at(-1);

/** @param {Any} schema @returns {string} a short name of the type */
function typeOf(schema) {
  if (schema.$ref) return nameOf(schema);
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives) return [...new Set(alternatives.map(typeOf))].join(" or ");
  if (schema.allOf) return schema.allOf.map(nameOf).find(Boolean) ?? "object";
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum)
    return schema.enum.map((/** @type {unknown} */ value) => JSON.stringify(value)).join(" | ");
  if (schema.prefixItems) return `[${schema.prefixItems.map(typeOf).join(", ")}]`;
  const type = [schema.type ?? "any"].flat().join(" or ");
  return schema.items ? `list of ${typeOf(schema.items)}` : type;
}

/** The schema's limits in words. @param {Any} schema */
function limitsOf({ minimum, maximum, minLength, maxLength, default: fallback, format }) {
  const between = (
    /** @type {number | undefined} */ low,
    /** @type {number | undefined} */ high,
    unit = "",
  ) =>
    low !== undefined && high !== undefined && high < 2 ** 53 - 1
      ? `${low.toLocaleString("en")} to ${high.toLocaleString("en")}${unit}`
      : high !== undefined && high < 2 ** 53 - 1
        ? `at most ${high.toLocaleString("en")}${unit}`
        : low !== undefined && low > -(2 ** 53) + 1
          ? `from ${low.toLocaleString("en")}${unit}`
          : null;
  return [
    between(minimum, maximum),
    between(minLength, maxLength, " characters"),
    format,
    fallback !== undefined &&
      JSON.stringify(fallback) !== "{}" &&
      `default ${JSON.stringify(fallback)}`,
  ].filter(Boolean);
}

/** The properties of an object schema, or of an array's items: `[name, schema, required]`. @param {Any} given @returns {[string, Any, boolean][]} */
function propertiesOf(given) {
  const schema = resolve(given);
  if (schema.items && !schema.properties) return propertiesOf(schema.items);
  const parts = schema.allOf ?? schema.anyOf ?? schema.oneOf;
  if (parts) return parts.flatMap(propertiesOf);
  return Object.entries(schema.properties ?? {}).map(([name, property]) => [
    name,
    /** @type {Any} */ (property),
    Boolean(schema.required?.includes(name)),
  ]);
}

/** @param {string} name @param {Any} schema @param {boolean} required @param {string} [where] @param {Node[]} more */
function field(name, schema, required, where = "", ...more) {
  const own = resolve(schema);
  return h(
    "li",
    {},
    h("code", { class: "name" }, name),
    h("span", { class: "type" }, typeOf(schema)),
    required && h("span", { class: "required" }, "required"),
    where && h("span", { class: "where" }, where),
    h("span", { class: "limits" }, limitsOf(own).join(" · ")),
    own.description && h("p", {}, ...inline(own.description)),
    ...more,
  );
}

/** Nested objects are rendered on demand, because schemas can be recursive. @param {Any} schema @returns {HTMLElement} */
function fields(schema) {
  return h(
    "ul",
    { class: "fields" },
    ...propertiesOf(schema).map(([name, property, required]) =>
      propertiesOf(property).length > 0
        ? field(
            name,
            property,
            required,
            "",
            later(`fields of ${name}`, () => fields(property)),
          )
        : field(name, property, required),
    ),
  );
}

/** A `details` element whose content is made when it opens. @param {string} summary @param {() => Node} make */
function later(summary, make) {
  const details = h("details", {}, h("summary", {}, summary));
  details.addEventListener(
    "toggle",
    () => details.childNodes.length === 1 && details.append(make()),
  );
  return details;
}

/** @param {Any} media */
function exampleOf(media) {
  const example = media.example ?? Object.values(media.examples ?? {})[0]?.value;
  if (example === undefined) return null;
  return typeof example === "string" ? example : JSON.stringify(example, null, 2);
}

/** @param {Any} content */
const bodies = (content) =>
  Object.entries(content).map(([type, media]) => {
    const example = exampleOf(media);
    return h(
      "div",
      { class: "body" },
      h(
        "p",
        {},
        h("code", {}, type),
        nameOf(media.schema ?? {}) && h("span", { class: "type" }, nameOf(media.schema)),
      ),
      propertiesOf(media.schema ?? {}).length > 0 && fields(media.schema),
      example && later("Example", () => h("pre", {}, example)),
    );
  });

/** @param {string} method @param {string} path @param {Any} operation */
function curl(method, path, operation) {
  const lines = [
    `curl${method === "get" ? "" : ` -X ${method.toUpperCase()}`} '${location.origin}${path.replace(/{(\w+)}/g, "$1")}'`,
  ];
  if (operation.security?.length) lines.push(`-H "Authorization: Bearer $FOVEA_API_KEY"`);
  const json = operation.requestBody?.content["application/json"];
  if (json) {
    const body = JSON.stringify(json.example ?? {}).replaceAll("'", "'\\''");
    lines.push(`-H "Content-Type: application/json"`, `-d '${body}'`);
  } else if (operation.requestBody) {
    const [type] = Object.keys(operation.requestBody.content);
    lines.push(`-H "Content-Type: ${type}"`, "--data-binary @FILE");
  }
  return lines.join(" \\\n  ");
}

/** @param {string} method @param {string} path @param {Any} operation */
function operationView(method, path, operation) {
  const {
    operationId,
    summary,
    description,
    parameters = [],
    requestBody,
    responses,
    security,
  } = operation;
  const problems = /** @type {HTMLElement[]} */ ([]);
  const answers = /** @type {HTMLElement[]} */ ([]);
  for (const [status, response] of Object.entries(/** @type {Any} */ (responses))) {
    const codes = Object.keys(response.content?.["application/problem+json"]?.examples ?? {});
    if (codes.length > 0)
      problems.push(
        h(
          "li",
          {},
          h("code", { class: "status" }, status),
          ...codes.flatMap((code) => [h("a", { href: `#problem-${code}` }, code), " "]),
        ),
      );
    else
      answers.push(
        h(
          "div",
          { class: "answer" },
          h("p", {}, h("code", { class: "status" }, status), ...inline(response.description)),
          ...Object.entries(/** @type {Any} */ (response.headers ?? {})).map(([name, header]) =>
            h(
              "p",
              { class: "header-field" },
              h("code", {}, name),
              ...inline(header.description ?? ""),
            ),
          ),
          ...bodies(response.content ?? {}),
        ),
      );
  }
  return h(
    "article",
    { class: "operation", id: operationId, ariaLabel: summary },
    h("h3", {}, h("a", { href: `#${operationId}` }, ...inline(summary))),
    h(
      "p",
      { class: "route" },
      h("span", { class: `method ${method}` }, method.toUpperCase()),
      h("code", {}, path),
    ),
    description && h("p", {}, ...inline(description)),
    !security?.length && h("p", { class: "note" }, "Needs no API key."),
    parameters.length > 0 && h("h4", {}, "Parameters"),
    parameters.length > 0 &&
      h(
        "ul",
        { class: "fields" },
        ...parameters.map((/** @type {Any} */ parameter) =>
          field(
            parameter.name,
            { description: parameter.description, ...parameter.schema },
            Boolean(parameter.required),
            `in the ${parameter.in}`,
          ),
        ),
      ),
    requestBody && h("h4", {}, "Body"),
    ...(requestBody ? bodies(requestBody.content) : []),
    h("h4", {}, "Responses"),
    ...answers,
    problems.length > 0 && h("ul", { class: "problems" }, ...problems),
    later("curl", () => h("pre", {}, curl(method, path, operation))),
  );
}

/** All problem types, with the operations that return them. */
function problemTable() {
  /** @type {Map<string, {status: number, title: string, operations: string[]}>} */
  const known = new Map();
  for (const { operation } of operations())
    for (const response of Object.values(/** @type {Any} */ (operation.responses)))
      for (const [code, { value }] of Object.entries(
        /** @type {Any} */ (response.content?.["application/problem+json"]?.examples ?? {}),
      )) {
        const entry = known.get(code) ?? { ...value, operations: [] };
        entry.operations.push(operation.operationId);
        known.set(code, entry);
      }
  const rows = [...known].sort(([a, x], [b, y]) => x.status - y.status || a.localeCompare(b));
  return h(
    "section",
    { class: "group", id: "errors" },
    h("h2", {}, "Errors"),
    h(
      "p",
      {},
      ...inline(
        "Every error is an `application/problem+json` document (RFC 9457). Its `type` is `urn:fovea:problem:` followed by one of these stable codes; `detail` explains the error; quote `request_id` when you report a problem.",
      ),
    ),
    h(
      "dl",
      { class: "problem-list" },
      ...rows.map(([code, { status, title, operations }]) =>
        h(
          "div",
          { id: `problem-${code}` },
          h("dt", {}, h("code", {}, code), h("span", { class: "type" }, String(status))),
          h(
            "dd",
            {},
            title,
            operations.length < 4 && h("span", { class: "note" }, " ", operations.join(", ")),
          ),
        ),
      ),
    ),
  );
}

/** @returns {{method: string, path: string, operation: Any}[]} */
const operations = () =>
  Object.entries(spec.paths).flatMap(([path, methods]) =>
    Object.entries(/** @type {Any} */ (methods)).map(([method, operation]) => ({
      method,
      path,
      operation,
    })),
  );

/** The text that the search looks in. @param {string} path @param {Any} operation */
function wordsOf(path, operation) {
  /** @type {Set<string>} */
  const words = new Set([
    path,
    operation.operationId,
    operation.summary,
    operation.description ?? "",
  ]);
  const walk = (/** @type {Any} */ schema, depth = 0) => {
    for (const [name, property] of depth < 4 ? propertiesOf(schema) : []) {
      words.add(name);
      walk(property, depth + 1);
    }
  };
  for (const { name } of operation.parameters ?? []) words.add(name);
  for (const body of [operation.requestBody, ...Object.values(operation.responses)])
    for (const media of Object.values(/** @type {Any} */ (body?.content ?? {})))
      if (nameOf(media.schema ?? {}) !== "Problem") walk(media.schema ?? {});
  return [...words].join(" ").toLowerCase();
}

function show() {
  const groups = Map.groupBy(operations(), ({ operation }) => operation.tags[0]);
  /** @type {{words: string, elements: HTMLElement[]}[]} */
  const index = [];
  const main = byId("operations");
  const contents = byId("contents");
  for (const [tag, members] of groups) {
    const links = h("ul");
    const section = h(
      "section",
      { class: "group", id: `group-${tag}` },
      h("h2", {}, tag),
      h("p", {}, GROUPS[tag] ?? ""),
    );
    for (const { method, path, operation } of members) {
      const view = operationView(method, path, operation);
      const item = h(
        "li",
        {},
        h("a", { href: `#${operation.operationId}` }, ...inline(operation.summary)),
      );
      section.append(view);
      links.append(item);
      index.push({ words: wordsOf(path, operation), elements: [view, item] });
    }
    main.append(section);
    contents.append(
      h("div", { class: "group-links" }, h("a", { href: `#group-${tag}` }, tag), links),
    );
  }
  main.append(problemTable());
  contents.append(h("div", { class: "group-links" }, h("a", { href: "#errors" }, "errors")));
  byId("introduction").replaceChildren(
    h("p", { class: "lede" }, ...inline(spec.info.description)),
    h(
      "p",
      {},
      ...inline("Send the key as `Authorization: Bearer fov_…`. This page is generated from "),
      h("a", { href: "/openapi.json" }, "openapi.json"),
      `, OpenAPI ${spec.openapi}: ${index.length} operations.`,
    ),
  );

  const search = byId("search", HTMLInputElement);
  search.addEventListener("input", () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const { words, elements } of index) {
      const fits = wanted.every((word) => words.includes(word));
      if (fits) found++;
      for (const element of elements) element.hidden = !fits;
    }
    for (const group of document.querySelectorAll(".group, .group-links")) {
      const all = group.querySelectorAll("article, li:has(> a[href^='#'])");
      /** @type {HTMLElement} */ (group).hidden =
        wanted.length > 0 &&
        ![...all].some((element) => !(/** @type {HTMLElement} */ (element).hidden));
    }
    byId("found").textContent = wanted.length > 0 ? `${found} of ${index.length} operations` : "";
  });
  // The target of the URL's fragment exists only now.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

try {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error(`/openapi.json answers ${response.status}.`);
  spec = await response.json();
  show();
} catch (error) {
  byId("problem").append(
    h(
      "p",
      { class: "problem" },
      `The reference cannot be shown: ${error instanceof Error ? error.message : error}`,
    ),
  );
}
