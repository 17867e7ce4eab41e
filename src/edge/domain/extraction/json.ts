/** JSON values: their canonical text, their depth, and places in them. */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The same text for values that differ only in the order of their members. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name] as Json)}`);
  return `{${members.join(",")}}`;
}

/** Whether arrays and objects are nested more than `depth` times. Looks no deeper than that. */
export function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((member) => isDeeper(member, depth - 1));
}

/** Whether a number in it is none in JSON: `1e999` is parsed as infinity. At most so deep as `isDeeper` allows. */
export function hasInfinity(value: unknown): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  return typeof value === "object" && value !== null && Object.values(value).some(hasInfinity);
}

/** The JSON Pointer (RFC 6901) of a member or an element. */
export const pointerTo = (parent: string, name: string | number) =>
  `${parent}/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;
