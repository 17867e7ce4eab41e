/**
 * A stand-in for the program `wrangler`, for tests of `npm run deploy` without Cloudflare. It keeps an account in the JSON
 * file `FOVEA_STAND_IN`, notes every call in it, and answers in the formats of wrangler 4.156.2. `faults` of that file maps
 * a command to what goes wrong with its next call: an error of the API, before or after it has had its effect.
 *
 * The formats were read in Wrangler's source; that of the errors of the API in its function `throwFetchError`.
 */
import { readFileSync, writeFileSync } from "node:fs";

const path = process.env.FOVEA_STAND_IN;
const account = JSON.parse(readFileSync(path, "utf8"));
const args = process.argv.slice(2);
const flag = args.indexOf("--config");
const config = flag < 0 ? undefined : JSON.parse(readFileSync(args[flag + 1], "utf8"));
const words = args.filter((word, n) => !word.startsWith("--") && args[n - 1] !== "--config");
const input = process.stdin.isTTY ? "" : readFileSync(0, "utf8");
/** Such as `d1 migrations apply`. */
const command = Object.keys(commands()).find((name) => words.join(" ").startsWith(name));

account.calls.push({ args, input, config });
const save = () => writeFileSync(path, JSON.stringify(account));
const banner = () => console.log(" ⛅️ wrangler 4.156.2\n───────────────────");

function fail(message) {
  save();
  console.error(
    `\n\u001b[31m✘ \u001b[41;31m[\u001b[41;97mERROR\u001b[41;31m]\u001b[0m ${message}\n`,
  );
  console.error('🪵  Logs were written to "/dev/null"');
  process.exit(1);
}

const apiError = (what, message, code) =>
  fail(
    `A request to the Cloudflare API (/accounts/${account.id}/${what}) failed.\n\n  ${message} [code: ${code}]\n\n` +
      "  If you think this is a bug, please open an issue at:\n  https://github.com/cloudflare/workers-sdk/issues/new/choose",
  );

function commands() {
  return {
    whoami() {
      if (!account.loggedIn) {
        console.log('\n{"loggedIn":false}');
        save();
        process.exit(1);
      }
      const accounts = account.accounts ?? [{ id: account.id, name: "Someone's Account" }];
      const user = { loggedIn: true, authType: "OAuth Token", email: "someone@mail.org", accounts };
      console.log(JSON.stringify({ ...user, tokenPermissions: ["account:read"] }, null, 2));
    },
    "secret list"() {
      const worker = account.workers[config.name];
      if (!worker)
        fail(
          `Worker "${config.name}" not found.\n\n  If this is a new Worker, run \`wrangler deploy\` first to create it.\n` +
            "  Otherwise, check that the Worker name is correct and you're logged into the right account.",
        );
      const names = Object.keys(worker.secrets);
      console.log(
        JSON.stringify(
          names.map((name) => ({ name, type: "secret_text" })),
          null,
          "  ",
        ),
      );
    },
    "secret bulk"() {
      banner();
      console.log(`🌀 Processing the secrets for the Worker "${config.name}"`);
      if (!account.workers[config.name]) console.log(`🌀 Creating new Worker "${config.name}"...`);
      account.workers[config.name] ??= { secrets: {}, deployments: 0 };
      Object.assign(account.workers[config.name].secrets, JSON.parse(input));
      for (const name of Object.keys(JSON.parse(input)))
        console.log(`✨ Successfully created secret for key: ${name}`);
    },
    "d1 list"() {
      const listed = Object.entries(account.databases).map(([name, { uuid }]) => ({
        uuid,
        name,
        created_at: "2026-11-01T00:00:00.000Z",
        version: "production",
        num_tables: 0,
        file_size: 12288,
      }));
      console.log(JSON.stringify(listed, null, 2));
    },
    "d1 create"() {
      banner();
      const [, , name] = words;
      if (account.databases[name]) fail("A database with that name already exists");
      const uuid = `8f0e0d1c-0000-4000-8000-00000000000${Object.keys(account.databases).length + 1}`;
      account.databases[name] = { uuid, migrated: 0 };
      console.log(
        `✅ Successfully created DB '${name}' in region WEUR\nCreated your new D1 database.\n`,
      );
    },
    "d1 migrations apply"() {
      banner();
      const [binding] = config.d1_databases;
      const database = Object.values(account.databases).find(
        ({ uuid }) => uuid === binding.database_id,
      );
      if (!database)
        apiError(
          `d1/database/${binding.database_id}/query`,
          "The database could not be found",
          7404,
        );
      database.migrated++;
      console.log(
        database.migrated > 1 ? "✅ No migrations to apply!" : "Migrations to be applied:",
      );
    },
    "r2 bucket list"() {
      banner();
      console.log("Listing buckets...");
      const created = "creation_date:  2026-11-01T00:00:00.000Z";
      console.log(
        account.buckets.map((name) => `name:           ${name}\n${created}`).join("\n\n"),
      );
    },
    "r2 bucket create"() {
      banner();
      const [, , , name] = words;
      console.log(`Creating bucket '${name}'...`);
      if (account.buckets.includes(name))
        apiError(
          "r2/buckets",
          "The bucket you tried to create already exists, and you own it.",
          10004,
        );
      account.buckets.push(name);
      console.log(`✅ Created bucket '${name}' with default storage class of Standard.`);
    },
    deploy() {
      banner();
      account.workers[config.name] ??= { secrets: {}, deployments: 0 };
      account.workers[config.name].deployments++;
      account.workers[config.name].config = config;
      console.log(
        `Uploaded ${config.name} (3.21 sec)\nDeployed ${config.name} triggers (0.42 sec)`,
      );
      console.log("Current Version ID: 6f1b1d9c-0000-4000-8000-000000000000");
    },
  };
}

if (!command) fail(`Unknown command: ${words.join(" ")}`);
const fault = account.faults[command];
delete account.faults[command];
if (fault && !fault.after) apiError(fault.what, fault.message, fault.code);
commands()[command]();
if (fault) apiError(fault.what, fault.message, fault.code);
save();
