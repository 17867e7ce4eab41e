/** The books of a running edge (bench/edge.ts), and those of a stack as they lie on the disk. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { startEdge } from "../edge.ts";
import type { Books } from "./reconcile.ts";

export function booksOfEdge({ db, edge }: Awaited<ReturnType<typeof startEdge>>): Books {
  return {
    async sql<T>(query: string, parameters: (string | number)[] = []) {
      const { results } = await db
        .prepare(query)
        .bind(...parameters)
        .all<T>();
      return results;
    },
    async objects() {
      const bucket = await edge.getR2Bucket("BUCKET");
      const keys: string[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await bucket.list({ limit: 1000, ...(cursor && { cursor }) });
        keys.push(...page.objects.map(({ key }) => key));
        if (!page.truncated) return keys;
        cursor = page.cursor;
      }
    },
  };
}

/** @param data the folder of the stack (scripts/stack.ts) */
export function booksOnDisk(data: string): Books {
  const databases = (folder: string) =>
    readdirSync(join(data, folder))
      .filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite")
      .map((name) => join(data, folder, name));
  return {
    async sql<T>(query: string, parameters: (string | number)[] = []) {
      const [file] = databases("v3/d1/miniflare-D1DatabaseObject");
      const db = new DatabaseSync(file as string, { readOnly: true });
      const rows = db.prepare(query).all(...parameters) as T[];
      db.close();
      return rows;
    },
    async objects() {
      return databases("v3/r2/miniflare-R2BucketObject").flatMap((file) => {
        const bucket = new DatabaseSync(file, { readOnly: true });
        const rows = bucket.prepare("SELECT key FROM _mf_objects").all() as { key: string }[];
        bucket.close();
        return rows.map(({ key }) => key);
      });
    },
  };
}
