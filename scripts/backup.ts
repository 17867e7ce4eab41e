/**
 * `npm run backup` and `npm run restore` (docs/SELF-HOSTING.md, docs/DEPLOY.md): records and files of an edge, from and to a
 * folder. What a backup is: backup/archive.ts.
 */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Archive, type Manifest, restore } from "./backup/archive.ts";
import { LocalStore } from "./backup/local.ts";
import { BackupError, type Store } from "./backup/store.ts";

const HELP = `Usage: npm run backup  -- STORE FOLDER      takes a backup, or brings the one in FOLDER up to date
       npm run backup  -- --verify FOLDER   compares a backup with its checksums
       npm run restore -- FOLDER STORE      brings a backup into an empty store

STORE is the data folder of an edge on this machine (.data), or cloudflare:NAME for what npm run deploy has made in
deployments/NAME. A backup is taken while the edge runs; on this machine a restore needs it stopped.

  --force           restore: replaces everything in a store that is not empty
  --other-secrets   restore: although SIGNING_SECRET is another one than when the backup was taken
  --settings FILE   settings of the edge, for its SIGNING_SECRET (edge.env in the data folder)
  --endpoint URL    Cloudflare: R2's S3 interface (that of the account)
  --help

Cloudflare: R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY in the environment, or as secrets of the deployment.
A backup has no secrets. Keep them along: without SIGNING_SECRET, passwords of waiting documents and stored responses
cannot be opened, and webhook secrets, receipts and browser tokens change. API keys work without it.

Exit status: 0 done, 1 failed, 2 a mistake in the command line.
`;

const root = join(import.meta.dirname, "..");
const say = (line: string) => console.error(`backup: ${line}`);

const parse = (args: string[]) =>
  parseArgs({
    args,
    allowPositionals: true,
    options: {
      force: { type: "boolean", default: false },
      "other-secrets": { type: "boolean", default: false },
      verify: { type: "boolean", default: false },
      settings: { type: "string" },
      endpoint: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
type Flags = ReturnType<typeof parse>["values"];

async function storeOf(text: string, flags: Flags): Promise<Store> {
  const [, name] = /^cloudflare:(.+)$/.exec(text) ?? [];
  if (!name) return new LocalStore(resolve(text), flags.settings);
  const [{ CloudflareStore }, { Folder }, { wranglerProgram }] = await Promise.all([
    import("./backup/cloudflare.ts"),
    import("./deploy/folder.ts"),
    import("./deploy/wrangler.ts"),
  ]);
  const folder = new Folder(join(root, "deployments", name));
  const { R2_ACCESS_KEY_ID: id, R2_SECRET_ACCESS_KEY: secret } = {
    ...folder.secrets(),
    ...process.env,
  };
  if (!id || !secret)
    throw new BackupError(
      "R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY are needed: an R2 API token for this bucket, made in the dashboard.",
    );
  return new CloudflareStore({
    folder,
    wrangler: wranglerProgram(),
    endpoint: flags.endpoint,
    accessKeyId: id,
    secretAccessKey: secret,
  });
}

const summary = ({ created_at, source, database, objects }: Manifest) =>
  `${source} at ${created_at}: database of ${database.bytes} bytes (${database.migration}), ` +
  `${objects.count} objects of ${objects.bytes} bytes`;

async function main(): Promise<void> {
  const [verb, ...args] = process.argv.slice(2);
  const { values: flags, positionals } = parse(args);
  if (flags.help) return void process.stdout.write(HELP);
  const [from, to, more] = positionals;
  if (!from || more || (flags.verify ? to : !to)) {
    process.stderr.write(HELP);
    process.exitCode = 2;
    return;
  }
  if (flags.verify) {
    const { manifest } = await new Archive(resolve(from)).verify();
    return console.log(`good: ${summary(manifest)}`);
  }
  const store = await storeOf((verb === "backup" ? from : to) as string, flags);
  try {
    if (verb === "backup") {
      const manifest = await new Archive(resolve(to as string)).take(store, say);
      console.log(`backed up ${summary(manifest)}`);
      if (manifest.deleted_meanwhile > 0)
        say(`${manifest.deleted_meanwhile} documents were deleted meanwhile and are not in it`);
      say("keep the secrets along; they are not in the backup");
    } else {
      const { force, "other-secrets": otherSecrets } = flags;
      const archive = new Archive(resolve(from));
      console.log(
        `restored ${summary(await restore(archive, store, { force, otherSecrets, say }))}`,
      );
    }
  } finally {
    await store.close();
  }
}

try {
  await main();
} catch (error) {
  const { name, code, message } = error as Error & { code?: string };
  const usage = code?.startsWith("ERR_PARSE_ARGS");
  if (!(error instanceof BackupError) && name !== "DeployError" && !usage) throw error;
  console.error(message);
  process.exitCode = usage ? 2 : 1;
}
