/** The schemas of the OpenAPI document as Python classes, and the synchronous client from the asynchronous one. */
import { flat, type OpenApi, refName, type Schema, usedSchemas } from "./openapi.ts";

const MADE = '"""Made by `npm run types` from the OpenAPI document: do not edit."""';

/** What the service answers, as pydantic models. */
export const pythonModels = (document: OpenApi) => `${MADE}

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from ._base import Record

${new Classes(document, "model").of(usedSchemas(document).answered)}`;

/** What clients send, as dictionaries with known keys. */
export const pythonParams = (document: OpenApi) => `${MADE}

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import Required, TypedDict

${new Classes(document, "dictionary").of(usedSchemas(document).sent)}`;

/** Requests of which a method takes some fields by other names: the rest is a dictionary of its own. */
const OPTIONS: Record<string, { name: string; without: string[] }> = {
  OcrRequest: { name: "OcrOptions", without: ["file", "url"] },
  CompressRequest: { name: "CompressOptions", without: ["text"] },
};

/** Keywords of Python, and methods of pydantic's models. */
const TAKEN = new Set(["from", "schema", "json", "copy", "dict", "construct", "validate"]);
/** Columns of a docstring. */
const WIDTH = 100;

class Classes {
  readonly #named: Record<string, Schema>;
  readonly #kind: "model" | "dictionary";
  readonly #written = new Map<string, string>();
  /** Other names of types: written last, because Python evaluates them when it reads them. */
  readonly #aliases: string[] = [];
  readonly #pending: string[] = [];

  constructor(document: OpenApi, kind: "model" | "dictionary") {
    this.#named = document.components.schemas;
    this.#kind = kind;
  }

  /** The classes that these schemas refer to, and those that they refer to in turn. */
  of(schemas: Schema[]): string {
    for (const schema of schemas) collectRefs(schema, this.#pending);
    for (let name = this.#pending.shift(); name; name = this.#pending.shift())
      if (!this.#written.has(name)) this.#write(name, this.#named[name] as Schema);
    return [...this.#written.values(), ...this.#aliases].filter(Boolean).join("\n\n");
  }

  #write(name: string, schema: Schema): void {
    this.#written.set(name, ""); // holds the place of a class that refers to itself
    const object = flat(schema, this.#named);
    if (object.properties) this.#written.set(name, this.#class(name, object));
    else this.#aliases.push(`${name} = ${this.#type(schema, name)}\n`);
  }

  #class(name: string, schema: Schema): string {
    const options = this.#kind === "dictionary" ? OPTIONS[name] : undefined;
    if (options) return this.#split(name, schema, options);
    const base = this.#kind === "model" ? "Record" : "TypedDict, total=False";
    return `class ${name}(${base}):\n${docstring(schema)}${this.#fields(name, schema, () => true)}`;
  }

  #split(name: string, schema: Schema, options: { name: string; without: string[] }): string {
    const own = (field: string) => options.without.includes(field);
    return [
      `class ${options.name}(TypedDict, total=False):\n${this.#fields(name, schema, (field) => !own(field))}`,
      `class ${name}(${options.name}, total=False):\n${this.#fields(name, schema, own)}`,
    ].join("\n\n");
  }

  #fields(owner: string, schema: Schema, isWanted: (name: string) => boolean): string {
    const required = new Set(schema.required);
    return Object.entries(schema.properties ?? {})
      .filter(([name]) => isWanted(name))
      .map(([name, value]) => {
        const type = this.#type(value, owner + camel(name));
        const line =
          this.#kind === "model"
            ? modelField(name, type, required.has(name))
            : `    ${name}: ${required.has(name) ? `Required[${type}]` : type}\n`;
        return line + docstring(value);
      })
      .join("");
  }

  /**
   * @param hint name of the class if the type is an object without a name
   * @throws Error for an unknown kind of schema
   */
  #type(schema: Schema, hint: string): string {
    const { $ref, anyOf, oneOf, allOf } = schema;
    if ($ref) {
      const name = refName($ref);
      this.#pending.push(name);
      return name;
    }
    if (schema.const !== undefined) return this.#literal([schema.const]);
    if (schema.enum) return this.#literal(schema.enum);
    const variants = anyOf ?? oneOf;
    if (variants)
      return variants.map((one, i) => this.#type(one, hint + variantOf(one, i))).join(" | ");
    if (allOf) return this.#type(flat(schema, this.#named), hint);
    if (Array.isArray(schema.type))
      return schema.type.map((type) => this.#type({ ...schema, type }, hint)).join(" | ");
    switch (schema.type) {
      case "object":
        return this.#object(schema, hint);
      case "array":
        if (schema.prefixItems)
          return `tuple[${schema.prefixItems.map((one) => this.#type(one, hint)).join(", ")}]`;
        return `list[${this.#type(schema.items ?? {}, singular(hint))}]`;
      case "integer":
        return "int";
      case "number":
        return "float";
      case "string":
        return schema.format === "date-time" && this.#kind === "model" ? "datetime" : "str";
      case "boolean":
        return "bool";
      case "null":
        return "None";
      case undefined:
        return "Any";
    }
    throw new Error(`No Python type for ${JSON.stringify(schema)}`);
  }

  /** A service that is newer than the client may answer a value that the client does not know. */
  #literal(values: unknown[]): string {
    const known = values.filter((value) => value !== null);
    const closed = `Literal[${known.map(literal).join(", ")}]`;
    const open = this.#kind === "model" && known.length > 1 ? `${closed} | str` : closed;
    return known.length < values.length ? `${open} | None` : open;
  }

  #object(schema: Schema, hint: string): string {
    if (schema.properties) {
      this.#write(hint, schema);
      return hint;
    }
    const { additionalProperties: more } = schema;
    return `dict[str, ${typeof more === "object" ? this.#type(more, hint) : "Any"}]`;
  }
}

function collectRefs(schema: Schema, into: string[]): void {
  if (schema.$ref) into.push(refName(schema.$ref));
  const { anyOf = [], oneOf = [], allOf = [], items, properties = {} } = schema;
  for (const part of [...anyOf, ...oneOf, ...allOf, ...(items ? [items] : [])])
    collectRefs(part, into);
  for (const part of Object.values(properties)) collectRefs(part, into);
}

function modelField(name: string, type: string, required: boolean): string {
  const optional = required || /\bNone$/.test(type) ? type : `${type} | None`;
  if (TAKEN.has(name)) {
    const field = required ? `Field(alias="${name}")` : `Field(None, alias="${name}")`;
    return `    ${name}_: ${optional} = ${field}\n`;
  }
  return `    ${name}: ${optional}${required ? "" : " = None"}\n`;
}

/** A JSON value as Python writes it. */
const literal = (value: unknown) =>
  typeof value === "boolean" ? camel(String(value)) : JSON.stringify(value);

/** Of several objects without names: what tells them apart. */
function variantOf({ type, properties }: Schema, index: number): string {
  if (type !== "object" || !properties) return "";
  const { const: only, enum: values = [only] } = properties.type ?? {};
  return typeof values[0] === "string" ? camel(values[0]) : String(index + 1);
}

const camel = (name: string) =>
  name
    .split(/[_\W]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");

const singular = (name: string) => name.replace(/(?<!s)s$/, "").replace(/che$/, "ch");

function docstring({ description }: Schema): string {
  if (!description) return "";
  const lines = [""];
  for (const word of description.replaceAll("\\", "\\\\").replaceAll('"""', "'''").split(/\s+/)) {
    const line = lines.at(-1) as string;
    if (line.length + word.length + 1 > WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return `    """${lines.join("\n    ")}"""\n`;
}

/** Words of the asynchronous client and those of the synchronous one. */
const SYNCHRONOUS: [RegExp, string][] = [
  [/\bawait /g, ""],
  [/\basync (def|for|with)\b/g, "$1"],
  [/\bAwaitable\[(\w+)\]/g, "$1"],
  [/\bAsyncGenerator\[(.+), None\]/g, "Generator[$1, None, None]"],
  [/, Awaitable\b/g, ""],
  [/\bAsync(?=[A-Z])/g, ""],
  [/_async\b/g, "_sync"],
  [/\basync_all\b/g, "sync_all"],
  [/\b__a(enter|exit)__\b/g, "__$1__"],
  [/\baclosing\b/g, "closing"],
  [/\ba(close|read|iter_bytes)\b/g, "$1"],
  [/asynchronous client\. `npm run types` makes `_sync` from these files/g, "synchronous client"],
];

export function synchronous(source: string): string {
  const text = SYNCHRONOUS.reduce((text, [from, to]) => text.replace(from, to), source);
  return `# Made by \`npm run types\` from \`_async\`: do not edit.\n${text}`;
}
