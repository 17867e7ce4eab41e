/**
 * A deployment on Cloudflare that `npm run deploy` has made: D1 by Wrangler, R2 by its S3 interface. `wrangler d1 export`
 * stops the database for requests while it runs.
 */
import { once } from "node:events";
import { createWriteStream, mkdtempSync, openAsBlob, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { AwsClient } from "aws4fetch";
import type { Folder } from "../deploy/folder.ts";
import { failure, type Wrangler } from "../deploy/wrangler.ts";
import { signingPrint } from "./archive.ts";
import { Database } from "./database.ts";
import { BackupError, type ObjectContent, type Store, type StoredObject } from "./store.ts";

export interface CloudflareOptions {
  folder: Folder;
  wrangler: Wrangler;
  /** R2's S3 interface, by default that of the account. */
  endpoint?: string | undefined;
  accessKeyId: string;
  secretAccessKey: string;
}

export class CloudflareStore implements Store {
  readonly name: string;
  readonly #options: CloudflareOptions;
  readonly #bucket: string;
  readonly #s3: AwsClient;

  constructor(options: CloudflareOptions) {
    const { folder, endpoint, accessKeyId, secretAccessKey } = options;
    const answers = folder.answers();
    if (!answers?.account)
      throw new BackupError(`${folder.path}: npm run deploy has not run there.`);
    this.name = `cloudflare:${answers.name}`;
    this.#options = options;
    this.#bucket = `${endpoint ?? `https://${answers.account}.r2.cloudflarestorage.com`}/${answers.name}`;
    this.#s3 = new AwsClient({
      accessKeyId,
      secretAccessKey,
      service: "s3",
      region: "auto",
      retries: 5,
    });
  }

  signingPrint(): string | null {
    const signing = this.#options.folder.secrets()?.SIGNING_SECRET;
    return signing ? signingPrint(signing) : null;
  }

  async #wrangler(...args: string[]): Promise<string> {
    const ran = await this.#options.wrangler([...args, "--config", this.#options.folder.config]);
    if (!ran.ok) throw failure(`\`wrangler ${args.slice(0, 2).join(" ")}\` failed`, ran);
    return ran.stdout;
  }

  async snapshot(path: string): Promise<void> {
    const dump = `${path}.sql.new`;
    try {
      await this.#wrangler(
        "d1",
        "export",
        "DB",
        "--remote",
        "--skip-confirmation",
        "--output",
        dump,
      );
      await Database.import(path, dump);
    } finally {
      rmSync(dump, { force: true });
    }
  }

  async *objects(): AsyncGenerator<StoredObject> {
    for (let token = ""; ; ) {
      const query = new URLSearchParams({ "list-type": "2", "encoding-type": "url" });
      if (token) query.set("continuation-token", token);
      const text = await (await this.#fetch(`?${query}`)).text();
      for (const [, content = ""] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs))
        yield {
          key: decodeURIComponent(field(content, "Key").replaceAll("+", " ")),
          bytes: Number(field(content, "Size")),
          etag: field(content, "ETag").replace(/^(&quot;|")|(&quot;|")$/g, ""),
        };
      token = field(text, "NextContinuationToken");
      if (!token) return;
    }
  }

  async read(key: string): Promise<ObjectContent | null> {
    const response = await this.#fetch(`/${encodedKey(key)}`, {}, [404]);
    if (response.status === 404) {
      await response.body?.cancel();
      return null;
    }
    const contentType = response.headers.get("content-type") ?? undefined;
    return { contentType, chunks: response.body as unknown as AsyncIterable<Uint8Array> };
  }

  async #fetch(path: string, init: RequestInit = {}, fine: number[] = []): Promise<Response> {
    const response = await this.#s3.fetch(this.#bucket + path, init);
    if (response.ok || fine.includes(response.status)) return response;
    const answer = (await response.text()).slice(0, 300);
    throw new BackupError(
      `R2 answered ${init.method ?? "GET"} ${path} with ${response.status}: ${answer}`,
    );
  }

  async #query<T>(sql: string): Promise<T[]> {
    const text = await this.#wrangler(
      "d1",
      "execute",
      "DB",
      "--remote",
      "--json",
      "--command",
      sql,
    );
    const [first] = JSON.parse(text.slice(text.indexOf("["))) as { results: T[] }[];
    return first?.results ?? [];
  }

  #schema = () =>
    this.#query<{ type: string; name: string }>(
      "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view', 'trigger') " +
        "AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name NOT LIKE '!_cf!_%' ESCAPE '!'",
    );

  async content(): Promise<string | null> {
    const tables = await this.#schema();
    if (tables.length > 0) return `its database has ${tables.length} tables, views and triggers`;
    for await (const { key } of this.objects()) return `its bucket has objects, such as ${key}`;
    return null;
  }

  async wipe(): Promise<void> {
    const order = ["trigger", "view", "table"];
    const schema = (await this.#schema()).sort(
      (a, b) => order.indexOf(a.type) - order.indexOf(b.type),
    );
    await this.#execute([
      "PRAGMA defer_foreign_keys = TRUE",
      ...schema.map(({ type, name }) => `DROP ${type.toUpperCase()} IF EXISTS "${name}"`),
    ]);
    const keys: string[] = [];
    for await (const { key } of this.objects()) keys.push(key);
    for (const key of keys) await this.#fetch(`/${encodedKey(key)}`, { method: "DELETE" }, [404]);
  }

  async write(
    key: string,
    file: string,
    { contentType, sha256 }: { contentType?: string; sha256: string },
  ): Promise<string> {
    const response = await this.#fetch(`/${encodedKey(key)}`, {
      method: "PUT",
      body: await openAsBlob(file),
      headers: {
        "content-type": contentType ?? "application/octet-stream",
        "x-amz-content-sha256": sha256,
        "x-amz-checksum-sha256": Buffer.from(sha256, "hex").toString("base64"),
      },
    });
    await response.arrayBuffer();
    return (response.headers.get("etag") ?? "").replaceAll('"', "");
  }

  async load(path: string): Promise<void> {
    const database = new Database(path, true);
    try {
      await this.#execute(database.statements());
      const counts = Object.entries(database.counts());
      // One row: D1 joins few SELECTs by UNION, and each command of Wrangler takes seconds.
      const columns = counts.map(([table]) => `(SELECT count(*) FROM "${table}") AS "${table}"`);
      const [found] = await this.#query<Record<string, number>>(`SELECT ${columns.join(", ")}`);
      for (const [table, rows] of counts)
        if (found?.[table] !== rows)
          throw new BackupError(
            `After the restore ${table} has ${found?.[table]} rows instead of ${rows}.`,
          );
    } finally {
      database.close();
    }
  }

  async #execute(statements: Iterable<string>): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "fovea-restore-"));
    const file = join(folder, "import.sql");
    try {
      const out = createWriteStream(file, { mode: 0o600 });
      for (const statement of statements)
        if (!out.write(`${statement.replace(/;\s*$/, "")};\n`)) await once(out, "drain");
      await finished(out.end());
      await this.#wrangler("d1", "execute", "DB", "--remote", "--yes", "--file", file);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async close(): Promise<void> {}
}

const encodedKey = (key: string) => key.split("/").map(encodeURIComponent).join("/");

const field = (xml: string, name: string) =>
  new RegExp(`<${name}>(.*?)</${name}>`, "s").exec(xml)?.[1] ?? "";
