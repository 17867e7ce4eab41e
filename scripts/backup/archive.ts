/**
 * A backup: a folder with
 *
 *   manifest.json     written last: without it the backup is not complete
 *   database.sqlite   D1 at one moment
 *   objects.jsonl     a line per object of R2: key, size, SHA-256, type
 *   objects/ab/…      their contents, named by SHA-256
 *
 * A run over an existing folder takes the database anew and copies only the objects that have changed. So an interrupted
 * run is continued, and a later one is incremental.
 *
 * The database is taken first, then the objects. The edge writes an object before the row that promises it, and erases it
 * after the row is gone. So whatever a row of the database promises is still there when the objects are copied, unless
 * it was deleted in between; such documents are deleted from the copy of the database too, by the edge's own transaction.
 * The other order would lose every document that arrives during the backup, and keep those that are deleted. Objects
 * that are newer than the database belong to nobody in it and are left out.
 */
import { createHash, createHmac } from "node:crypto";
import {
  appendFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Database } from "./database.ts";
import { BackupError, type Store } from "./store.ts";

const FORMAT = 1;

export interface Line {
  key: string;
  bytes: number;
  sha256: string;
  etag: string;
  contentType?: string;
}

export interface Manifest {
  format: typeof FORMAT;
  created_at: string;
  source: string;
  /** HMAC of the SIGNING_SECRET with which columns are sealed; `null` if it was not known. */
  signing: string | null;
  database: { bytes: number; sha256: string; migration: string };
  objects: { count: number; bytes: number; sha256: string };
  /** Documents that were deleted while the backup ran. */
  deleted_meanwhile: number;
}

/** Compares two SIGNING_SECRETs without showing them. */
export const signingPrint = (secret: string) =>
  createHmac("sha256", secret).update("fovea backup").digest("hex").slice(0, 32);

export class Archive {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  #at = (name: string) => join(this.path, name);
  file = (sha256: string) => join(this.path, "objects", sha256.slice(0, 2), sha256);
  get database() {
    return this.#at("database.sqlite");
  }

  /** Takes a backup, or brings an older or incomplete one up to date. */
  async take(store: Store, say: (line: string) => void): Promise<Manifest> {
    this.#begin();
    const known = new Map(this.#lines().map((line) => [line.key, line]));
    rmSync(this.#at("manifest.json"), { force: true });
    for (const end of ["", "-wal", "-shm"]) rmSync(this.database + end, { force: true });
    await store.snapshot(this.database);
    say(`database: ${statSync(this.database).size} bytes`);

    const database = new Database(this.database);
    try {
      const lines: Line[] = [];
      let copied = 0;
      for await (const object of store.objects()) {
        if (!database.owns(object.key)) continue;
        const before = known.get(object.key);
        const kept = before?.etag === object.etag && existsSync(this.file(before.sha256));
        const line = kept ? before : await this.#copy(store, object.key, object.etag);
        if (!line) continue; // deleted since it was listed
        lines.push(line);
        if (!kept) {
          appendFileSync(this.#at("objects.jsonl"), `${JSON.stringify(line)}\n`);
          if (++copied % 500 === 0) say(`objects: ${copied} copied`);
        }
      }
      say(`objects: ${copied} copied, ${lines.length - copied} were there`);
      const lost = database.documentsWithout(new Set(lines.map(({ key }) => key)));
      for (const document of lost) await database.deleteDocument(document);
      const left = lines.filter(({ key }) => database.owns(key));
      database.compact();
      return this.#finish(store, left, database.newestMigration(), lost.length);
    } finally {
      database.close();
    }
  }

  #begin(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    const strange = readdirSync(this.path).filter(
      (name) =>
        !/^(manifest\.json|database\.sqlite(-wal|-shm)?|objects(\.jsonl)?|.*\.new)$/.test(name),
    );
    if (strange.length > 0)
      throw new BackupError(`${this.path} is not a backup: it has ${strange.join(", ")}.`);
  }

  async #copy(store: Store, key: string, etag: string): Promise<Line | null> {
    const content = await store.read(key);
    if (!content) return null;
    const hash = createHash("sha256");
    let bytes = 0;
    const fresh = this.#at("object.new");
    await pipeline(
      content.chunks,
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          bytes += chunk.length;
          yield chunk;
        }
      },
      createWriteStream(fresh, { mode: 0o600 }),
    );
    const sha256 = hash.digest("hex");
    mkdirSync(dirname(this.file(sha256)), { recursive: true });
    renameSync(fresh, this.file(sha256));
    const { contentType } = content;
    return { key, bytes, sha256, etag, ...(contentType && { contentType }) };
  }

  async #finish(store: Store, lines: Line[], migration: string, lost: number): Promise<Manifest> {
    const sorted = lines.sort((a, b) => (a.key < b.key ? -1 : 1));
    this.#write("objects.jsonl", sorted.map((line) => `${JSON.stringify(line)}\n`).join(""));
    this.#prune(new Set(lines.map(({ sha256 }) => sha256)));
    const manifest: Manifest = {
      format: FORMAT,
      created_at: new Date().toISOString(),
      source: store.name,
      signing: store.signingPrint(),
      database: {
        bytes: statSync(this.database).size,
        sha256: await sha256Of(this.database),
        migration,
      },
      objects: {
        count: lines.length,
        bytes: lines.reduce((sum, { bytes }) => sum + bytes, 0),
        sha256: await sha256Of(this.#at("objects.jsonl")),
      },
      deleted_meanwhile: lost,
    };
    this.#write("manifest.json", `${JSON.stringify(manifest, null, 2)}\n`);
    return manifest;
  }

  /** Removes contents of objects that no longer exist. */
  #prune(used: Set<string>): void {
    for (const folder of existsSync(this.#at("objects")) ? readdirSync(this.#at("objects")) : [])
      for (const name of readdirSync(join(this.#at("objects"), folder)))
        if (!used.has(name)) rmSync(this.file(name));
  }

  /** Compares everything with the checksums. @throws BackupError */
  async verify(): Promise<{ manifest: Manifest; lines: Line[] }> {
    const path = this.#at("manifest.json");
    if (!existsSync(path))
      throw new BackupError(
        `${this.path} has no manifest.json: no backup, or one that was interrupted.`,
      );
    const manifest = JSON.parse(readFileSync(path, "utf8")) as Manifest;
    if (manifest.format !== FORMAT)
      throw new BackupError(`The backup has format ${manifest.format}.`);
    await this.#check(this.database, manifest.database.sha256);
    await this.#check(this.#at("objects.jsonl"), manifest.objects.sha256);
    const lines = this.#lines();
    for (const { sha256 } of lines) await this.#check(this.file(sha256), sha256);
    return { manifest, lines };
  }

  async #check(path: string, sha256: string): Promise<void> {
    if (!existsSync(path)) throw new BackupError(`The backup is damaged: ${path} is missing.`);
    if ((await sha256Of(path)) !== sha256)
      throw new BackupError(`The backup is damaged: ${path} does not have its checksum.`);
  }

  /** A line that an interruption has cut is left out. */
  #lines(): Line[] {
    const path = this.#at("objects.jsonl");
    if (!existsSync(path)) return [];
    return readFileSync(path, "utf8")
      .split("\n")
      .flatMap((line) => {
        try {
          return [JSON.parse(line) as Line];
        } catch {
          return [];
        }
      });
  }

  #write(name: string, text: string): void {
    writeFileSync(this.#at(`${name}.new`), text, { mode: 0o600 });
    renameSync(this.#at(`${name}.new`), this.#at(name));
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

/**
 * Brings a backup into a store. The objects come first and the database last, so that an interrupted restore is seen:
 * the store then has no database.
 */
export async function restore(
  archive: Archive,
  store: Store,
  {
    force,
    otherSecrets,
    say,
  }: { force: boolean; otherSecrets: boolean; say: (line: string) => void },
): Promise<Manifest> {
  const { manifest, lines } = await archive.verify();
  const signing = store.signingPrint();
  if (manifest.signing && signing && manifest.signing !== signing && !otherSecrets)
    throw new BackupError(
      "SIGNING_SECRET is another one than when the backup was taken. Passwords of documents that wait to be read, " +
        "stored responses, webhook secrets and receipts would be invalid. Bring the old secret back, or say --other-secrets.",
    );
  const strange = unknownMigrations(archive.database);
  if (strange.length > 0)
    throw new BackupError(`The backup is of a newer version of Fovea: ${strange.join(", ")}.`);
  const content = await store.content();
  if (content && !force)
    throw new BackupError(
      `${store.name} is not empty: ${content}. --force replaces everything in it.`,
    );
  if (content) await store.wipe();
  const copy = `${archive.database}.new`;
  const database = Database.copyOf(archive.database, copy);
  try {
    for (const [n, { key, sha256, etag, contentType }] of lines.entries()) {
      const file = archive.file(sha256);
      const now = await store.write(key, file, { sha256, ...(contentType && { contentType }) });
      if (now !== etag) database.renameEtag(key, etag, now);
      if ((n + 1) % 500 === 0) say(`objects: ${n + 1} of ${lines.length}`);
    }
    database.close();
    say(`objects: ${lines.length}`);
    await store.load(copy);
    say("database: loaded");
  } finally {
    rmSync(copy, { force: true });
  }
  return manifest;
}

/** Migrations in a database that this version does not have. */
function unknownMigrations(path: string): string[] {
  const folder = join(import.meta.dirname, "../../src/edge/storage/migrations");
  const known = new Set(readdirSync(folder));
  const database = new Database(path, true);
  try {
    return database.migrations().filter((name) => !known.has(name));
  } finally {
    database.close();
  }
}
