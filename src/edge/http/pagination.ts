/**
 * Lists: newest first, `limit` at a time, continued with an opaque cursor. The cursor contains the last id of the
 * previous page. Ids sort by time, so rows created in the meantime do not shift the pages.
 */
import { z } from "@hono/zod-openapi";
import { base64url } from "../domain/encoding.ts";
import { idPattern, type Resource } from "../domain/ids.ts";
import { Problem } from "../problem.ts";

/** The query parameters of every list, to be spread into the route's strict object. */
export const listQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(20).openapi({
    type: "integer",
    minimum: 1,
    maximum: 100,
    description: "Maximum number of items",
  }),
  cursor: z
    .string()
    .max(200)
    .optional()
    .openapi({ description: "`next_cursor` of the previous page" }),
};

export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({
    data: z.array(item),
    next_cursor: z.string().nullable().openapi({ description: "`null` on the last page" }),
  });

/** @throws Problem `invalid-request` if the cursor is not from this kind of list */
export function readCursor(cursor: string | undefined, resource: Resource): string | null {
  if (cursor === undefined) return null;
  try {
    const id = atob(cursor.replaceAll("-", "+").replaceAll("_", "/"));
    if (idPattern(resource).test(id)) return id;
  } catch {}
  throw new Problem("invalid-request", "cursor: not a cursor of this list");
}

const makeCursor = (id: string) => base64url(new TextEncoder().encode(id).buffer as ArrayBuffer);

/** @param rows up to `limit` + 1 rows; the extra one shows that there is a next page */
export function listPage<Row extends { id: string }, Item>(
  rows: Row[],
  limit: number,
  present: (row: Row) => Item,
): { data: Item[]; next_cursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    data: shown.map(present),
    next_cursor: rows.length > limit && last ? makeCursor(last.id) : null,
  };
}
