/**
 * Backup and restore, of a real stack. Cloudflare is represented by the parts of it that run here: R2's S3 interface by
 * Miniflare's, and D1 by a local one, on which the real Wrangler runs `d1 export` and `d1 execute` (`--local` in the place
 * of `--remote`).
 */
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { experimental_readRawConfig } from "wrangler";
import { Api, type Job } from "../../scripts/api.ts";
import { Archive, restore } from "../../scripts/backup/archive.ts";
import { CloudflareStore } from "../../scripts/backup/cloudflare.ts";
import { Database, inPieces, statementsOf } from "../../scripts/backup/database.ts";
import { LocalStore } from "../../scripts/backup/local.ts";
import type { Store } from "../../scripts/backup/store.ts";
import { Folder } from "../../scripts/deploy/folder.ts";
import { deploymentConfig, NO_DATABASE, type RawConfig } from "../../scripts/deploy/settings.ts";
import { wranglerProgram } from "../../scripts/deploy/wrangler.ts";
import { freePort, type Stack, startStack } from "../../scripts/stack.ts";

const root = join(import.meta.dirname, "../..");
const example = (name: string) => new Uint8Array(readFileSync(join(root, "examples", name)));
/** Documents with a text layer, which are read quickly; what follows the end of a PDF is not looked at. */
const another = (name: string) =>
  Buffer.concat([example("invoice.pdf"), Buffer.from(`\n% ${name}\n`)]);
const WORKER = { worker: { FOVEA_MODELS: "pp-ocr,fovea-render" } };
const quiet = { force: false, otherSecrets: false, say: () => {} };

describe("a backup", () => {
  const work = mkdtempSync(join(tmpdir(), "fovea-backup-"));
  const data = join(work, "data");
  const archive = new Archive(join(work, "backup"));
  let stack: Stack | undefined;
  let api: Api;
  let invoice: Job;
  /** What clients get, by path. */
  let answers: Record<string, string>;

  /** A start has three minutes. On a machine that other suites keep busy it may need the second one, which goes on. */
  const start = async (folder: string, attempts = 3): Promise<void> => {
    try {
      stack = await startStack({ data: folder, models: "pp-ocr,fovea-render", env: WORKER });
    } catch (error) {
      if (attempts === 1) throw error;
      return start(folder, attempts - 1);
    }
    // The key is of the first start, and not made again.
    api = new Api(stack.origin, api?.key ?? stack.key);
  };
  const stop = async () => {
    await stack?.stop();
    stack = undefined;
  };
  const read = async (bytes: Uint8Array<ArrayBuffer>, options = {}): Promise<Job> => {
    const file = await api.upload(bytes, "document.pdf");
    const job = (await (await api.ocr({ file, ...options }, 60)).json()) as Job;
    assert.equal(job.state, "succeeded", JSON.stringify(job));
    return job;
  };
  const get = async (path: string) => {
    const response = await api.fetch(path);
    return `${response.status} ${await response.text()}`.replaceAll(api.origin, "");
  };
  const all = async (...paths: string[]) =>
    Object.fromEntries(await Promise.all(paths.map(async (path) => [path, await get(path)])));

  before(async () => {
    await start(data);
    invoice = await read(example("invoice.pdf"));
  });
  after(async () => {
    await stop();
    rmSync(work, { recursive: true, force: true });
  });

  const remember = async () => {
    answers = await all(
      "/v1/files",
      "/v1/jobs",
      `/v1/jobs/${invoice.id}`,
      `/v1/jobs/${invoice.id}/result?format=md`,
      `/v1/jobs/${invoice.id}/result?format=json`,
      `/v1/files/${invoice.file_id}/content`,
      "/v1/webhooks/endpoints",
    );
  };

  test("is taken while the edge runs, and has what it says", async () => {
    const { objects, signing } = await archive.take(new LocalStore(data), () => {});
    assert.ok(objects.count >= 2, "a document and a page");
    assert.ok(signing);
    const { lines } = await archive.verify();
    assert.ok(lines.some(({ key }) => key.startsWith("files/") && key.endsWith(invoice.file_id)));
    // The secrets are not in it, neither plain nor in the database.
    const { signing: secret, bootstrap } = JSON.parse(
      readFileSync(join(data, "secrets.json"), "utf8"),
    );
    for (const path of ["manifest.json", "database.sqlite", "objects.jsonl"])
      for (const text of [secret, bootstrap])
        assert.ok(!readFileSync(join(archive.path, path)).includes(text), path);
  });

  test("again: only what is new is copied, and what is gone is removed", async () => {
    const before = new Set((await archive.verify()).lines.map(({ key }) => key));
    const extra = await read(another("extra"));
    const copied: string[] = [];
    class Watched extends LocalStore {
      override read(key: string) {
        copied.push(key);
        return super.read(key);
      }
    }
    await archive.take(new Watched(data), () => {});
    assert.ok(copied.some((key) => key.includes(extra.file_id)));
    assert.deepEqual(
      copied.filter((key) => before.has(key)),
      [],
    );
    assert.ok((await api.fetch(`/v1/files/${extra.file_id}`, { method: "DELETE" })).ok);
    await archive.take(new LocalStore(data), () => {});
    await remember();
    const { lines } = await archive.verify();
    assert.ok(!lines.some(({ key }) => key.includes(extra.file_id)));
    const contents = readdirSync(join(archive.path, "objects"), { recursive: true });
    const files = contents.filter((name) => /[0-9a-f]{64}$/.test(String(name)));
    assert.equal(files.length, new Set(lines.map(({ sha256 }) => sha256)).size);
  });

  test("a document that comes or goes meanwhile is in it as a whole or not at all", async () => {
    const [leaves, comes] = [await read(another("leaves")), { id: "" }];
    class Busy extends LocalStore {
      override async *objects() {
        await api.fetch(`/v1/files/${leaves.file_id}`, { method: "DELETE" });
        comes.id = await api.upload(another("comes"), "late.pdf");
        yield* super.objects();
      }
    }
    const other = new Archive(join(work, "busy"));
    const manifest = await other.take(new Busy(data), () => {});
    assert.equal(manifest.deleted_meanwhile, 1);
    const { lines } = await other.verify();
    const keys = lines.map(({ key }) => key).join("\n");
    assert.ok(keys.includes(invoice.file_id));
    assert.ok(!keys.includes(leaves.file_id) && !keys.includes(comes.id));
    const target = join(work, "of-busy");
    await restore(other, new LocalStore(target), quiet);
    const db = new Database(join(other.path, "database.sqlite"), true);
    assert.deepEqual(db.documentsWithout(new Set(lines.map(({ key }) => key))), []);
    db.close();
    await api.fetch(`/v1/files/${comes.id}`, { method: "DELETE" });
    await api.fetch(`/v1/jobs/${leaves.id}`, { method: "DELETE" });
  });

  test("interrupted: is no backup until it is finished, and does not start over", async () => {
    const other = new Archive(join(work, "interrupted"));
    let reads = 0;
    class Breaks extends LocalStore {
      override read(key: string) {
        if (++reads === 2) throw new Error("the connection broke");
        return super.read(key);
      }
    }
    await assert.rejects(
      other.take(new Breaks(data), () => {}),
      /the connection broke/,
    );
    await assert.rejects(
      other.verify(),
      /no manifest\.json: no backup, or one that was interrupted/,
    );
    reads = 2;
    await other.take(new Breaks(data), () => {});
    const contents = (await other.verify()).lines.length;
    assert.equal(reads - 2, contents - 1);
    await assert.rejects(
      new Archive(root).take(new LocalStore(data), () => {}),
      /is not a backup: it has/,
    );
  });

  test("is restored to an empty folder only, with the same secrets, and while no edge runs", async () => {
    await assert.rejects(
      restore(archive, new LocalStore(data), quiet),
      /is using .*: stop the edge first/,
    );
    await stop();
    await assert.rejects(
      restore(archive, new LocalStore(data), quiet),
      /not empty: it has a database/,
    );
    const empty = join(work, "other-secrets");
    mkdirSync(empty);
    writeFileSync(join(empty, "secrets.json"), JSON.stringify({ signing: "another secret" }));
    await assert.rejects(
      restore(archive, new LocalStore(empty), quiet),
      /SIGNING_SECRET is another one/,
    );
    assert.ok(!existsSync(join(empty, "v3")));
  });

  test("that is damaged or of a newer version is refused, and nothing is changed", async () => {
    const broken = join(work, "broken");
    const target = new LocalStore(join(work, "target-of-broken"));
    cpSync(archive.path, broken, { recursive: true });
    const [{ sha256 = "" } = {}] = (await archive.verify()).lines;
    writeFileSync(new Archive(broken).file(sha256), "changed");
    await assert.rejects(restore(new Archive(broken), target, quiet), /does not have its checksum/);
    rmSync(new Archive(broken).file(sha256));
    await assert.rejects(restore(new Archive(broken), target, quiet), /is missing/);
    assert.equal(await target.content(), null);
  });

  test("wiped and restored: the same answers, for the same key", async () => {
    rmSync(join(data, "v3"), { recursive: true });
    rmSync(join(data, "migrated"));
    await restore(archive, new LocalStore(data), quiet);
    await start(data);
    assert.deepEqual(await all(...Object.keys(answers)), answers);
    // The cache is restored too: the page is not read again.
    const again = await read(example("invoice.pdf"));
    assert.deepEqual(
      again.pages.map(({ source }) => source),
      ["hit"],
    );
    // And the edge goes on: new documents are read.
    await read(example("blank.pdf"));
  });

  test("--force replaces what is there", async () => {
    await stop();
    await restore(archive, new LocalStore(data), { ...quiet, force: true });
    await start(data);
    assert.deepEqual(await all(...Object.keys(answers)), answers);
  });

  test("moves between Cloudflare and a machine of one's own", async () => {
    const base = experimental_readRawConfig({ config: join(root, "wrangler.toml") })
      .rawConfig as RawConfig;
    const secrets = JSON.parse(readFileSync(join(data, "secrets.json"), "utf8"));
    /** A deployment whose D1 is the one of a data folder. */
    const deployment = (state: string): Folder => {
      const folder = new Folder(join(work, `deployment-${readdirSync(work).length}`));
      const account = "0123456789abcdef0123456789abcdef";
      const shared = { vars: {}, analytics: false, account };
      const pools = [{ name: "a", type: "cog", url: "https://gpu.acme-papers.com", slots: 4 }];
      const answers = {
        name: "fovea",
        origin: "https://a.acme-papers.com",
        models: ["pp-ocr"],
        pools,
        ...shared,
      };
      folder.keepAnswers(answers);
      folder.keptSecrets({ SIGNING_SECRET: secrets.signing });
      folder.keepConfig(deploymentConfig(base, answers, NO_DATABASE, relative(folder.path, root)));
      mkdirSync(join(folder.path, ".wrangler/state"), { recursive: true });
      symlinkSync(join(state, "v3"), join(folder.path, ".wrangler/state/v3"));
      return folder;
    };
    const wrangler = (args: string[], input?: string) =>
      wranglerProgram()(
        args.map((word) => (word === "--remote" ? "--local" : word)),
        input,
      );

    // From a deployment that runs …
    const settings = readFileSync(join(data, "edge.env"), "utf8");
    const endpoint = /R2_S3_ENDPOINT='(.*)'/.exec(settings)?.[1] as string;
    const keys = { accessKeyId: "local", secretAccessKey: secrets.storage };
    const source = new CloudflareStore({ folder: deployment(data), wrangler, endpoint, ...keys });
    const taken = new Archive(join(work, "of-cloudflare"));
    await taken.take(source, () => {});
    const lines = (archive: Archive) =>
      archive
        .verify()
        .then(({ lines }) =>
          lines.map(({ key, sha256, contentType }) => ({ key, sha256, contentType })),
        );
    const found = new Map((await lines(taken)).map((line) => [line.key, line]));
    // The sweep may have made bundles of pages meanwhile.
    for (const line of await lines(archive)) assert.deepEqual(found.get(line.key), line);
    await stop();

    // … to another one, that is empty …
    const moved = join(work, "moved");
    mkdirSync(join(moved, "v3"), { recursive: true });
    const port = await freePort();
    const r2 = new Miniflare(
      convertV4MiniflareOptions({
        modules: true,
        script: "export default { fetch: () => new Response() }",
        r2Buckets: { BUCKET: { id: "fovea", s3Credentials: keys } },
        resourcePersistencePath: join(moved, "v3"),
        port,
      }),
    );
    await r2.ready;
    const there = `http://127.0.0.1:${port}/cdn-cgi/local/r2/s3`;
    const target: Store = new CloudflareStore({
      folder: deployment(moved),
      wrangler,
      endpoint: there,
      ...keys,
    });
    await restore(taken, target, quiet);
    await assert.rejects(
      restore(taken, target, quiet),
      /cloudflare:fovea is not empty: its database has/,
    );
    await restore(taken, target, { ...quiet, force: true });
    await r2.dispose();

    // … whose records and files are then read by an edge.
    writeFileSync(join(moved, "secrets.json"), JSON.stringify(secrets));
    await start(moved);
    assert.deepEqual(await all(...Object.keys(answers)), answers);
    await read(example("blank.pdf"));
  });
});

async function collected(texts: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const text of texts) all.push(text);
  return all;
}

describe("SQL for D1", () => {
  test("long texts come in pieces, with quotes and characters whole", () => {
    const text = `it's ${"é😀'".repeat(2000)}`;
    const pieces = inPieces(`'${text.replaceAll("'", "''")}'`, 1000);
    assert.ok(pieces.length > 10 && pieces.every((piece) => Buffer.byteLength(piece) <= 1000));
    assert.equal(pieces.map((piece) => piece.slice(1, -1).replaceAll("''", "'")).join(""), text);
    assert.deepEqual(inPieces("X'00'", 2), ["X'00'"]);
  });

  test("a database goes through its statements unchanged: triggers, keys, long and odd values", () => {
    const work = mkdtempSync(join(tmpdir(), "fovea-sql-"));
    const [from, to] = [join(work, "from.sqlite"), join(work, "to.sqlite")];
    const folder = join(root, "src/edge/storage/migrations");
    const migrations = readdirSync(folder).sort();
    const sql = migrations.map((name) => readFileSync(join(folder, name), "utf8"));
    const long = `a;\n'${"x".repeat(200_000)}`;
    const rows = `
      CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE);
      INSERT INTO tenants (id, name, created_at) VALUES ('t', '${long.replaceAll("'", "''")}', 1);
      INSERT INTO d1_migrations (name) VALUES ('0001_init.sql');`;
    try {
      const db = new DatabaseSync(from);
      for (const text of [...sql, rows]) db.exec(text);
      db.close();
      const source = new Database(from);
      const target = new DatabaseSync(to);
      const statements = [...source.statements()];
      assert.ok(statements.every((statement) => Buffer.byteLength(statement) < 100_000));
      for (const statement of statements) target.exec(statement);
      const schema = (db: DatabaseSync) =>
        db.prepare("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").all();
      const again = new DatabaseSync(from, { readOnly: true });
      assert.deepEqual(schema(target), schema(again));
      for (const table of ["tenants", "d1_migrations", "sqlite_sequence"])
        assert.deepEqual(
          target.prepare(`SELECT * FROM ${table}`).all(),
          again.prepare(`SELECT * FROM ${table}`).all(),
        );
      for (const db of [target, again, source]) db.close();
    } finally {
      rmSync(work, { recursive: true });
    }
  });

  test("a dump is cut at the ends of its statements", async () => {
    const dump = [
      "PRAGMA defer_foreign_keys=TRUE;",
      "INSERT INTO a VALUES('one;",
      "two''s;');",
      "",
      "CREATE TRIGGER t AFTER INSERT ON a BEGIN",
      "  DELETE FROM a;",
      "END;",
    ].join("\n");
    const statements = await collected(statementsOf(Readable.from([dump])));
    assert.deepEqual(
      statements.map((text) => text.split("\n").length),
      [1, 2, 3],
    );
    await assert.rejects(
      collected(statementsOf(Readable.from(["INSERT INTO a VALUES('cut"]))),
      /not complete/,
    );
  });
});
