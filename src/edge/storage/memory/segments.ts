/** Segments of contexts, their renders, and which form of them the views show. */
import type { PageError } from "../../domain/pages/page-result.ts";
import { type Context, type Row, touch } from "./contexts.ts";
import { selectUnsealed, toUnsealedRows, type Unsealed } from "./messages.ts";
import { deleteSummary, type Summary, toSummary } from "./summaries.ts";

/** A sealed run of messages. */
export interface Segment {
  id: string;
  first: number;
  last: number;
  textTokens: number;
  /** Number of its messages of the role `user`. */
  users: number;
  /** Of its most important message. */
  importance: number;
  indexLine: string;
  indexTokens: number;
  /** Time of its newest message. */
  newestAt: number;
  /** Whether its texts are deleted. */
  erased: boolean;
  createdAt: number;
}

/** A page of a render. Each page is a file. */
export interface RenderPage {
  fileId: string;
  width: number;
  height: number;
  /** What the profile's provider charges for it. */
  tokens: number;
  /** What a request says to have it read so (domain/memory/profiles.ts). */
  detail: string | null;
  messages: { number: number; role: string }[];
}

export type Box = [number, number, number, number];
/** Boxes of the messages on a page, in 0..1, by message number. */
export type PageBoxes = Record<string, Box[]>;

/** The pages of a segment in one form of a profile: a cache, made from its texts. */
export interface Render {
  id: string;
  segmentId: string;
  profile: string;
  form: string;
  /** `checking`: its pages are being read. */
  state: "making" | "checking" | "ready" | "failed";
  /** While it is being made: the document, and the job that renders it. */
  job: { fileId: string; jobId: string } | null;
  pages: RenderPage[];
  /** Terms that the reader did not read exactly. */
  sidecar: string[];
  /** Of its images and its sidecar. */
  tokens: number;
  /** Share of characters that the reader read; `null`: not checked. */
  precision: number | null;
  error: PageError | null;
  createdAt: number;
}

export interface View {
  profile: string;
  /** By segment. A segment that is not in it is text. */
  forms: Record<string, string>;
  /** Why the view is larger than the budget. */
  overBudget: string | null;
}

const toSegment = (row: Row): Segment => ({
  id: row.id,
  first: row.first,
  last: row.last,
  textTokens: row.text_tokens,
  users: row.users,
  importance: row.importance,
  indexLine: row.index_line,
  indexTokens: row.index_tokens,
  newestAt: row.newest_at,
  erased: row.erased === 1,
  createdAt: row.created_at,
});

const toRender = (row: Row): Render => ({
  id: row.id,
  segmentId: row.segment_id,
  profile: row.profile,
  form: row.form,
  state: row.state,
  job: row.job === null ? null : JSON.parse(row.job),
  pages: JSON.parse(row.pages),
  sidecar: JSON.parse(row.sidecar),
  tokens: row.tokens,
  precision: row.precision,
  error: row.error === null ? null : JSON.parse(row.error),
  createdAt: row.created_at,
});

const toView = (row: Row): View => ({
  profile: row.profile,
  forms: JSON.parse(row.forms),
  overBudget: row.over_budget,
});

/** Boxes are read only where a message is looked for on its pages. */
const COLUMNS =
  "r.id, r.segment_id, r.profile, r.form, r.state, r.job, r.pages, r.sidecar, r.tokens, r.precision, r.error, r.created_at";

export interface Contents {
  unsealed: Unsealed[];
  segments: Segment[];
  renders: Render[];
  views: View[];
  summaries: Summary[];
}

/** What a context consists of, in order; sealed messages only as their segments. */
export async function contents(db: D1Database, contextId: string): Promise<Contents> {
  const found = await db.batch<Row>([
    selectUnsealed(db, contextId),
    db
      .prepare("SELECT * FROM context_segments WHERE context_id = ? ORDER BY first")
      .bind(contextId),
    db
      .prepare(`SELECT ${COLUMNS} FROM context_renders r WHERE context_id = ? ORDER BY id`)
      .bind(contextId),
    db.prepare("SELECT * FROM context_views WHERE context_id = ?").bind(contextId),
    db.prepare("SELECT * FROM context_summaries WHERE context_id = ?").bind(contextId),
  ]);
  return toContents(found);
}

/** From the rows of messages, segments, renders, views and summaries. */
function toContents(found: D1Result<Row>[]): Contents {
  const [unsealed, segments, renders, views, summaries] = found as [
    D1Result<Row>,
    D1Result<Row>,
    D1Result<Row>,
    D1Result<Row>,
    D1Result<Row>,
  ];
  return {
    unsealed: toUnsealedRows(unsealed),
    segments: segments.results.map(toSegment),
    renders: renders.results.map(toRender),
    views: views.results.map(toView),
    summaries: summaries.results.map(toSummary),
  };
}

export async function findSegment(
  db: D1Database,
  contextId: string,
  id: string,
): Promise<Segment | null> {
  const row = await db
    .prepare("SELECT * FROM context_segments WHERE id = ? AND context_id = ?")
    .bind(id, contextId)
    .first();
  return row && toSegment(row);
}

/** Segments whose messages are after `after`, in order. */
export async function segmentsAfter(
  db: D1Database,
  contextId: string,
  after: number,
  limit: number,
): Promise<Segment[]> {
  const { results } = await db
    .prepare(
      "SELECT * FROM context_segments WHERE context_id = ? AND last > ? ORDER BY first LIMIT ?",
    )
    .bind(contextId, after, limit)
    .all();
  return results.map(toSegment);
}

/**
 * Seals messages, whose texts are in R2 by now. Those that were pinned or deleted meanwhile are left out.
 * @param numbers of the messages
 * @returns false if none of them is left
 */
export async function insertSegment(
  db: D1Database,
  contextId: string,
  segment: Segment,
  numbers: number[],
  now: number,
): Promise<boolean> {
  const [inserted] = await db.batch([
    db
      .prepare(
        `INSERT INTO context_segments (id, context_id, first, last, text_tokens, users, importance, index_line,
           index_tokens, newest_at, created_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
         WHERE EXISTS (SELECT 1 FROM context_messages WHERE context_id = ?2 AND pinned = 0 AND segment_id IS NULL
           AND number IN (SELECT value FROM json_each(?12)))`,
      )
      .bind(
        segment.id,
        contextId,
        segment.first,
        segment.last,
        segment.textTokens,
        segment.users,
        segment.importance,
        segment.indexLine,
        segment.indexTokens,
        segment.newestAt,
        segment.createdAt,
        JSON.stringify(numbers),
      ),
    db
      .prepare(
        `UPDATE context_messages SET segment_id = ?1, content = NULL
         WHERE context_id = ?2 AND pinned = 0 AND segment_id IS NULL AND number IN (SELECT value FROM json_each(?3))`,
      )
      .bind(segment.id, contextId, JSON.stringify(numbers)),
    touch(db, contextId, now),
  ]);
  return (inserted as D1Result).meta.changes > 0;
}

/** Replaces what a segment says of its messages, after one of them was deleted; a summary of it is deleted. */
export async function updateSegment(db: D1Database, segment: Segment): Promise<void> {
  await db.batch([
    db
      .prepare(
        `UPDATE context_segments SET last = ?2, text_tokens = ?3, users = ?4, importance = ?5, index_line = ?6,
           index_tokens = ?7, newest_at = ?8 WHERE id = ?1`,
      )
      .bind(
        segment.id,
        segment.last,
        segment.textTokens,
        segment.users,
        segment.importance,
        segment.indexLine,
        segment.indexTokens,
        segment.newestAt,
      ),
    deleteSummary(db, segment.id),
  ]);
}

export async function deleteSegment(db: D1Database, id: string): Promise<void> {
  await db.batch([
    db.prepare("DELETE FROM context_segments WHERE id = ?").bind(id),
    deleteSummary(db, id),
  ]);
}

/** Records that the texts of a segment are erased, and erases its summary. */
export async function markSegmentErased(db: D1Database, id: string): Promise<void> {
  await db.batch([
    deleteSummary(db, id),
    db.prepare("UPDATE context_segments SET erased = 1 WHERE id = ?").bind(id),
    db.prepare("UPDATE context_messages SET erased = 1 WHERE segment_id = ?").bind(id),
  ]);
}

// ---- renders

/** Begins a render, unless there is one of the same form already. */
export async function insertRender(
  db: D1Database,
  contextId: string,
  render: Render,
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO context_renders (id, context_id, segment_id, profile, form, state, job, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    )
    .bind(
      render.id,
      contextId,
      render.segmentId,
      render.profile,
      render.form,
      render.state,
      render.job && JSON.stringify(render.job),
      render.createdAt,
    )
    .run();
}

/** Records how far a render has come. @param boxes left out: they stay as they are */
export async function saveRender(
  db: D1Database,
  render: Render,
  boxes?: PageBoxes[],
): Promise<void> {
  await db
    .prepare(
      `UPDATE context_renders SET state = ?2, job = ?3, pages = ?4, boxes = COALESCE(?5, boxes), sidecar = ?6,
         tokens = ?7, precision = ?8, error = ?9 WHERE id = ?1`,
    )
    .bind(
      render.id,
      render.state,
      render.job && JSON.stringify(render.job),
      JSON.stringify(render.pages),
      boxes === undefined ? null : JSON.stringify(boxes),
      JSON.stringify(render.sidecar),
      render.tokens,
      render.precision,
      render.error && JSON.stringify(render.error),
    )
    .run();
}

export async function findRender(
  db: D1Database,
  contextId: string,
  id: string,
): Promise<(Render & { boxes: PageBoxes[] }) | null> {
  const row = await db
    .prepare(`SELECT ${COLUMNS}, r.boxes FROM context_renders r WHERE id = ? AND context_id = ?`)
    .bind(id, contextId)
    .first<Row>();
  return row && { ...toRender(row), boxes: JSON.parse(row.boxes) };
}

export async function rendersOf(db: D1Database, segmentId: string): Promise<Render[]> {
  const { results } = await db
    .prepare(`SELECT ${COLUMNS} FROM context_renders r WHERE segment_id = ? ORDER BY id`)
    .bind(segmentId)
    .all();
  return results.map(toRender);
}

/** The jobs of the renders that are being made. */
export async function jobsOfRenders(db: D1Database, contextId: string): Promise<string[]> {
  const { results } = await db
    .prepare(
      "SELECT job ->> 'jobId' AS id FROM context_renders WHERE context_id = ? AND job IS NOT NULL",
    )
    .bind(contextId)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

export async function deleteRender(db: D1Database, id: string): Promise<void> {
  await db.prepare("DELETE FROM context_renders WHERE id = ?").bind(id).run();
}

// ---- views

/** The segments of a context, the form in which a view shows each, and the renders of these forms. */
export async function viewContents(
  db: D1Database,
  { id, profile }: Pick<Context, "id" | "profile">,
): Promise<Contents> {
  const found = await db.batch<Row>([
    selectUnsealed(db, id),
    db.prepare("SELECT * FROM context_segments WHERE context_id = ? ORDER BY first").bind(id),
    db
      .prepare(
        `SELECT ${COLUMNS}
         FROM json_each((SELECT forms FROM context_views WHERE context_id = ?1 AND profile = ?2)) f
         CROSS JOIN context_renders r ON r.segment_id = f.key AND r.profile = ?2 AND r.form = f.value
         WHERE r.context_id = ?1 AND r.state = 'ready'`,
      )
      .bind(id, profile),
    db
      .prepare("SELECT * FROM context_views WHERE context_id = ? AND profile = ?")
      .bind(id, profile),
    db.prepare("SELECT * FROM context_summaries WHERE context_id = ?").bind(id),
  ]);
  return toContents(found);
}

/** The form of a segment in a view. */
export async function formIn(
  db: D1Database,
  { id, profile }: Pick<Context, "id" | "profile">,
  segmentId: string,
): Promise<string> {
  const form = await db
    .prepare(
      "SELECT forms ->> ?3 AS form FROM context_views WHERE context_id = ?1 AND profile = ?2",
    )
    .bind(id, profile, segmentId)
    .first<string>("form");
  return form ?? "text";
}

/**
 * Records that views of this profile are asked for, so that its images are made from the next step on.
 * @returns false if the context has as many profiles as it may have
 */
export async function beginView(
  db: D1Database,
  contextId: string,
  profile: string,
  most: number,
  now: number,
): Promise<boolean> {
  const [inserted] = await db.batch([
    db
      .prepare(
        `INSERT INTO context_views (context_id, profile, changed_at)
         SELECT ?1, ?2, ?3 WHERE (SELECT count(*) FROM context_views WHERE context_id = ?1) < ?4
         ON CONFLICT DO NOTHING`,
      )
      .bind(contextId, profile, now, most),
    touch(db, contextId, now),
  ]);
  return (inserted as D1Result).meta.changes > 0;
}

export async function saveView(
  db: D1Database,
  contextId: string,
  { profile, forms, overBudget }: View,
  now: number,
): Promise<void> {
  await db.batch([
    db
      .prepare(
        `INSERT INTO context_views (context_id, profile, forms, over_budget, changed_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET forms = excluded.forms, over_budget = excluded.over_budget,
           changed_at = excluded.changed_at`,
      )
      .bind(contextId, profile, JSON.stringify(forms), overBudget, now),
    db.prepare("UPDATE contexts SET version = version + 1 WHERE id = ?").bind(contextId),
  ]);
}
