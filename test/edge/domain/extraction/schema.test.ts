import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../../src/edge/domain/extraction/json.ts";
import {
  type ExtractionSchema,
  meetsStrict,
  readSchema,
  schemaOfPart,
} from "../../../../src/edge/domain/extraction/schema.ts";

const object = (properties: object, more: object = {}) => ({ type: "object", properties, ...more });
const fault = (schema: unknown) => readSchema(schema);

describe("a schema", () => {
  it("is taken with what validates, without what only describes", () => {
    const sent = object(
      {
        a: { type: "string", title: "A", pattern: "(a+)+$", format: "date", default: { id: 1 } },
        b: { type: ["number", "null"], minimum: 0, format: "currency", examples: [1] },
        c: { $ref: "#/$defs/row" },
        d: true,
      },
      {
        $schema: "https://json-schema.org/draft/2020-12/schema",
        $id: "https://x.test/s",
        $defs: { row: { enum: [1] } },
      },
    );
    expect(readSchema(sent)).toEqual({
      sent,
      checked: object(
        {
          a: { type: "string", format: "date" },
          b: { type: ["number", "null"], minimum: 0 },
          c: { $ref: "#/$defs/row" },
          d: true,
        },
        { $defs: { row: { enum: [1] } } },
      ),
    });
  });

  it("may be pydantic's of a model that refers to itself", () => {
    const node = object({ children: { type: "array", items: { $ref: "#/$defs/Node" } } });
    const sent = { ...node, $defs: { Node: node } };
    expect(readSchema({ $defs: { Node: node }, $ref: "#/$defs/Node" })).toEqual({
      sent,
      checked: sent,
    });
    expect(fault({ $defs: { Node: { type: "string" } }, $ref: "#/$defs/Node" })).toContain("root");
    expect(fault({ $ref: "#/$defs/toString", $defs: {} })).toContain("at its root");
    expect(fault({ $ref: "#/$defs/A", $defs: { A: { $ref: "#/$defs/A" } } })).toContain("root");
  });

  it("may say `nullable`, and times without a zone", () => {
    const schema = object({
      n: { type: "number", nullable: true },
      e: { type: "string", enum: ["x"], nullable: true },
      at: { type: "string", format: "date-time" },
      from: { type: "string", format: "time" },
    });
    const { checked } = readSchema(schema) as ExtractionSchema;
    const { n, e, at, from } = checked.properties as Record<string, { pattern: string }>;
    expect([n, e]).toEqual([
      { type: ["number", "null"] },
      { type: ["string", "null"], enum: ["x", null] },
    ]);
    const allows = (schema: { pattern: string } | undefined, text: string) =>
      new RegExp(schema?.pattern as string, "u").test(text);
    for (const time of ["10:00", "10:00:00", "10:00:00.5+01:00", "10:00Z"])
      expect([allows(from, time), allows(at, `2026-03-12T${time}`)]).toEqual([true, true]);
    expect([allows(from, "ten"), allows(at, "2026-03-12"), allows(at, "10:00")]).toEqual([
      false,
      false,
      false,
    ]);
  });

  it.each([
    [null, "an object"],
    [[], "an object"],
    [{}, "at its root"],
    [{ type: ["object", "null"] }, "at its root"],
    [object({ a: { type: "text" } }), "/properties/a/type must be one of"],
    [object({ a: 5 }), "/properties/a must be a JSON Schema"],
    [{ type: "object", properties: [] }, "/properties must be an object"],
    [object({ "a/b": { items: [{}] } }), "/properties/a~1b/items must be a schema"],
    [object({ a: { enum: [] } }), "/properties/a/enum"],
    [object({ a: { minLength: -1 } }), "/properties/a/minLength"],
    [object({ a: { required: "x" } }), "/properties/a/required"],
    [object({ a: { pattern: "(" } }), "/properties/a/pattern"],
    [object({ a: { anyOf: [] } }), "/properties/a/anyOf"],
    [object({ a: { exclusiveMinimum: true } }), "/properties/a/exclusiveMinimum"],
    [object({}, { patternProperties: {} }), "/patternProperties is not supported"],
    [object({ a: { $dynamicRef: "#x" } }), "is not supported"],
    [object({ a: { $ref: "https://example.com/schema" } }), "in the schema itself"],
    [object({ a: { $ref: "other.json#/a" } }), "in the schema itself"],
    [object({ a: { $ref: "#/$defs/none" } }), "leads to no schema"],
    [object({ a: { $ref: "#/properties/a" } }), "refers to itself"],
    [object({ a: { anyOf: [{ $ref: "#/properties/a" }] } }), "refers to itself"],
    [JSON.parse('{"type": "object", "properties": {"__proto__": {}}}'), "__proto__"],
    [object({ a: { description: "x".repeat(70_000) } }), "65536 bytes"],
    [
      object(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`p${i}`, {}]))),
      "1000 schemas",
    ],
  ])("is refused with its place (%#)", (schema, message) => {
    expect(fault(schema)).toContain(message);
  });

  it("that is too deep, as a schema or as JSON, is refused", () => {
    let schema: object = {};
    for (let i = 0; i < 30; i++) schema = { not: schema };
    expect(fault(object({ a: schema }))).toContain("24 schemas deep");
    let value: unknown = [];
    for (let i = 0; i < 10_000; i++) value = [value];
    expect(fault(object({ a: { const: value } }))).toContain("64 times");
  });

  it("that multiplies by its references is refused", () => {
    const $defs = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [
        `d${i}`,
        { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
      ]),
    );
    expect(
      fault(object({ a: { $ref: "#/$defs/d0" } }, { $defs: { ...$defs, d20: {} } })),
    ).toContain("too many schemas to one value");
  });

  it("may refer to itself below", () => {
    const tree = object({ children: { type: "array", items: { $ref: "#" } } });
    expect(readSchema(tree)).toMatchObject({ checked: tree });
  });
});

describe("strict", () => {
  const strict = (properties: object) =>
    object(properties, { additionalProperties: false, required: Object.keys(properties) });

  it.each([
    [strict({ a: { type: "string" } }), true],
    [strict({ a: strict({ b: { type: ["null", "integer"] } }) }), true],
    [strict({ a: { type: "array", items: strict({}) } }), true],
    [strict({ a: { anyOf: [strict({}), { type: "null" }] } }), true],
    [object({ a: {} }), false],
    [{ ...strict({ a: { type: "null" }, b: { type: "null" } }), required: ["a"] }, false],
    [strict({ a: object({}) }), false],
    [strict({ a: { type: "array", items: object({}) } }), false],
    [strict({ a: { oneOf: [{}] } }), false],
    [{ ...strict({}), $defs: { d: object({}) } }, false],
    [strict({ a: { $ref: "#/$defs/d" }, b: { enum: ["x"] }, c: { const: 1 } }), true],
    [strict({ a: { $ref: "#/$defs/d", description: "what pydantic writes beside it" } }), false],
    [strict({ a: { type: "string", default: "" } }), false],
    [strict({ a: { type: "string", format: "date" } }), true],
    [strict({ a: { type: "string", format: "uri" } }), false],
    [strict({ a: { title: "anything" } }), false],
    [strict({ a: { type: "array", items: { type: "string" }, uniqueItems: true } }), false],
  ])("is what providers can enforce (%#)", (schema, expected) => {
    expect(meetsStrict(schema as JsonObject)).toBe(expected);
  });
});

describe("the schema of a part", () => {
  it("lets every property be null or left out, but not those of elements", () => {
    const schema = object(
      {
        a: { type: "string", minLength: 1 },
        b: { enum: ["x"], description: "B" },
        c: object({ d: { type: "number" } }, { required: ["d"] }),
        e: {
          type: "array",
          minItems: 1,
          items: object({ f: { type: "string" } }, { required: ["f"] }),
        },
        g: { $ref: "#/$defs/x" },
      },
      { required: ["a", "b"] },
    );
    expect(schemaOfPart(schema as JsonObject)).toEqual(
      object({
        a: { type: ["string", "null"], minLength: 1 },
        b: { description: "B", anyOf: [{ enum: ["x"] }, { type: "null" }] },
        c: { type: ["object", "null"], properties: { d: { type: ["number", "null"] } } },
        e: {
          type: ["array", "null"],
          items: object({ f: { type: "string" } }, { required: ["f"] }),
        },
        g: { anyOf: [{ $ref: "#/$defs/x" }, { type: "null" }] },
      }),
    );
  });

  it("still meets strict", () => {
    const schema = object(
      { a: { type: "string" } },
      { additionalProperties: false, required: ["a"] },
    );
    expect(meetsStrict(schemaOfPart(schema as JsonObject))).toBe(true);
    expect((readSchema(schema) as ExtractionSchema).sent).toEqual(schema);
  });
});
