/**
 * bundle.ts FOLDER: writes what `wrangler deploy` would upload, and wrangler.toml as options of Miniflare, for edge.ts.
 * A process of its own, because Wrangler needs hundreds of megabytes and edge.ts runs for months.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unstable_getMiniflareWorkerOptions, unstable_readConfig } from "wrangler";

const root = join(import.meta.dirname, "..");
const folder = process.argv[2] as string;

mkdirSync(folder, { recursive: true });
const wrangler = join(root, "node_modules/wrangler/wrangler-dist/cli.js");
const deploy = [wrangler, "deploy", "--dry-run", "--outdir", folder];
execFileSync(process.execPath, ["--no-warnings", ...deploy], { cwd: root, stdio: "inherit" });
const config = unstable_readConfig({ config: join(root, "wrangler.toml") });
const { workerOptions } = unstable_getMiniflareWorkerOptions(config);
// `vars` alone: the other bindings may come from a `.dev.vars` that lies about.
const options = { ...workerOptions, name: config.name, bindings: config.vars };
writeFileSync(join(folder, "options.json"), JSON.stringify(options));
