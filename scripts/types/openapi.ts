/** The OpenAPI document of the edge, and what the generators of types need of it. */
import { registerHooks } from "node:module";

export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
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

interface Content {
  content?: Record<string, { schema?: Schema }>;
}

interface Operation {
  parameters?: { schema?: Schema }[];
  requestBody?: Content;
  responses: Record<string, Content>;
}

export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** The edge's own OpenAPI document. Node lacks workerd's modules, so stubs replace them. */
export async function openApi(): Promise<OpenApi> {
  const source =
    "export class DurableObject {} export class WorkflowEntrypoint {} export class WorkerEntrypoint {} export const env = {}; export const waitUntil = () => {};";
  const url = `data:text/javascript,${encodeURIComponent(source)}`;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier.startsWith("cloudflare:") ? { url, shortCircuit: true } : next(specifier, context),
  });
  const { newApp } = await import("../../src/edge/app.ts");
  const response = await newApp().request("/openapi.json", {}, {
    PUBLIC_ORIGIN: "http://edge.test",
    POOLS: "[]",
    SIGNING_SECRET: "x".repeat(16),
    MODELS: "pp-ocr",
    DEFAULT_MODEL: "pp-ocr",
    LOG_REQUESTS: "false",
  } as never);
  return (await response.json()) as OpenApi;
}

/** The schemas of what clients send, and of what the service answers. */
export function usedSchemas({ paths }: OpenApi): { sent: Schema[]; answered: Schema[] } {
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
  const of = ({ content = {} }: Content) =>
    Object.values(content).flatMap(({ schema }) => schema ?? []);
  return {
    sent: operations.flatMap(({ parameters = [], requestBody = {} }) => [
      ...parameters.flatMap(({ schema }) => schema ?? []),
      ...of(requestBody),
    ]),
    answered: operations.flatMap(({ responses }) => Object.values(responses).flatMap(of)),
  };
}

export const refName = (ref: string) => ref.split("/").at(-1) as string;

/** An object that extends others (`allOf`), as one object with all fields. */
export function flat(schema: Schema, named: Record<string, Schema>): Schema {
  if (schema.$ref) return flat(named[refName(schema.$ref)] as Schema, named);
  if (!schema.allOf) return schema;
  const parts = schema.allOf.map((part) => flat(part, named));
  return {
    type: "object",
    properties: Object.assign({}, ...parts.map(({ properties }) => properties)),
    required: parts.flatMap(({ required = [] }) => required),
    ...(schema.description && { description: schema.description }),
  };
}
