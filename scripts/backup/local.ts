/**
 * The data folder of an edge on this machine (scripts/edge.ts). A backup reads Miniflare's files beside the running edge:
 * SQLite gives a consistent copy of the database, and objects are files that are never changed, only removed. A restore
 * writes through Miniflare, and the edge must not run.
 */
import {
  copyFileSync,
  createReadStream,
  existsSync,
  openAsBlob,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { parseEnv } from "node:util";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { experimental_readRawConfig } from "wrangler";
import { signingPrint } from "./archive.ts";
import { BackupError, type ObjectContent, type Store, type StoredObject } from "./store.ts";

const root = join(import.meta.dirname, "../..");
/** Objects up to this size are written at once, larger ones in parts of it. */
const PART_BYTES = 64 * 1024 ** 2;

interface Row {
  key: string;
  size: number;
  etag: string;
  blob_id: string | null;
  http_metadata: string;
}

export class LocalStore implements Store {
  readonly name: string;
  readonly #data: string;
  readonly #settings: string;
  readonly #bucket: string;
  readonly #database: string;
  #miniflare: Miniflare | undefined;

  /** @param settings file with the lines `NAME='value'` that the edge gets; by default `edge.env` in the data folder */
  constructor(data: string, settings = join(data, "edge.env")) {
    this.name = data;
    this.#data = data;
    this.#settings = settings;
    const { rawConfig } = experimental_readRawConfig({ config: join(root, "wrangler.toml") });
    this.#bucket = rawConfig.r2_buckets?.[0]?.bucket_name as string;
    this.#database = rawConfig.d1_databases?.[0]?.database_id as string;
  }

  signingPrint(): string | null {
    const kept = join(this.#data, "secrets.json");
    const signing = existsSync(this.#settings)
      ? parseEnv(readFileSync(this.#settings, "utf8")).SIGNING_SECRET
      : existsSync(kept) && JSON.parse(readFileSync(kept, "utf8")).signing;
    return signing ? signingPrint(signing) : null;
  }

  /** The one SQLite file of a folder of Miniflare; `null` before the first start. */
  #sqlite(folder: string): string | null {
    const path = join(this.#data, "v3", folder);
    const names = existsSync(path) ? readdirSync(path) : [];
    const found = names.filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
    if (found.length > 1) throw new BackupError(`${path} has more than one database.`);
    return found[0] ? join(path, found[0]) : null;
  }

  async snapshot(path: string): Promise<void> {
    const file = this.#sqlite("d1/miniflare-D1DatabaseObject");
    if (!file) throw new BackupError(`${this.#data} has no database: no edge has run there.`);
    const db = new DatabaseSync(file, { readOnly: true });
    await backup(db, path);
    db.close();
  }

  async *objects(): AsyncGenerator<StoredObject> {
    const db = this.#objects();
    if (!db) return;
    try {
      for (const row of db
        .prepare("SELECT key, size, etag FROM _mf_objects ORDER BY key")
        .all() as unknown as Row[])
        yield { key: row.key, bytes: row.size, etag: row.etag };
    } finally {
      db.close();
    }
  }

  #objects(): DatabaseSync | null {
    const file = this.#sqlite("r2/miniflare-R2BucketObject");
    return file === null ? null : new DatabaseSync(file, { readOnly: true });
  }

  async read(key: string): Promise<ObjectContent | null> {
    const db = this.#objects();
    if (!db) return null;
    try {
      const row = db.prepare("SELECT * FROM _mf_objects WHERE key = ?").get(key) as Row | undefined;
      if (!row) return null;
      const parts = db
        .prepare(
          "SELECT blob_id FROM _mf_multipart_parts WHERE object_key = ? ORDER BY part_number",
        )
        .all(key) as { blob_id: string }[];
      const blobs = (row.blob_id === null ? parts : [{ blob_id: row.blob_id }]).map(
        ({ blob_id: id }) => join(this.#data, "v3/r2", this.#bucket, "blobs", id),
      );
      // A blob without its file was removed since: the object was deleted or replaced.
      if (!blobs.every((path) => existsSync(path))) return null;
      const { contentType } = JSON.parse(row.http_metadata) as { contentType?: string };
      return { contentType, chunks: concatenated(blobs) };
    } finally {
      db.close();
    }
  }

  async content(): Promise<string | null> {
    for (const name of ["edge.pid", "stack.pid"]) this.#refuseRunning(join(this.#data, name));
    const rows = this.#sqlite("d1/miniflare-D1DatabaseObject");
    if (rows) return "it has a database";
    for await (const { key } of this.objects()) return `it has objects, such as ${key}`;
    return null;
  }

  #refuseRunning(pidFile: string): void {
    if (!existsSync(pidFile)) return;
    const pid = Number(readFileSync(pidFile, "utf8"));
    const command = `/proc/${pid}/cmdline`;
    // The id may have been given to another process since.
    const ours = existsSync(command)
      ? /edge\.ts|start\.ts/.test(readFileSync(command, "utf8"))
      : isAlive(pid);
    if (ours && pid !== process.pid)
      throw new BackupError(`Process ${pid} is using ${this.#data}: stop the edge first.`);
  }

  /** Records, objects, and what Workflows and Durable Objects keep: the sweep makes that anew. */
  async wipe(): Promise<void> {
    for (const name of ["v3", "migrated", "bundle"])
      rmSync(join(this.#data, name), { recursive: true, force: true });
  }

  #open(): Miniflare {
    this.#miniflare ??= new Miniflare(
      convertV4MiniflareOptions({
        modules: true,
        script: "export default { fetch: () => new Response() }",
        compatibilityDate: "2026-10-01",
        d1Databases: { DB: { id: this.#database } },
        r2Buckets: { BUCKET: { id: this.#bucket } },
        resourcePersistencePath: join(this.#data, "v3"),
        cf: false,
        telemetry: { enabled: false },
      }),
    );
    return this.#miniflare;
  }

  async write(
    key: string,
    file: string,
    { contentType, sha256 }: { contentType?: string; sha256: string },
  ): Promise<string> {
    const bucket = await this.#open().getR2Bucket("BUCKET");
    const httpMetadata = contentType ? { contentType } : {};
    const { size } = statSync(file);
    if (size <= PART_BYTES) {
      const put = await bucket.put(key, readFileSync(file), { httpMetadata, sha256 });
      return (put as { etag: string }).etag;
    }
    const upload = await bucket.createMultipartUpload(key, { httpMetadata });
    const blob = await openAsBlob(file);
    const parts = [];
    for (let at = 0, n = 1; at < size; at += PART_BYTES, n++) {
      const part = await blob.slice(at, at + PART_BYTES).arrayBuffer();
      parts.push(await upload.uploadPart(n, part));
    }
    return (await upload.complete(parts)).etag;
  }

  async load(path: string): Promise<void> {
    // Makes the file, whose name comes from the id.
    const db = await this.#open().getD1Database("DB");
    await db.prepare("SELECT 1").run();
    await this.close();
    const file = this.#sqlite("d1/miniflare-D1DatabaseObject") as string;
    for (const end of ["-wal", "-shm"]) rmSync(file + end, { force: true });
    copyFileSync(path, file);
  }

  async close(): Promise<void> {
    await this.#miniflare?.dispose();
    this.#miniflare = undefined;
  }
}

async function* concatenated(paths: string[]): AsyncGenerator<Uint8Array> {
  for (const path of paths) yield* createReadStream(path) as AsyncIterable<Uint8Array>;
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
