/**
 * Makes docs/SETTINGS.md: the edge's settings from their schema and wrangler.toml, the worker's from the
 * docstrings of the modules that read them (settings_table.py compares these with the code), and those of
 * `npm start` from its help. `--check` fails when the page is not what the code says.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { SettingsSchema } from "../src/edge/settings.ts";

const root = join(import.meta.dirname, "..");
const page = join(root, "docs/SETTINGS.md");
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** Headings of the worker's tables, by module. */
const MODULES: Record<string, string> = {
  settings: "Every worker",
  supervisor: "The supervisor (`fovea.service.supervisor`)",
  pp_ocr: "`pp-ocr`",
  fovea_nano: "`fovea-nano`",
  deepseek_ocr: "`deepseek-ocr`",
  deepseek_ocr_2: "`deepseek-ocr-2`",
  unlimited_ocr: "`unlimited-ocr`",
  upstream: "`deepseek-ocr-upstream`",
  fovea_render: "`fovea-render`",
  packed_data: "Training (`fovea.train`)",
};

/** Variables of scripts that only maintainers run; their heads explain them. */
const MAINTENANCE = ["FOVEA_SHOTS"];

function edge(): string[] {
  const deployed = new Map(
    [...section(read("wrangler.toml"), "vars").matchAll(/^([A-Z0-9_]+) = "(.*?)"/gm)].map(
      ([, name, value]) => [name as string, value as string],
    ),
  );
  const known = Object.entries(SettingsSchema.shape);
  for (const name of deployed.keys())
    if (!(name in SettingsSchema.shape)) throw new Error(`wrangler.toml: ${name} is no setting.`);
  const rows = known.map(([name, schema]) => {
    const { description, unit } = (schema as z.ZodType).meta() ?? {};
    if (!description) throw new Error(`${name} has no description.`);
    const set = deployed.get(name);
    const fallback = defaultOf(schema, unit as string | undefined);
    const [value, kind] = sized(fallback, unit as string | undefined);
    const deployedValue = set === undefined ? "" : code(set);
    return `| \`${name}\` | ${value} | ${kind} | ${deployedValue} | ${description} |`;
  });
  return [
    "| name | default | unit | in `wrangler.toml` | meaning |",
    "|---|---|---|---|---|",
    ...rows,
  ];
}

/** The default as the schema states it: "required" without one, "–" where none is needed. */
function defaultOf(schema: z.core.$ZodType, unit: string | undefined): string {
  const parsed = schema._zod.run({ value: undefined, issues: [] }, { async: false });
  if (parsed instanceof Promise) throw new Error("a setting is read asynchronously");
  if (parsed.issues.length > 0) return "required";
  const { value } = parsed;
  if (value === undefined || value === "") return "–";
  if (typeof value === "number")
    return unit === "bytes" ? String(value) : value.toLocaleString("en");
  return code(typeof value === "object" ? JSON.stringify(value) : String(value));
}

function worker(): string[] {
  interface Row {
    names: string[];
    default: string;
    meaning: string;
  }
  const output = execFileSync(join(root, ".venv/bin/python"), ["scripts/settings_table.py"], {
    cwd: root,
    encoding: "utf8",
  });
  const modules = JSON.parse(output) as { module: string; rows: Row[] }[];
  const heads = Object.keys(MODULES);
  for (const { module } of modules)
    if (!heads.includes(module))
      throw new Error(`scripts/settings-table.ts: a heading for ${module}?`);
  modules.sort((a, b) => heads.indexOf(a.module) - heads.indexOf(b.module));
  return modules.flatMap(({ module, rows }) => [
    `### ${MODULES[module]}`,
    "",
    "| name | default | unit | meaning |",
    "|---|---|---|---|",
    ...rows.map((row) => {
      const [number, unit] = /^(\d+) (\S+)$/.exec(row.default)?.slice(1) ?? [];
      const [value, kind] = number ? sized(number, unit) : [row.default, ""];
      const names = row.names.map((name) => `\`${name}\``).join(", ");
      return `| ${names} | ${value} | ${kind} | ${row.meaning} |`;
    }),
    "",
  ]);
}

/** The variables that the help of `npm start` lists: `NAME   meaning (default)`. */
function local(): string[] {
  const help = read("scripts/start.mjs");
  const rows = [...help.matchAll(/^ {2}(FOVEA_\w+) +(.+?) \((.+)\)$/gm)].map(
    ([, name = "", meaning = "", fallback = ""]) => ({ name, meaning, fallback }),
  );
  const listed = [...rows.map(({ name }) => name), ...MAINTENANCE];
  for (const file of readdirSync(join(root, "scripts")).filter((name) => /\.m?[jt]s$/.test(name)))
    for (const [, name = ""] of read(`scripts/${file}`).matchAll(/process\.env\.(FOVEA_\w+)/g))
      if (!listed.includes(name))
        throw new Error(`scripts/${file} reads ${name}: not in the help.`);
  return [
    "| name | default | meaning |",
    "|---|---|---|",
    ...rows.map(({ name, meaning, fallback }) => `| \`${name}\` | ${fallback} | ${meaning} |`),
  ];
}

/** Bytes as MiB or GiB where that is exact. */
function sized(value: string, unit = ""): [string, string] {
  if (unit !== "bytes" || !/^\d+$/.test(value)) {
    const grouped = /^\d{4,}$/.test(value) ? Number(value).toLocaleString("en") : value;
    return [grouped, unit];
  }
  const [size, name] = Number(value) % 1024 ** 3 === 0 ? [1024 ** 3, "GiB"] : [1024 ** 2, "MiB"];
  return Number(value) % size === 0 ? [String(Number(value) / size), name] : [value, unit];
}

const code = (text: string) => (text === "" ? "empty" : `\`${text}\``);

function section(toml: string, name: string): string {
  return toml.split(`[${name}]\n`)[1]?.split(/^\[/m)[0] ?? "";
}

const text = `# Settings

This page is generated from the code: change the code, then run \`npm run settings\`. [LIMITS.md](LIMITS.md) explains
what happens at a limit, and [DEPLOY.md](DEPLOY.md) which settings a deployment needs. Sizes are set in bytes: 100 MiB
is \`104857600\`.

## Edge

Set these in \`wrangler.toml\` under \`[vars]\`, and secrets with \`wrangler secret put NAME\`.

${edge().join("\n")}

## Worker

Set these in the environment of the worker.

${worker().join("\n")}
## Local stack

\`npm start\` reads these from its environment. It also passes the worker's settings on to its worker.

${local().join("\n")}
`;

if (process.argv.includes("--check")) {
  if (readFileSync(page, "utf8") !== text) {
    console.error("docs/SETTINGS.md is not what the code says: run `npm run settings`.");
    process.exitCode = 1;
  }
} else writeFileSync(page, text);
