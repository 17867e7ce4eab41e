/**
 * Makes the settings of the containers (compose.yaml): `edge.env` for the edge, and the token of the worker, each in a
 * volume of its own. Secrets are made once and kept. Settings come from the environment: `FOVEA_PUBLIC_ORIGIN`,
 * `FOVEA_MODELS`, `FOVEA_SLOTS`, and every setting of docs/SETTINGS.md by its name.
 *
 *   node scripts/container-settings.ts --edge DIR --worker DIR [--secrets]
 *
 * `--secrets` prints the secrets and changes nothing.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SettingsSchema } from "../src/edge/settings.ts";

const MADE = ["BOOTSTRAP_SECRET", "SIGNING_SECRET", "WORKER_TOKEN"];
/** Decided by compose.yaml, not by the environment. */
const FIXED = ["PUBLIC_ORIGIN", "WORKER_ORIGIN", "POOLS", "MODELS", "DEFAULT_MODEL"];
const FORBIDDEN = ["ALLOW_LOOPBACK"];

/** What the edge gets. @throws Error with everything that is wrong, in words */
export function containerSettings(
  env: Record<string, string | undefined>,
  secrets: Record<string, string>,
): Record<string, string> {
  const origin = env.FOVEA_PUBLIC_ORIGIN || "http://localhost:8787";
  const { protocol, hostname, pathname } = URL.parse(origin) ?? {};
  const here = protocol === "http:" && /^(localhost|127\.0\.0\.1)$/.test(hostname ?? "");
  if ((protocol !== "https:" && !here) || pathname !== "/")
    throw new Error(
      `FOVEA_PUBLIC_ORIGIN is ${origin}: an origin such as https://ocr.your-domain.org, or nothing for a trial on this machine.`,
    );
  const forbidden = FORBIDDEN.filter((name) => env[name]);
  if (forbidden.length > 0) throw new Error(`${forbidden}: not in a container.`);
  const models = env.FOVEA_MODELS || "pp-ocr,fovea-nano,fovea-render";
  const slots = Number(env.FOVEA_SLOTS || 4);
  const own = Object.keys(SettingsSchema.shape).filter(
    (name) => env[name] && !FIXED.includes(name) && !MADE.includes(name),
  );
  const settings = {
    ...Object.fromEntries(own.map((name) => [name, env[name] as string])),
    ...secrets,
    PUBLIC_ORIGIN: new URL(origin).origin,
    WORKER_ORIGIN: "http://edge:8787",
    POOLS: JSON.stringify([{ name: "worker", type: "cog", url: "http://worker:5000", slots }]),
    MODELS: models,
    DEFAULT_MODEL: models.split(",")[0] as string,
  };
  const { error } = SettingsSchema.safeParse(settings);
  if (error)
    throw new Error(
      error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("\n"),
    );
  const quoted = Object.entries(settings).filter(([, value]) => /['\n]/.test(value));
  if (quoted.length > 0)
    throw new Error(`${quoted.map(([name]) => name)}: has a quote or a line end.`);
  return settings;
}

function keptSecrets(path: string): Record<string, string> {
  const made = Object.fromEntries(
    MADE.map((name) => [name, randomBytes(32).toString("base64url")]),
  );
  return { ...made, ...(existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {}) };
}

function write(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function main(): void {
  const { values } = parseArgs({
    options: {
      edge: { type: "string", default: "/run/fovea/edge" },
      worker: { type: "string", default: "/run/fovea/worker" },
      secrets: { type: "boolean", default: false },
    },
  });
  const path = join(values.edge, "secrets.json");
  if (values.secrets) return void process.stdout.write(readFileSync(path, "utf8"));
  const secrets = keptSecrets(path);
  const settings = containerSettings(process.env, secrets);
  write(path, `${JSON.stringify(secrets, null, 2)}\n`);
  const lines = Object.entries(settings).map(([name, value]) => `${name}='${value}'\n`);
  write(join(values.edge, "edge.env"), lines.join(""));
  write(join(values.worker, "token"), secrets.WORKER_TOKEN as string);
  console.log(`settings for ${settings.PUBLIC_ORIGIN}, models ${settings.MODELS}`);
}

if (import.meta.main) {
  try {
    main();
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
