/** `fovea keys`: needs a key with the scope `admin`, or the bootstrap secret to create the first key. */
import type { NewApiKey } from "../index.ts";
import { type Command, noArgs, onlyArg, wholeNumber } from "./command.ts";
import { UsageError } from "./errors.ts";
import { print, printJson, printTable } from "./output.ts";

export const keys: Command[] = [
  {
    name: "keys list",
    summary: "List all keys of the tenant",
    async run(input) {
      noArgs(input);
      const all = [];
      for await (const key of input.fovea().keys.all()) all.push(key);
      if (input.has("json")) printJson(all);
      else
        printTable(
          ["KEY", "NAME", "ENDS IN", "SCOPES", "LAST USED", "REVOKED"],
          all.map((key) => [
            key.id,
            key.name,
            key.hint,
            key.scopes.join(","),
            key.last_used_at,
            key.revoked_at,
          ]),
        );
      return 0;
    },
  },
  {
    name: "keys create",
    summary: "Create a key and print it; it is not shown again",
    options: {
      name: { value: "TEXT", help: "a name for the key" },
      scopes: {
        value: "LIST",
        help: "read, write, webhooks, buckets, admin, separated by commas (read,write)",
      },
      environment: { value: "NAME", help: "live or test (live)", choices: ["live", "test"] },
      tenant: { value: "NAME", help: "the key's tenant; only with the bootstrap secret as --key" },
      expires: { value: "TIME", help: "ISO 8601 time (never)" },
      rate: { value: "N", help: "requests per minute" },
      "monthly-pages": { value: "N", help: "pages per month" },
      "concurrent-jobs": { value: "N", help: "open jobs at a time" },
    },
    async run(input) {
      noArgs(input);
      const expires = input.value("expires");
      if (expires !== undefined && Number.isNaN(Date.parse(expires)))
        throw new UsageError("--expires is a time such as 2030-01-31T12:00:00Z.");
      const created = await input.fovea().keys.create({
        name: input.value("name"),
        scopes: input.value("scopes")?.split(",") as NewApiKey["scopes"],
        environment: input.value("environment") as NewApiKey["environment"],
        tenant: input.value("tenant"),
        expires_at: expires && new Date(expires).toISOString(),
        rate_per_minute: wholeNumber(input, "rate"),
        monthly_pages: wholeNumber(input, "monthly-pages"),
        concurrent_jobs: wholeNumber(input, "concurrent-jobs"),
      });
      if (input.has("json")) printJson(created);
      else print(created.key);
      return 0;
    },
  },
  {
    name: "keys rotate",
    args: "KEY-ID",
    summary: "Replace a key and print the new one; the old key stays valid for a while",
    options: { overlap: { value: "SECONDS", help: "how long the old key stays valid (86400)" } },
    async run(input) {
      const id = onlyArg(input, "key id");
      const overlapS = wholeNumber(input, "overlap");
      const created = await input.fovea().keys.rotate(id, { overlapS });
      if (input.has("json")) printJson(created);
      else print(created.key);
      return 0;
    },
  },
  {
    name: "keys revoke",
    args: "KEY-ID",
    summary: "Revoke a key immediately",
    async run(input) {
      await input.fovea().keys.revoke(onlyArg(input, "key id"));
      return 0;
    },
  },
];
