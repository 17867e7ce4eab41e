/**
 * Generates an example for every body in the spec from its schema: a field's own `example` if it has one, else a
 * plausible value of its type. So every documented route has an example.
 */
// biome-ignore lint/suspicious/noExplicitAny: JSON Schema, looked at field by field.
type Schema = Record<string, any>;

/** Values by field name, for fields whose schema has no example. */
const BY_NAME: Record<string, unknown> = {
  id: "01jdf7k2m4c8q6w0e5r9t1y3",
  file_id: "file_01jdf7k2m4c8q6w0e5r9t1y3",
  job_id: "job_01jdf7k2m4c8q6w0e5r9t1y3",
  key_id: "key_01jdf7k2m4c8q6w0e5r9t1y3",
  endpoint_id: "hook_01jdf7k2m4c8q6w0e5r9t1y3",
  target: "file_01jdf7k2m4c8q6w0e5r9t1y3",
  name: "invoice.pdf",
  hint: "x7Qz",
  url: "https://example.com/hooks/fovea",
  model: "pp-ocr",
  mode: "native",
  task: "markdown",
  prompt: null,
  dpi: 144,
  sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  model_digest: `sha256:${"3f".repeat(32)}`,
  key: "fov_live_0000000000000000000000002RTPpH",
  width: 1191,
  height: 1684,
  bytes: 48213,
  page_count: 2,
  text: "Invoice",
  html: "<table></table>",
  latex: "e = mc^2",
  markdown: "# Invoice",
  text_tokens: null,
  vision_tokens: null,
  compression: null,
  expected_precision: null,
  error: null,
  webhook_url: null,
  next_cursor: null,
  revoked_at: null,
  disabled_at: null,
  disabled_reason: null,
  confidence: 0.98,
  verdict: "ok",
  finish_reason: "stop",
  self: "/v1/jobs/job_01jdf7k2m4c8q6w0e5r9t1y3",
  warnings: [],
};

/** Examples of text bodies, by media type. */
const TEXTS: Record<string, string> = {
  "text/markdown": "# Invoice\n\nPen 2.00\n",
  "text/html": "<!doctype html><h1>Invoice</h1>",
  "text/plain": "Invoice\nPen 2.00\n",
  "text/event-stream": 'id: 7\nevent: page\ndata: {"page":1,"state":"done"}\n\n',
};

/** Adds an example to each body in the document that has none. */
export function withExamples<Document extends object>(document: Document): Document {
  const { paths = {}, components = {} } = document as Schema;
  for (const operations of Object.values<Schema>(paths))
    for (const operation of Object.values<Schema>(operations)) {
      const bodies = [operation.requestBody, ...Object.values<Schema>(operation.responses ?? {})];
      for (const body of bodies)
        for (const [type, media] of Object.entries<Schema>(body?.content ?? {}))
          if (media.example === undefined && media.examples === undefined)
            media.example = TEXTS[type] ?? sample(media.schema ?? {}, components.schemas ?? {});
    }
  return document;
}

/** A value that the schema allows. Patterns are ignored, so a field with a pattern needs its own example. */
function sample(schema: Schema, components: Record<string, Schema>, name = ""): unknown {
  if (schema.$ref) {
    const target = components[schema.$ref.split("/").at(-1)] as Schema;
    return sample(target, components, name);
  }
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  const types: string[] = [schema.type].flat();
  const named = BY_NAME[name];
  if (named !== undefined && suits(named, schema, types)) return named;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  const choice = schema.anyOf ?? schema.oneOf;
  if (choice) return sample(choice[0], components, name);
  if (schema.allOf)
    return Object.assign({}, ...schema.allOf.map((part: Schema) => sample(part, components)));
  switch (types.find((type) => type !== "null")) {
    case "object":
      return Object.fromEntries(
        Object.entries<Schema>(schema.properties ?? {}).map(([key, property]) => [
          key,
          sample(property, components, key),
        ]),
      );
    case "array":
      if (schema.prefixItems)
        return schema.prefixItems.map((item: Schema) => sample(item, components));
      return [sample(schema.items ?? {}, components)];
    case "integer":
    case "number":
      return schema.minimum ?? 1;
    case "boolean":
      return false;
    case "string":
      return sampleText(schema);
    default:
      return null;
  }
}

function suits(value: unknown, schema: Schema, types: string[]): boolean {
  if (schema.enum) return schema.enum.includes(value);
  if (schema.anyOf || schema.oneOf)
    return (schema.anyOf ?? schema.oneOf).some((part: Schema) =>
      suits(value, part, [part.type].flat()),
    );
  if (value === null) return types.includes("null");
  if (Array.isArray(value)) return types.includes("array");
  return types.includes(typeof value) || (types.includes("integer") && Number.isInteger(value));
}

function sampleText({ format }: Schema): string {
  if (format === "date-time") return "2026-11-24T12:00:00.000Z";
  if (format === "date") return "2026-11-24";
  if (format === "binary") return "%PDF-1.7 …";
  if (format === "uri") return "https://example.com/hooks/fovea";
  return "text";
}
