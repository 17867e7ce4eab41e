/** Joins the extractions from the parts of a document into one. */
import type { Citation, Citations, Cited } from "./citations/cite.ts";
import { canonicalJson, isObject, type Json, type JsonObject, pointerTo } from "./json.ts";

/** The extraction from one part. */
export interface PartData extends Cited {
  data: JsonObject;
}

/** Parts that have different values for one place. */
export interface Conflict {
  /** JSON Pointer in the data. */
  path: string;
  /** The first is the one in the data. */
  values: { value: Json; citation: Citation | null }[];
}

export interface Merged {
  data: JsonObject;
  citations: Citations;
  conflicts: Conflict[];
}

export const MAX_CONFLICTS = 100;
const MAX_VALUES = 20;

/** A value of one part. */
interface Found {
  value: Json;
  citations: Citations;
  /** Of the part: the elements that are a row of a table. */
  rows: ReadonlySet<string>;
  pointer: string;
}

/**
 * Of single values, the first that stands on a page counts, otherwise the first that is not null; other values are
 * conflicts. Lists follow each other. An element that equals one of an earlier part is left out, unless it is a row of
 * a table: equal rows are different things.
 */
export function mergeParts(parts: PartData[]): Merged {
  const conflicts: Conflict[] = [];
  const found = parts.map(({ data, citations, rows }) => ({
    value: data,
    citations,
    rows: new Set(rows),
    pointer: "",
  }));
  const [value, citations] = merge(found, "", conflicts);
  return { data: value as JsonObject, citations, conflicts };
}

function merge(all: Found[], path: string, conflicts: Conflict[]): [Json, Citations] {
  const values = all.filter(({ value }) => value !== null);
  const first = values.find(isCited) ?? values.find(({ value }) => value !== "") ?? values[0];
  if (!first) return [null, null];
  if (Array.isArray(first.value)) return mergeLists(values);
  if (isObject(first.value)) return mergeObjects(values, path, conflicts);
  const differing = new Map<string, Found>([[canonicalJson(first.value), first]]);
  for (const found of values) {
    const key = canonicalJson(found.value);
    if (found.value !== "" && !differing.has(key)) differing.set(key, found);
  }
  if (differing.size > 1 && conflicts.length < MAX_CONFLICTS)
    conflicts.push({
      path,
      values: [...differing.values()].slice(0, MAX_VALUES).map(({ value, citations }) => ({
        value,
        citation:
          value !== null && typeof value === "object" ? null : (citations as Citation | null),
      })),
    });
  return [first.value, first.citations];
}

const isCited = ({ value, citations }: Found) =>
  value !== null && typeof value === "object" ? Object.keys(value).length > 0 : citations !== null;

function mergeObjects(all: Found[], path: string, conflicts: Conflict[]): [Json, Citations] {
  const objects = all.filter(({ value }) => isObject(value));
  const names = new Set(objects.flatMap(({ value }) => Object.keys(value as JsonObject)));
  const members = Array.from(names, (name) => {
    const found = objects.flatMap((of): Found[] => {
      const members = of.value as JsonObject;
      if (!Object.hasOwn(members, name)) return [];
      const citations = (of.citations as Record<string, Citations> | null)?.[name] ?? null;
      return [
        { ...of, value: members[name] as Json, citations, pointer: pointerTo(of.pointer, name) },
      ];
    });
    return [name, ...merge(found, pointerTo(path, name), conflicts)] as const;
  });
  return [
    Object.fromEntries(members.map(([name, value]) => [name, value])),
    Object.fromEntries(members.map(([name, , citations]) => [name, citations])),
  ];
}

function mergeLists(all: Found[]): [Json, Citations] {
  const values: Json[] = [];
  const citations: Citations[] = [];
  const earlier = new Set<string>();
  for (const { value, citations: ofList, rows, pointer } of all) {
    if (!Array.isArray(value)) continue;
    const texts = value.map(canonicalJson);
    for (const [i, element] of value.entries()) {
      const isRow = rows.has(pointerTo(pointer, i));
      if (earlier.has(texts[i] as string) && !isRow) continue;
      values.push(element);
      citations.push((ofList as Citations[] | null)?.[i] ?? null);
    }
    for (const text of texts) earlier.add(text);
  }
  return [values, citations];
}
