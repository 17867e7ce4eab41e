/**
 * The JSON Schemas that a client may send. They come from anybody, and a validator follows them: so each is bounded in
 * size, depth and in the work that a validation takes, and names nothing outside itself.
 */
import { isDeeper, isObject, type Json, type JsonObject, pointerTo } from "./json.ts";

/** Bytes of a schema as JSON. */
export const MAX_SCHEMA_BYTES = 64 * 1024;
/** Schemas within schemas, and arrays and objects within a schema's own JSON. */
export const MAX_SCHEMA_DEPTH = 24;
const MAX_JSON_DEPTH = 64;
export const MAX_SUBSCHEMAS = 1000;
/** Schemas that apply to one and the same value. */
const MAX_APPLIED = 2000;

/** A schema that has passed the checks. */
export interface ExtractionSchema {
  /** As the client sent it, for the model. */
  sent: JsonObject;
  /**
   * What an answer is validated against: without annotations, `$id` and `$schema`. Without `pattern` too, because a
   * regular expression of a client may take exponential time (docs/decisions/0041).
   */
  checked: JsonObject;
}

const TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"];

/** Formats that are validated. They take linear time; others are annotations, as JSON Schema allows. */
const FORMATS = [
  "date",
  "time",
  "date-time",
  "duration",
  "email",
  "hostname",
  "ipv4",
  "ipv6",
  "uuid",
];

const MAPS = ["properties", "$defs", "definitions", "dependentSchemas"];
const LISTS = ["allOf", "anyOf", "oneOf", "prefixItems"];
const SINGLES = [
  "items",
  "additionalProperties",
  "not",
  "if",
  "then",
  "else",
  "contains",
  "propertyNames",
  "unevaluatedProperties",
  "unevaluatedItems",
];
/** Those that apply to the same value as the schema around them. */
const IN_PLACE = ["allOf", "anyOf", "oneOf", "dependentSchemas", "not", "if", "then", "else"];

const UNSUPPORTED = [
  "patternProperties",
  "dependencies",
  "additionalItems",
  "$dynamicRef",
  "$recursiveRef",
];

const isCount = (value: Json) => Number.isInteger(value) && (value as number) >= 0;
const isName = (value: Json) => typeof value === "string";
const isNumber = (value: Json) => typeof value === "number";
const areNames = (value: Json) => Array.isArray(value) && value.every(isName);

/** The other keywords: which values they may have. */
const ASSERTIONS: Record<string, readonly [(value: Json) => boolean, string]> = {
  type: [
    (value) => {
      const types = Array.isArray(value) ? value : [value];
      return types.length > 0 && types.every((type) => TYPES.includes(type as string));
    },
    `must be one of ${TYPES.join(", ")}, or a list of them`,
  ],
  enum: [(value) => Array.isArray(value) && value.length > 0, "must be a list with a value"],
  const: [() => true, ""],
  required: [areNames, "must be a list of names"],
  dependentRequired: [
    (value) => isObject(value) && Object.values(value).every(areNames),
    "must have lists of names",
  ],
  minimum: [isNumber, "must be a number"],
  maximum: [isNumber, "must be a number"],
  exclusiveMinimum: [isNumber, "must be a number"],
  exclusiveMaximum: [isNumber, "must be a number"],
  multipleOf: [(value) => isNumber(value) && (value as number) > 0, "must be a number above 0"],
  minLength: [isCount, "must be a whole number"],
  maxLength: [isCount, "must be a whole number"],
  minItems: [isCount, "must be a whole number"],
  maxItems: [isCount, "must be a whole number"],
  minContains: [isCount, "must be a whole number"],
  maxContains: [isCount, "must be a whole number"],
  minProperties: [isCount, "must be a whole number"],
  maxProperties: [isCount, "must be a whole number"],
  uniqueItems: [(value) => typeof value === "boolean", "must be true or false"],
  format: [isName, "must be a string"],
  pattern: [isPattern, "must be a regular expression"],
};

/** Times of documents have no time zone, which these two formats demand. */
const WITHOUT_ZONE: Record<string, string> = {
  time: "^\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?([Zz]|[+-]\\d{2}:\\d{2})?$",
  "date-time":
    "^\\d{4}-\\d{2}-\\d{2}[Tt ]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?([Zz]|[+-]\\d{2}:\\d{2})?$",
};

/** Checks a schema. @returns it, or a message for the client that says what is wrong */
export function readSchema(value: unknown): ExtractionSchema | string {
  if (!isObject(value)) return "must be a JSON Schema: an object";
  if (isDeeper(value, MAX_JSON_DEPTH)) return `may be nested ${MAX_JSON_DEPTH} times at most`;
  const bytes = new TextEncoder().encode(JSON.stringify(value)).byteLength;
  if (bytes > MAX_SCHEMA_BYTES)
    return `may have ${MAX_SCHEMA_BYTES} bytes as JSON at most; it has ${bytes}`;
  const root = atRoot(value);
  if (root.type !== "object") return 'must have `"type": "object"` at its root';
  const known = new Map<string, JsonObject | boolean>();
  try {
    const checked = copy(root, "", 0, known) as JsonObject;
    checkReferences(known);
    return { sent: root, checked };
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}

/** Pydantic's schema of a model that refers to itself is a `$ref` to its definition, which is taken instead of it. */
function atRoot(schema: JsonObject): JsonObject {
  const { $ref, ...rest } = schema;
  const [, list, name] = /^#\/(\$defs|definitions)\/([\w.-]+)$/.exec(String($ref)) ?? [];
  const definitions = list && schema[list];
  const target = isObject(definitions) && Object.hasOwn(definitions, name as string);
  const root = target && definitions[name as string];
  return isObject(root) ? { ...rest, ...root } : schema;
}

class Fault extends Error {
  constructor(pointer: string, message: string) {
    super(pointer === "" ? message : `${pointer} ${message}`);
  }
}

/** The schema with nothing but known keywords. @param known gets every schema by its JSON Pointer */
function copy(
  schema: Json,
  pointer: string,
  depth: number,
  known: Map<string, JsonObject | boolean>,
): JsonObject | boolean {
  if (depth > MAX_SCHEMA_DEPTH)
    throw new Fault(pointer, `is nested more than ${MAX_SCHEMA_DEPTH} schemas deep`);
  if (known.size >= MAX_SUBSCHEMAS)
    throw new Fault("", `may have ${MAX_SUBSCHEMAS} schemas in it at most`);
  if (typeof schema === "boolean") {
    known.set(pointer, schema);
    return schema;
  }
  if (!isObject(schema)) throw new Fault(pointer, "must be a JSON Schema: an object or a boolean");
  // The place is taken before those of the schemas in it, so that the count holds while they are read.
  known.set(pointer, true);
  const inner = (value: Json, at: string) => copy(value, at, depth + 1, known);
  const members: [string, Json][] = [];
  for (const [name, value] of Object.entries(schema)) {
    const at = pointerTo(pointer, name);
    if (UNSUPPORTED.includes(name)) throw new Fault(at, "is not supported");
    if (MAPS.includes(name)) {
      if (!isObject(value)) throw new Fault(at, "must be an object");
      const schemas = Object.entries(value).map(([key, member]): [string, Json] => {
        if (key === "__proto__") throw new Fault(at, "may not have the name `__proto__`");
        return [key, inner(member, pointerTo(at, key))];
      });
      members.push([name, Object.fromEntries(schemas)]);
    } else if (LISTS.includes(name)) {
      if (!Array.isArray(value) || value.length === 0)
        throw new Fault(at, "must be a list of schemas");
      members.push([name, value.map((member, i) => inner(member, pointerTo(at, i)))]);
    } else if (SINGLES.includes(name)) {
      if (Array.isArray(value)) throw new Fault(at, "must be a schema; lists are `prefixItems`");
      members.push([name, inner(value, at)]);
    } else if (name === "$ref") {
      if (typeof value !== "string") throw new Fault(at, "must be a string");
      if (value !== "#" && !value.startsWith("#/"))
        throw new Fault(at, "must lead to a place in the schema itself, such as `#/$defs/item`");
      members.push([name, value]);
    } else if (name in ASSERTIONS && Object.hasOwn(ASSERTIONS, name)) {
      const [isValid, message] = ASSERTIONS[name] as (typeof ASSERTIONS)[string];
      if (!isValid(value)) throw new Fault(at, message);
      const pattern = name === "format" && WITHOUT_ZONE[value as string];
      const isChecked = name === "format" ? FORMATS.includes(value as string) : name !== "pattern";
      if (pattern) members.push(["pattern", pattern]);
      else if (isChecked) members.push([name, orNullable(schema, name, value)]);
    }
  }
  const copied = Object.fromEntries(members);
  known.set(pointer, copied);
  return copied;
}

/** `nullable` is of OpenAPI 3.0, and of the schemas that Gemini takes. */
function orNullable({ nullable }: JsonObject, name: string, value: Json): Json {
  if (nullable !== true || (name !== "type" && name !== "enum")) return value;
  return [...[value].flat(), name === "type" ? "null" : null];
}

function isPattern(value: Json): boolean {
  try {
    new RegExp(value as string, "u");
    return typeof value === "string";
  } catch {
    return false;
  }
}

/** Where a `$ref` leads: the JSON Pointer of its fragment. */
const targetOf = (ref: string) => {
  try {
    return decodeURIComponent(ref.slice(1));
  } catch {
    return ref.slice(1);
  }
};

/**
 * Every `$ref` leads to a schema, and the schemas that apply to one value are few: neither do they refer to each other in
 * a circle, nor multiply by referring to one twice, again and again.
 */
function checkReferences(known: Map<string, JsonObject | boolean>): void {
  const applied = new Map<string, number | "open">();
  const count = (pointer: string): number => {
    const done = applied.get(pointer);
    if (done === "open") throw new Fault(pointer, "refers to itself, and to nothing within it");
    if (done !== undefined) return done;
    applied.set(pointer, "open");
    let sum = 1;
    for (const next of inPlace(known.get(pointer) as JsonObject | boolean, pointer)) {
      if (!known.has(next)) throw new Fault(pointerTo(pointer, "$ref"), "leads to no schema");
      sum += count(next);
      if (sum > MAX_APPLIED) throw new Fault(pointer, "applies too many schemas to one value");
    }
    applied.set(pointer, sum);
    return sum;
  };
  for (const pointer of known.keys()) count(pointer);
}

/** The JSON Pointers of the schemas that apply to the same value as this one. */
function inPlace(schema: JsonObject | boolean, pointer: string): string[] {
  if (typeof schema === "boolean") return [];
  const inner = IN_PLACE.flatMap((name) => {
    const value = schema[name];
    if (value === undefined) return [];
    const at = pointerTo(pointer, name);
    if (Array.isArray(value)) return value.map((_, i) => pointerTo(at, i));
    if (name === "dependentSchemas")
      return Object.keys(value as object).map((key) => pointerTo(at, key));
    return [at];
  });
  return typeof schema.$ref === "string" ? [...inner, targetOf(schema.$ref)] : inner;
}

/** Keywords that strict modes take; of others, such as `default`, they say that they are not permitted (OpenAI, "Structured Outputs"). */
const STRICT = [
  "$schema",
  "$defs",
  "definitions",
  "$ref",
  "title",
  "description",
  "type",
  "properties",
  "required",
  "additionalProperties",
  "items",
  "anyOf",
  "enum",
  "const",
  "format",
  "pattern",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minItems",
  "maxItems",
];

/**
 * Whether a provider may be asked to enforce the schema with `strict`: every object names all its properties and requires
 * them all, every schema says what it allows, and nothing stands beside a `$ref`.
 */
export function meetsStrict(schema: Json): boolean {
  if (!isObject(schema)) return false;
  const names = Object.keys(schema);
  if (!names.every((name) => STRICT.includes(name))) return false;
  if ("$ref" in schema) return names.length === 1;
  if (!["type", "anyOf", "enum", "const"].some((name) => name in schema)) return false;
  if ("format" in schema && !FORMATS.includes(schema.format as string)) return false;
  const properties = isObject(schema.properties) ? schema.properties : {};
  const isOfObjects = [schema.type].flat().includes("object") || "properties" in schema;
  if (isOfObjects) {
    const required = Array.isArray(schema.required) ? schema.required : [];
    if (schema.additionalProperties !== false) return false;
    if (!Object.keys(properties).every((name) => required.includes(name))) return false;
  }
  const inner = [
    ...Object.values(properties),
    ...Object.values(isObject(schema.$defs) ? schema.$defs : {}),
    ...Object.values(isObject(schema.definitions) ? schema.definitions : {}),
    ...(Array.isArray(schema.anyOf) ? schema.anyOf : []),
    ...(schema.items === undefined ? [] : [schema.items]),
  ];
  return inner.every(meetsStrict);
}

/**
 * The schema for a part of a document, which need not have every value: properties may be null or, if the schema does not
 * meet strict modes, be left out. The elements of arrays stay as they are, because an element is in one part.
 */
export function schemaOfPart(schema: JsonObject): JsonObject {
  return partial(schema, !meetsStrict(schema));
}

function partial(schema: JsonObject, mayLeaveOut: boolean): JsonObject {
  const { required, minProperties, dependentRequired, minItems, minContains, contains, ...rest } =
    schema;
  if (!isObject(schema.properties)) return rest;
  const properties = Object.entries(schema.properties).map(([name, member]): [string, Json] => [
    name,
    isObject(member) ? orNull(partial(member, mayLeaveOut)) : member,
  ]);
  return {
    ...rest,
    properties: Object.fromEntries(properties),
    ...(!mayLeaveOut && required !== undefined && { required }),
  };
}

function orNull(schema: JsonObject): JsonObject {
  const { type, title, description, ...rest } = schema;
  const isPlain = type !== undefined && !["enum", "const", "anyOf", "oneOf"].some((n) => n in rest);
  if (isPlain) {
    const types = [type].flat() as string[];
    return { ...schema, type: types.includes("null") ? types : [...types, "null"] };
  }
  return {
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    anyOf: [{ ...rest, ...(type !== undefined && { type }) }, { type: "null" }],
  };
}
