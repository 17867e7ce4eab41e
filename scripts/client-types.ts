/**
 * Generates `src/client/schema.ts`: the schemas of the OpenAPI document as TypeScript types. With `--check`,
 * only tests whether the file is current.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";

interface Schema {
  $ref?: string;
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  prefixItems?: Schema[];
  description?: string;
}

const target = join(import.meta.dirname, "../src/client/schema.ts");
const written = file(await schemas());
if (!process.argv.includes("--check")) writeFileSync(target, written);
else if (readFileSync(target, "utf8") !== written) {
  console.error("src/client/schema.ts does not match the edge's schemas. Run: npm run types");
  process.exit(1);
}

/** The edge's own OpenAPI document. Node lacks workerd's modules, so stubs replace them. */
async function schemas(): Promise<Record<string, Schema>> {
  const source =
    "export class DurableObject {} export class WorkflowEntrypoint {} export class WorkerEntrypoint {} export const env = {}; export const waitUntil = () => {};";
  const url = `data:text/javascript,${encodeURIComponent(source)}`;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier.startsWith("cloudflare:") ? { url, shortCircuit: true } : next(specifier, context),
  });
  const { newApp } = await import("../src/edge/app.ts");
  const response = await newApp().request("/openapi.json", {}, {
    PUBLIC_ORIGIN: "http://edge.test",
    POOLS: "[]",
    SIGNING_SECRET: "x".repeat(16),
    MODELS: "pp-ocr",
    DEFAULT_MODEL: "pp-ocr",
    LOG_REQUESTS: "false",
  } as never);
  const document = (await response.json()) as { components: { schemas: Record<string, Schema> } };
  return document.components.schemas;
}

function file(named: Record<string, Schema>): string {
  const types = Object.entries(named).map(
    ([name, schema]) => `${doc(schema, "")}export type ${name} = ${typeOf(schema, "")};\n`,
  );
  return `/** Made by scripts/client-types.ts from the OpenAPI document: do not edit. */\n\n${types.join("\n")}`;
}

/** @throws Error for an unknown kind of schema */
function typeOf(schema: Schema, indent: string): string {
  const { $ref, anyOf, oneOf, allOf } = schema;
  if ($ref) return $ref.split("/").at(-1) as string;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const all = (of: Schema[], by: string) => of.map((one) => typeOf(one, indent)).join(by);
  if (anyOf ?? oneOf) return all((anyOf ?? oneOf) as Schema[], " | ");
  if (allOf) return all(allOf, " & ");
  if (Array.isArray(schema.type))
    return all(
      schema.type.map((type) => ({ ...schema, type })),
      " | ",
    );
  switch (schema.type) {
    case "object":
      return objectOf(schema, indent);
    case "array":
      if (schema.prefixItems) return `[${all(schema.prefixItems, ", ")}]`;
      return `Array<${typeOf(schema.items ?? {}, indent)}>`;
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

function objectOf(schema: Schema, indent: string): string {
  const inner = `${indent}  `;
  const required = new Set(schema.required);
  const lines = Object.entries(schema.properties ?? {}).map(
    ([name, value]) =>
      `${doc(value, inner)}${inner}${/^[a-z_$][\w$]*$/i.test(name) ? name : JSON.stringify(name)}${required.has(name) ? "" : "?"}: ${typeOf(value, inner)};\n`,
  );
  const { additionalProperties: more } = schema;
  if (lines.length === 0)
    return `Record<string, ${typeof more === "object" ? typeOf(more, indent) : "unknown"}>`;
  return `{\n${lines.join("")}${indent}}`;
}

function doc({ description }: Schema, indent: string): string {
  return description ? `${indent}/** ${description.replaceAll("*/", "* /")} */\n` : "";
}
