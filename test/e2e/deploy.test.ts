/**
 * `npm run deploy`. Cloudflare is a stand-in for the program `wrangler` (wrangler-stand-in.mjs), which keeps an account in a
 * file; the edge behind the new address is the real one of these tests, and reads a real page. `wrangler deploy --dry-run`
 * is Wrangler itself.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { experimental_readRawConfig } from "wrangler";
import { Folder } from "../../scripts/deploy/folder.ts";
import {
  type Answers,
  deploymentConfig,
  faultsOf,
  MADE_SECRETS,
  type RawConfig,
  varsOf,
} from "../../scripts/deploy/settings.ts";
import { type Deployment, deploy } from "../../scripts/deploy/steps.ts";
import { wranglerProgram } from "../../scripts/deploy/wrangler.ts";
import { SettingsSchema } from "../../src/edge/settings.ts";
import { stack } from "./support.ts";

const root = join(import.meta.dirname, "../..");
const base = experimental_readRawConfig({ config: join(root, "wrangler.toml") })
  .rawConfig as RawConfig;

const ANSWERS: Answers = {
  name: "fovea",
  origin: "https://ocr.acme-papers.com",
  pools: [{ name: "cog-1", type: "cog", url: "https://gpu.acme-papers.com", slots: 4 }],
  models: ["pp-ocr", "fovea-render"],
  vars: {},
  analytics: true,
};

describe("the answers", () => {
  const faults = (change: Partial<Answers>) => faultsOf({ ...ANSWERS, ...change }).join("\n");

  test("are accepted as they should be", () => assert.equal(faults({}), ""));

  test("placeholders and addresses that Cloudflare cannot reach are refused, each with its reason", () => {
    for (const [origin, reason] of [
      ["", /--origin is missing/],
      ["http://ocr.acme-papers.com", /begin with https/],
      ["https://127.0.0.1:8787", /this machine or network/],
      ["https://[::1]", /this machine or network/],
      ["https://10.0.0.7", /this machine or network/],
      ["https://8.8.8.8", /not an IP address/],
      ["https://localhost", /placeholder/],
      ["https://ocr.example.com", /placeholder/],
      ["https://ocr", /this machine or network only/],
      ["https://ocr.acme-papers.com/api", /no path/],
      ["ocr.acme-papers.com", /not an address/],
    ] as const)
      assert.match(faults({ origin }), reason, origin);
    const pool = (url: string) => ({ pools: [{ name: "a", type: "cog", url, slots: 4 }] });
    assert.match(faults({ pools: [] }), /no pool/);
    assert.match(faults(pool("http://127.0.0.1:5000")), /https[\s\S]*this machine/);
    assert.match(faults(pool("https://gpu-1.example.com")), /placeholder/);
    assert.match(faults({ pools: [{ name: "a", type: "cog", slots: 4 }] }), /pools: 0\.url/);
    assert.match(faults({ models: [] }), /--models is missing/);
    assert.match(
      faults({ pools: [{ ...(ANSWERS.pools[0] as object), models: ["pp-ocr"] }] }),
      /no pool offers fovea-render/,
    );
    const many = Array.from({ length: 99 }, (_, n) => ({
      ...(ANSWERS.pools[0] as object),
      name: `p${n}`,
    }));
    assert.match(faults({ pools: many }), /POOLS is longer than 5120 bytes/);
    assert.match(faults({ name: "Fovea" }), /lower-case/);
    assert.match(faults({ vars: { NO_SUCH: "1" } }), /no such setting/);
    assert.match(faults({ vars: { START_S: "soon" } }), /wrong value/);
    assert.match(faults({ vars: { ALLOW_LOOPBACK: "true" } }), /flag of its own/);
    assert.match(
      faults({ pools: [{ name: "r", type: "replicate", deployment: "a/b", slots: 4 }] }),
      /REPLICATE_API_TOKEN is needed/,
    );
  });

  test("become settings that the edge accepts", () => {
    const secrets = { SIGNING_SECRET: "x".repeat(32) };
    const vars = { ...base.vars, ...varsOf({ ...ANSWERS, vars: { START_S: "600" } }), ...secrets };
    assert.equal(SettingsSchema.parse(vars).START_S, 600);
  });

  test("name everything that is unique in an account, and nothing of wrangler.toml is lost", () => {
    const config = deploymentConfig(base, { ...ANSWERS, name: "papers" }, "id", "../..");
    assert.equal(config.main, "../../src/edge/index.ts");
    assert.deepEqual(config.routes, [{ pattern: "ocr.acme-papers.com", custom_domain: true }]);
    assert.doesNotMatch(
      JSON.stringify([config.workflows, config.r2_buckets, config.d1_databases]),
      /fovea/,
    );
    for (const section of Object.keys(base)) assert.ok(config[section], section);
    const plain = deploymentConfig(base, { ...ANSWERS, analytics: false }, "id", "../..");
    assert.equal(plain.analytics_engine_datasets, undefined);
    const shared = { ...ANSWERS, origin: "https://fovea.acme.workers.dev" };
    assert.equal(deploymentConfig(base, shared, "id", "../..").workers_dev, true);
    assert.throws(
      () => deploymentConfig({ ...base, queues: {} }, ANSWERS, "id", "../.."),
      /\[queues\], which scripts\/deploy does not set up/,
    );
  });
});

interface StandIn {
  id: string;
  loggedIn: boolean;
  accounts?: { id: string; name: string }[];
  workers: Record<
    string,
    { secrets: Record<string, string>; deployments: number; config?: RawConfig }
  >;
  databases: Record<string, { uuid: string; migrated: number }>;
  buckets: string[];
  faults: Record<string, { what: string; message: string; code: number; after?: boolean }>;
  calls: { args: string[]; input: string }[];
}

describe("a deployment", () => {
  const work = mkdtempSync(join(tmpdir(), "fovea-deploy-"));
  after(() => rmSync(work, { recursive: true, force: true }));

  const file = join(work, "account.json");
  const account = (): StandIn => JSON.parse(readFileSync(file, "utf8"));
  const change = (changes: Partial<StandIn>) =>
    writeFileSync(file, JSON.stringify({ ...account(), ...changes }));
  const fault = (command: string, message: string, code: number, after = false) =>
    change({ faults: { [command]: { what: "workers", message, code, after } } });
  let folder: Folder;
  let said: string[];
  let runs = 0;

  beforeEach(() => {
    process.env.FOVEA_STAND_IN = file;
    const fresh: StandIn = {
      id: "0123456789abcdef0123456789abcdef",
      loggedIn: true,
      workers: {},
      databases: {},
      buckets: [],
      faults: {},
      calls: [],
    };
    writeFileSync(file, JSON.stringify(fresh));
    folder = new Folder(join(work, `deployment-${++runs}`));
    said = [];
  });

  const run = (changes: Partial<Deployment> = {}) =>
    deploy({
      answers: folder.answers() ?? structuredClone(ANSWERS),
      folder,
      base,
      wrangler: wranglerProgram(join(import.meta.dirname, "wrangler-stand-in.mjs")),
      say: (line) => said.push(line),
      reach: stack.origin,
      patienceMs: 5000,
      ...changes,
    });
  /** The edge of these tests has a bootstrap secret already. */
  const withBootstrap = () => {
    folder.keptSecrets({ BOOTSTRAP_SECRET: stack.bootstrapSecret });
    return folder.secrets() as Record<string, string>;
  };
  const commands = () => account().calls.map(({ args }) => args.slice(0, 3).join(" "));

  /** What has to hold on Cloudflare once a deployment has succeeded, whatever went wrong before. */
  function assertDeployed(): void {
    const { workers, databases, buckets } = account();
    const secrets = folder.secrets() as Record<string, string>;
    assert.deepEqual(Object.keys(workers), ["fovea"]);
    assert.deepEqual(Object.keys(databases), ["fovea"]);
    assert.deepEqual(buckets, ["fovea"]);
    assert.deepEqual(workers.fovea?.secrets, secrets);
    const config = workers.fovea?.config as RawConfig;
    const [database] = config.d1_databases as { database_id: string }[];
    assert.equal(database?.database_id, databases.fovea?.uuid);
    assert.equal(config.vars?.PUBLIC_ORIGIN, ANSWERS.origin);
    assert.equal(folder.state().read, ANSWERS.origin);
  }

  test("fresh: everything is made, before the deploy; the secrets are for their owner only and on no command line", async () => {
    const secrets = withBootstrap();
    const { key } = await run();
    assertDeployed();
    assert.match(key, /^fov_/);
    for (const name of MADE_SECRETS) assert.ok((secrets[name] as string).length >= 24, name);
    const order = commands();
    assert.ok(
      order.findIndex((line) => line.startsWith("d1 migrations")) <
        order.indexOf(`deploy --config ${folder.config}`),
    );
    for (const path of [folder.secretsFile, folder.keyFile])
      assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(folder.path).mode & 0o777, 0o700);
    const lines = JSON.stringify([account().calls.map(({ args }) => args), said]);
    for (const secret of [...Object.values(secrets), key]) assert.ok(!lines.includes(secret));
  });

  test("repeated: nothing is made again, no secret and no key changes, code and settings are deployed", async () => {
    withBootstrap();
    const first = await run();
    const secrets = folder.secrets();
    change({ calls: [] });
    assert.deepEqual(await run(), first);
    assertDeployed();
    assert.deepEqual(folder.secrets(), secrets);
    assert.ok(!commands().some((line) => /create|secret bulk/.test(line)), commands().join("\n"));
    assert.equal(account().workers.fovea?.deployments, 2);
    await run({ given: { EXTRACT_KEY: "of-a-provider" } });
    assert.equal(account().workers.fovea?.secrets.EXTRACT_KEY, "of-a-provider");
    assertDeployed();
  });

  test("interrupted at any command, before or after its effect: the next run goes on", async () => {
    // Each takes seconds, so a command fails before its effect or after it; reads have none.
    const before = ["secret list", "d1 list", "r2 bucket create", "d1 migrations apply"];
    const behind = ["d1 create", "secret bulk", "deploy"];
    for (const after of [false, true])
      for (const command of after ? behind : before) {
        folder = new Folder(join(work, `deployment-${++runs}`));
        change({ workers: {}, databases: {}, buckets: [] });
        const secrets = withBootstrap();
        fault(command, "Internal server error", 10013, after);
        await assert.rejects(run(), /Internal server error/, command);
        await run();
        assertDeployed();
        assert.deepEqual(folder.secrets(), secrets, command);
      }
  });

  test("interrupted after the deploy: the edge that does not answer, the key that was lost", async () => {
    withBootstrap();
    await assert.rejects(
      run({ reach: "http://127.0.0.1:9", patienceMs: 0 }),
      /The Worker is deployed\. .* run this again/,
    );
    await run();
    rmSync(folder.keyFile);
    const { key } = await run();
    assert.equal(folder.key()?.key, key);
    assertDeployed();
  });

  test("a page that is not read: says why, and what the worker needs", async () => {
    withBootstrap();
    const answers = { ...structuredClone(ANSWERS), vars: {} };
    await stack.worker.stop();
    try {
      await assert.rejects(
        run({ answers, readMs: 2000 }),
        /could not be read with pp-ocr: the job is (queued|running)[\s\S]*WEBHOOK_AUTH_TOKEN=[\s\S]*run this again/,
      );
    } finally {
      await stack.worker.start();
    }
    await run();
    assertDeployed();
  });

  test("not logged in, another account, several accounts: nothing is made", async () => {
    change({ loggedIn: false });
    await assert.rejects(run(), /Nobody is logged in: `npx wrangler login`/);
    const both = [
      { id: "a".repeat(32), name: "Mine" },
      { id: "b".repeat(32), name: "Theirs" },
    ];
    change({ loggedIn: true, accounts: both });
    await assert.rejects(run(), /several accounts[\s\S]*--account[\s\S]*Mine[\s\S]*Theirs/);
    await assert.rejects(
      run({ answers: { ...structuredClone(ANSWERS), account: "c".repeat(32) } }),
      /does not reach the account c/,
    );
    assert.deepEqual([account().databases, account().buckets, account().workers], [{}, [], {}]);
    assert.ok(!existsSync(folder.secretsFile));
  });

  test("a name that is taken is left alone, unless it is taken over", async () => {
    const other = { secrets: {}, deployments: 7 };
    const takes: [string, Partial<StandIn>][] = [
      ["Worker fovea", { workers: { fovea: other } }],
      ["D1 database fovea", { workers: {}, databases: { fovea: { uuid: "other", migrated: 3 } } }],
      ["R2 bucket fovea", { workers: {}, databases: {}, buckets: ["fovea"] }],
    ];
    for (const [what, taken] of takes) {
      folder = new Folder(join(work, `deployment-${++runs}`));
      change(taken);
      await assert.rejects(run(), new RegExp(`already has a ${what}.*--name.*--adopt`), what);
      assert.ok(!commands().some((line) => /^(deploy|secret bulk)/.test(line)));
    }
    change({ databases: { fovea: { uuid: "8f0e0d1c", migrated: 3 } } });
    withBootstrap();
    await run({ adopt: true });
    assertDeployed();
  });

  test("a Worker whose secrets are lost here is not given new ones", async () => {
    withBootstrap();
    await run();
    rmSync(folder.secretsFile);
    const { secrets } = account().workers.fovea as { secrets: object };
    await assert.rejects(run(), /secrets\.json is missing[\s\S]*Put the file back/);
    assert.deepEqual(account().workers.fovea?.secrets, secrets);
    assert.ok(!existsSync(folder.secretsFile));
  });

  test("what an account lacks is said in words", async () => {
    const cases: [string, string, number, RegExp][] = [
      ["r2 bucket list", "Please enable R2 through the Cloudflare Dashboard.", 10042, /Enable R2/],
      [
        "secret bulk",
        "Internal server error",
        10013,
        /The secrets could not be stored:\n.*code: 10013/s,
      ],
      ["deploy", "You need to enable Analytics Engine.", 10089, /--no-analytics/],
      [
        "deploy",
        "Workflows are not available on your plan. Upgrade to Workers Paid.",
        10199,
        /plan does not have/,
      ],
      ["d1 migrations apply", "Authentication error", 10000, /lacks a permission/],
    ];
    withBootstrap();
    for (const [command, message, code, words] of cases) {
      fault(command, message, code);
      await assert.rejects(run(), words, command);
    }
    await run();
    assertDeployed();
  });
});

describe("npm run deploy -- --dry-run", () => {
  const script = (...args: string[]) =>
    spawnSync(process.execPath, ["--no-warnings", join(root, "scripts/deploy.ts"), ...args], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, EXTRACT_KEY: "key-of-a-provider" },
    });
  const name = `dry-run-${process.pid}`;
  const folder = new Folder(join(root, "deployments", name));
  const flags = [
    "--name",
    name,
    "--origin",
    ANSWERS.origin,
    "--pool-url",
    "https://gpu.acme-papers.com",
  ];
  after(() => rmSync(folder.path, { recursive: true, force: true }));

  test("builds the Worker with the settings, shows every step and no secret, and leaves nothing", () => {
    mkdirSync(folder.path, { recursive: true });
    const secrets = folder.keptSecrets({});
    const { status, stdout, stderr } = script(
      ...[
        ...flags,
        "--models",
        "pp-ocr",
        "--var",
        "START_S=600",
        "--secret",
        "EXTRACT_KEY",
        "--dry-run",
      ],
    );
    assert.equal(status, 0, stderr);
    for (const step of [
      "d1 create",
      "r2 bucket create",
      "secret bulk",
      "migrations apply",
      "deploy",
    ])
      assert.match(stdout, new RegExp(`wrangler .*${step}`), step);
    assert.match(stdout, /env\.PUBLIC_ORIGIN \("https:\/\/ocr\.acme-papers\.com"\)/);
    assert.match(stdout, /env\.START_S \("600"\)/);
    assert.match(stdout, /--dry-run: exiting now/);
    for (const secret of [...Object.values(secrets), "key-of-a-provider"])
      assert.ok(!stdout.includes(secret) && !stderr.includes(secret));
    assert.ok(!existsSync(folder.config));
    assert.equal(
      execFileSync("git", ["status", "--short", "deployments"], { cwd: root, encoding: "utf8" }),
      "",
    );
  });

  test("a mistake in the answers is status 2, in words", () => {
    const { status, stderr } = script(
      "--name",
      name,
      "--origin",
      "https://ocr.example.com",
      "--dry-run",
    );
    assert.equal(status, 2);
    assert.match(stderr, /placeholder[\s\S]*no pool[\s\S]*--models is missing/);
    assert.equal(script("--no-such-flag").status, 2);
    assert.equal(script(...flags, "--secret", "PATH", "--dry-run").status, 2);
  });
});
