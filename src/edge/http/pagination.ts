/**
 * Lists: newest first, `limit` at a time, continued by an opaque cursor. The cursor holds the last
 * id of the page before; ids sort by time, so rows made meanwhile shift nothing.
 */
import { z } from "@hono/zod-openapi";
import { base64url } from "../domain/encoding.ts";
import { idPattern, type Resource } from "../domain/ids.ts";
import { Problem } from "../problem.ts";

/** The query fields of every list; spread it into the route's own strict object. */
export const listQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(20).openapi({
    type: "integer",
    minimum: 1,
    maximum: 100,
    description: "How many to answer at most",
  }),
  cursor: z
    .string()
    .max(200)
    .optional()
    .openapi({ description: "`next_cursor` of the page before" }),
};

export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({
    data: z.array(item),
    next_cursor: z.string().nullable().openapi({ description: "`null` on the last page" }),
  });

/** @throws Problem `invalid-request` when the cursor was not made here for this kind of list. */
export function readCursor(cursor: string | undefined, resource: Resource): string | null {
  if (cursor === undefined) return null;
  try {
    const id = atob(cursor.replaceAll("-", "+").replaceAll("_", "/"));
    if (idPattern(resource).test(id)) return id;
  } catch {}
  throw new Problem("invalid-request", "cursor: not a cursor of this list");
}

const makeCursor = (id: string) => base64url(new TextEncoder().encode(id).buffer as ArrayBuffer);

/** @param rows up to `limit` + 1 of them: the one too many says that there are more. */
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
