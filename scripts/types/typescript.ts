/** The schemas of the OpenAPI document as TypeScript types. */
import { flat, type OpenApi, refName, type Schema } from "./openapi.ts";

type Named = Record<string, Schema>;

export function typescript({ components: { schemas: named } }: OpenApi): string {
  const types = Object.entries(named).map(
    ([name, schema]) => `${doc(schema, "")}export type ${name} = ${typeOf(schema, named, "")};\n`,
  );
  return `/** Made by \`npm run types\` from the OpenAPI document: do not edit. */\n\n${types.join("\n")}`;
}

/** @throws Error for an unknown kind of schema */
function typeOf(schema: Schema, named: Named, indent: string): string {
  const { $ref, anyOf, oneOf, allOf } = schema;
  if ($ref) return refName($ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const all = (of: Schema[], by: string) => of.map((one) => typeOf(one, named, indent)).join(by);
  if (anyOf ?? oneOf) return all((anyOf ?? oneOf) as Schema[], " | ");
  if (allOf) return typeOf(flat(schema, named), named, indent);
  if (Array.isArray(schema.type))
    return all(
      schema.type.map((type) => ({ ...schema, type })),
      " | ",
    );
  switch (schema.type) {
    case "object":
      return objectOf(schema, named, indent);
    case "array":
      if (schema.prefixItems) return `[${all(schema.prefixItems, ", ")}]`;
      return `Array<${typeOf(schema.items ?? {}, named, indent)}>`;
    case "integer":
    case "number":
      return "number";
    case "string":
    case "boolean":
    case "null":
      return schema.type;
    case undefined:
      return "unknown";
  }
  throw new Error(`No TypeScript type for ${JSON.stringify(schema)}`);
}

function objectOf(schema: Schema, named: Named, indent: string): string {
  const inner = `${indent}  `;
  const required = new Set(schema.required);
  const lines = Object.entries(schema.properties ?? {}).map(
    ([name, value]) =>
      `${doc(value, inner)}${inner}${/^[a-z_$][\w$]*$/i.test(name) ? name : JSON.stringify(name)}${required.has(name) ? "" : "?"}: ${typeOf(value, named, inner)};\n`,
  );
  const { additionalProperties: more } = schema;
  if (lines.length === 0)
    return `Record<string, ${typeof more === "object" ? typeOf(more, named, indent) : "unknown"}>`;
  return `{\n${lines.join("")}${indent}}`;
}

function doc({ description }: Schema, indent: string): string {
  return description ? `${indent}/** ${description.replaceAll("*/", "* /")} */\n` : "";
}
