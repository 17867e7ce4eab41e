/** The console in Chromium, against the real stack. Each test has an account of its own. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import type { BrowserContextOptions, Page } from "playwright-core";
import { SCOPES } from "../../src/edge/domain/keys/api-key.ts";
import { absent, example, findings, open, overflow, stack, token } from "./support.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests check answers field by field.
type Json = any;

/** Calls the API as a client would. */
async function api(
  method: string,
  path: string,
  key: string,
  body?: unknown,
  prefer = "wait=60",
): Promise<Json> {
  const raw = body instanceof Uint8Array;
  const response = await fetch(`${stack?.origin}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && !raw && { "content-type": "application/json" }),
      ...(path.endsWith("/manifests") && { "content-type": "application/jsonl" }),
      prefer,
    },
    ...(body !== undefined && { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
  });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

let accounts = 0;

/** An admin key of a new account. */
async function newAccount(name = "operations"): Promise<{ id: string; key: string; hint: string }> {
  const tenant = `console-${++accounts}`;
  return api("POST", "/v1/keys", stack?.bootstrapSecret ?? "", { tenant, name });
}

async function read(key: string, options: object = {}): Promise<Json> {
  const bytes = new Uint8Array(readFileSync(example("invoice.pdf")));
  const { id: file } = await api("POST", "/v1/files?name=invoice.pdf", key, bytes);
  return api("POST", "/v1/ocr", key, { file, ...options });
}

/** The console at a pane, signed in. */
async function signIn(key: string, pane = "", options: BrowserContextOptions = {}) {
  const watched = await open(`/console/#${pane}`, options);
  const { page } = watched;
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  return watched;
}

/** Chromium reports answers with an error status; a test that provokes one ignores that. */
const unexpected = (faults: string[]) =>
  faults.filter((fault) => !fault.startsWith("Failed to load resource"));

const row = (page: Page, text: string) => page.getByRole("row").filter({ hasText: text });
const dialog = (page: Page) => page.getByRole("dialog");
const secret = (page: Page) => page.locator("dialog .secret");
const heading = (page: Page) => page.getByRole("heading", { level: 1 });
const said = (page: Page, text: string) => page.locator("#said").getByText(text).waitFor();

describe("signing in", { skip: absent }, () => {
  test("a wrong key, no key and a browser token are explained in words", async () => {
    const { page, faults, close } = await open("/console/");
    const problem = page.getByRole("alert").first();
    await page.getByRole("button", { name: "Sign in" }).click();
    assert.match(await problem.innerText(), /A key is missing/);
    await page.getByLabel("API key").fill("fov_live_0000000000000000000000000wrong0");
    await page.keyboard.press("Enter");
    await problem.getByText("The API key is not valid").waitFor();
    assert.match(await problem.innerText(), /req_\w+/);
    await page.getByLabel("API key").fill("no key at all");
    await page.keyboard.press("Enter");
    await problem.getByText("The API key is not valid").waitFor();
    await page.getByLabel("API key").fill((await token({ scope: "write" })).token);
    await page.keyboard.press("Enter");
    await problem.getByText("This is a browser token").waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    assert.deepEqual(unexpected(faults), []);
    await close();
  });

  test("the key is kept in the tab only, and signing out forgets it", async () => {
    const { key } = await newAccount();
    const { page, requests, faults, close } = await signIn(key);
    const kept = await page.evaluate(() => ({
      local: JSON.stringify(localStorage),
      cookie: document.cookie,
      session: JSON.stringify(sessionStorage),
      markup: document.documentElement.outerHTML,
      field: (document.getElementById("key") as HTMLInputElement).value,
    }));
    assert.ok(kept.session.includes(key));
    for (const place of [kept.local, kept.cookie, kept.markup, kept.field, page.url(), ...requests])
      assert.ok(!place.includes(key));
    await page.reload();
    await page.getByText("No jobs yet").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in to the console" }).waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    assert.deepEqual(
      requests.filter((url) => !url.startsWith(stack?.origin ?? "")),
      [],
    );
    assert.deepEqual(faults, []);
    await close();
  });

  test("on loopback a key in the address signs in, and is removed from it", async () => {
    const { key } = await newAccount();
    const { page, close } = await open(`/console/#key=${key}`);
    await page.getByText("No jobs yet").waitFor();
    assert.ok(!page.url().includes(key));
    await close();
  });

  test("a key that is revoked meanwhile signs out, with the reason", async () => {
    const { key, id } = await newAccount();
    const { page, close } = await signIn(key);
    await page.getByText("No jobs yet").waitFor();
    await api("DELETE", `/v1/keys/${id}`, key);
    await page.getByRole("alert").getByText("The API key is not valid").waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    await close();
  });

  test("the operator's secret shows the pools and is in memory only", async () => {
    const bootstrap = stack?.bootstrapSecret ?? "";
    const { page, faults, close } = await signIn(bootstrap);
    assert.equal(await heading(page).innerText(), "Pools");
    await row(page, "local")
      .getByText(/of \d+/)
      .waitFor();
    assert.ok(!(await page.evaluate(() => JSON.stringify(sessionStorage))).includes(bootstrap));
    await page.getByRole("link", { name: "Audit log" }).click();
    await page.getByText("This belongs to an account").waitFor();
    await page.getByRole("link", { name: "Keys", exact: true }).click();
    await page.getByRole("button", { name: "Make the first key of an account" }).click();
    await dialog(page).getByLabel("Account").fill("console-made");
    await dialog(page).getByRole("button", { name: "Make the key" }).click();
    const made = await secret(page).inputValue();
    assert.deepEqual((await api("GET", "/v1/whoami", made)).scopes, ["admin"]);
    await page.reload();
    await page.getByRole("heading", { name: "Sign in to the console" }).waitFor();
    assert.deepEqual(faults, []);
    await close();
  });
});

describe("keys", { skip: absent }, () => {
  test("are made with a secret that is shown once, edited, rotated and revoked", async () => {
    const { key } = await newAccount();
    const { page, faults, close } = await signIn(key, "keys");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Make a key" }).click();
    await dialog(page).getByLabel("Name").fill("billing");
    const names = await dialog(page)
      .getByRole("checkbox")
      .evaluateAll((boxes) => boxes.map((box) => (box as HTMLInputElement).value));
    assert.deepEqual(names, [...SCOPES]);
    await dialog(page).getByLabel("Only from these networks").fill("10.0.0.0/99");
    await dialog(page).getByRole("button", { name: "Make the key" }).click();
    await dialog(page).getByText("an address or a network such as").waitFor();
    await dialog(page).getByLabel("Only from these networks").fill("203.0.113.0/24\n2001:db8::/32");
    await dialog(page).getByLabel("Pages a month").fill("20000");
    await dialog(page).getByRole("button", { name: "Make the key" }).click();
    const made = await secret(page).inputValue();
    assert.match(made, /^fov_live_/);
    await page.keyboard.press("Escape");
    assert.ok(await secret(page).isVisible(), "Escape does not lose the secret");
    await dialog(page).getByRole("button", { name: "Copy" }).click();
    await dialog(page).getByRole("button", { name: "Copied" }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), made);
    await dialog(page).getByRole("button", { name: "I have kept it" }).click();
    await said(page, "The key “billing” is made.");
    await row(page, "billing").getByText("20,000 pages a month").waitFor();
    await row(page, "billing").getByText("only from 203.0.113.0/24").waitFor();
    assert.ok(!(await page.content()).includes(made));

    await page.getByRole("button", { name: "Edit the key billing" }).click();
    await dialog(page).getByLabel("Pages a month").fill("many");
    await dialog(page).getByRole("button", { name: "Save" }).click();
    await dialog(page).getByRole("alert").getByText("monthly_pages").waitFor();
    await dialog(page).getByLabel("Pages a month").fill("7");
    await dialog(page).getByLabel("Only from these networks").fill("");
    await dialog(page).getByLabel("Ends").fill("2999-01-01T10:00");
    await dialog(page).getByRole("button", { name: "Save" }).click();
    await row(page, "billing").getByText("7 pages a month").waitFor();
    const listed = async () =>
      (await api("GET", "/v1/keys", key)).data.filter(({ name }: Json) => name === "billing");
    const [edited] = await listed();
    assert.deepEqual([edited.monthly_pages, edited.allowed_cidrs], [7, null]);
    assert.match(edited.expires_at, /^2(998|999)-/);
    assert.equal((await api("GET", "/v1/whoami", made)).name, "billing");

    await page.getByRole("button", { name: "Rotate the key billing" }).click();
    await dialog(page).getByLabel("Overlap").selectOption("0");
    await dialog(page).getByRole("button", { name: "Rotate the key" }).click();
    const next = await secret(page).inputValue();
    await dialog(page).getByRole("button", { name: "I have kept it" }).click();
    await row(page, "billing").getByText("expired").waitFor();
    assert.equal((await api("GET", "/v1/whoami", next)).monthly_pages, 7);
    await assert.rejects(api("GET", "/v1/whoami", made), /401/);

    const last = row(page, next.slice(-4));
    await last.getByRole("button", { name: "Revoke" }).click();
    assert.match(await dialog(page).innerText(), /Revoke the key “billing”\?/);
    assert.ok((await dialog(page).innerText()).includes(next.slice(-4)));
    await page.keyboard.press("Enter");
    await dialog(page).waitFor({ state: "hidden" });
    assert.equal((await api("GET", "/v1/whoami", next)).name, "billing", "Enter keeps it");
    await last.getByRole("button", { name: "Revoke" }).click();
    await dialog(page).getByRole("button", { name: "Revoke the key" }).click();
    await said(page, "The key “billing” is revoked.");
    await last.getByText("revoked").waitFor();
    await assert.rejects(api("GET", "/v1/whoami", next), /401/);
    assert.deepEqual(unexpected(faults), []);
    await close();
  });

  test("without the scope admin a key sees itself, and may revoke itself", async () => {
    const { key } = await newAccount();
    const plain = await api("POST", "/v1/keys", key, { name: "plain" });
    const { page, close } = await signIn(plain.key, "keys");
    await page.getByText("so it sees only itself").waitFor();
    assert.equal(await page.getByRole("button", { name: "Make a key" }).count(), 0);
    await page.getByRole("link", { name: "Audit log" }).click();
    await page.getByText("The key “plain” lacks the scope admin").waitFor();
    await page.getByRole("link", { name: "Keys", exact: true }).click();
    await page.getByRole("button", { name: "Revoke the key plain" }).click();
    assert.match(await dialog(page).innerText(), /you will be signed out/);
    await dialog(page).getByRole("button", { name: "Revoke the key" }).click();
    await page.getByRole("heading", { name: "Sign in to the console" }).waitFor();
    await close();
  });

  test("a long list has pages, and names are text whatever they are", async () => {
    const { key } = await newAccount();
    const evil = "<img src=x onerror=alert(1)><script>alert(2)</script>";
    // Ids, by which lists are ordered, have a resolution of a second.
    const nextSecond = () => new Promise((resolve) => setTimeout(resolve, 1100));
    await nextSecond();
    for (let i = 0; i < 20; i++) await api("POST", "/v1/keys", key, { name: `key ${i}` });
    await nextSecond();
    await api("POST", "/v1/keys", key, { name: evil });
    const { page, faults, close } = await signIn(key, "keys");
    await row(page, evil).waitFor();
    assert.equal(await page.locator("#pane :is(img, script)").count(), 0);
    assert.equal(await row(page, "operations").count(), 0);
    await page.getByRole("button", { name: "Older" }).focus();
    await page.keyboard.press("Enter");
    await row(page, "operations").waitFor();
    assert.equal(await page.locator(":focus").innerText(), "Older");
    await page.getByRole("button", { name: "Newer" }).click();
    await row(page, evil).waitFor();
    await page.getByRole("button", { name: `Revoke the key ${evil}` }).click();
    assert.ok((await dialog(page).innerText()).includes(evil));
    assert.deepEqual(faults, []);
    await close();
  });
});

describe("usage", { skip: absent }, () => {
  test("is plotted by day, with the same numbers in a table, by keyboard and as CSV", async () => {
    const { key } = await newAccount();
    const { page, faults, close } = await signIn(key, "usage");
    await page.getByText("Nothing was read").waitFor();
    await read(key);
    await read(key, { pages: "1" });
    await page.reload();
    const { total, data } = await api("GET", "/v1/usage", key);
    const tile = (name: string) => page.locator(".tiles div", { hasText: name }).locator("dd");
    await tile("pages read").waitFor();
    assert.equal(await tile("pages read").innerText(), String(total.pages_read));
    assert.equal(await tile("from the cache").innerText(), String(total.pages_cached));
    const days = page.locator(".day");
    assert.equal(await days.count(), 30);
    await days.first().focus();
    await page.keyboard.press("End");
    const name = (await page.locator(":focus").getAttribute("aria-label")) ?? "";
    assert.match(name, new RegExp(`: ${total.pages_read}, pp-ocr`));
    assert.equal(await page.locator(".plot-said").innerText(), name);
    await page.keyboard.press("ArrowLeft");
    assert.match((await page.locator(":focus").getAttribute("aria-label")) ?? "", /: 0$/);
    await page.getByLabel("Show").selectOption("delivered");
    await page.getByText("The numbers of the plot as a table").click();
    const sum = total.pages_read + total.pages_cached + total.pages_shared;
    await row(page, data[0].day).getByText(String(sum), { exact: true }).waitFor();
    await page.getByLabel("By", { exact: true }).selectOption("key_id");
    await page.locator(".legend").getByText("operations …").waitFor();
    await page.getByLabel("Days").selectOption("7");
    await days.nth(7).waitFor({ state: "detached" });
    assert.equal(await days.count(), 7);
    const waiting = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download CSV" }).click();
    const download = await waiting;
    const [head, line] = readFileSync(await download.path(), "utf8").split("\r\n");
    assert.match(download.suggestedFilename(), /^fovea-usage-.*\.csv$/);
    assert.ok(head?.startsWith("day,key_id,model,pages_read"), head);
    assert.ok(line?.startsWith(`${data[0].day},${data[0].key_id},pp-ocr,${data[0].pages_read}`));
    await page.getByLabel("Days").selectOption("dates");
    await page.getByLabel("From", { exact: true }).fill("2020-01-01");
    await page.getByRole("alert").getByText("between 1 and 366 days").waitFor();
    assert.deepEqual(unexpected(faults), []);
    await close();
  });
});

describe("webhooks", { skip: absent }, () => {
  let status = 200;
  const received: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => {
      body += piece;
    });
    request.on("end", () => {
      received.push(body);
      response.statusCode = status;
      response.end("<b>the answer</b>");
    });
  });
  let address = "";
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`;
  });
  after(() => server.close());

  test("endpoints are added, tested, edited, disabled and deleted; deliveries are shown and replayed", async () => {
    const { key } = await newAccount();
    const { page, faults, close } = await signIn(key, "webhooks");
    await page.getByText("No endpoints yet").waitFor();
    await page.getByRole("button", { name: "Add an endpoint" }).click();
    await dialog(page).getByLabel("Address").fill("https://10.0.0.1/");
    await dialog(page).getByRole("button", { name: "Add the endpoint" }).click();
    await dialog(page).getByRole("alert").getByText("The URL is not allowed").waitFor();
    await dialog(page).getByLabel("Address").fill(address);
    await dialog(page).getByRole("button", { name: "Add the endpoint" }).click();
    const signing = await secret(page).inputValue();
    assert.match(signing, /^whsec_/);
    await dialog(page).getByRole("button", { name: "I have kept it" }).click();
    const endpoint = page.getByRole("table", { name: "Webhook endpoints" }).getByRole("row").nth(1);
    await endpoint.getByRole("button", { name: "Test" }).click();
    await said(page, "has got the test event");
    assert.equal(JSON.parse(received[0] ?? "").type, "endpoint.test");
    await row(page, "endpoint.test").getByText("1 attempt, status 200").waitFor();

    await row(page, "endpoint.test").getByRole("button", { name: "Details" }).click();
    await dialog(page).getByText("<b>the answer</b>").waitFor();
    await dialog(page).getByText('"type": "endpoint.test"').waitFor();
    await page.keyboard.press("Escape");
    await row(page, "endpoint.test").getByRole("button", { name: "Replay" }).click();
    await row(page, "endpoint.test").getByText("2 attempts").waitFor();

    status = 500;
    await endpoint.getByRole("button", { name: "Test" }).click();
    await said(page, "has not taken the test event");
    await page.getByLabel("State").selectOption("failed");
    await row(page, "status 200").waitFor({ state: "detached" });
    const failed = row(page, "endpoint.test");
    await failed.getByText("answered with status 500").waitFor();
    assert.equal(await failed.count(), 1);

    await endpoint.getByRole("button", { name: "Edit" }).click();
    await dialog(page).getByLabel("job.canceled").uncheck();
    await dialog(page).getByLabel("page.completed").check();
    await dialog(page).getByRole("button", { name: "Save" }).click();
    await endpoint.getByText("page.completed").waitFor();
    await endpoint.getByRole("button", { name: "Rotate secret" }).click();
    await dialog(page).getByRole("button", { name: "Rotate the secret" }).click();
    await dialog(page).getByText("new secret").first().waitFor();
    assert.notEqual(await secret(page).inputValue(), signing);
    await dialog(page).getByRole("button", { name: "I have kept it" }).click();
    await endpoint.getByRole("button", { name: "Disable" }).click();
    assert.ok((await dialog(page).innerText()).includes(address));
    await dialog(page).getByRole("button", { name: "Disable the endpoint" }).click();
    await endpoint.getByText("on request").waitFor();
    await endpoint.getByRole("button", { name: "Enable" }).click();
    await endpoint.getByText("active", { exact: true }).waitFor();
    await endpoint.getByRole("button", { name: "Delete" }).click();
    await dialog(page).getByRole("button", { name: "Delete the endpoint" }).click();
    await page.getByText("No endpoints yet").waitFor();
    assert.deepEqual((await api("GET", "/v1/webhooks/endpoints", key)).data, []);
    assert.ok(!(await page.content()).includes("whsec_"));
    assert.deepEqual(unexpected(faults), []);
    await close();
  });
});

describe("jobs and batches", { skip: absent }, () => {
  const server = createServer((request, response) => {
    if (request.url?.includes("missing")) {
      response.statusCode = 404;
      response.end();
    } else response.end(readFileSync(example("invoice.pdf")));
  });
  let origin = "";
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => server.close());

  test("a job is listed with state and error, linked to the playground, and canceled on request", async () => {
    const { key } = await newAccount();
    const done = await read(key);
    const cut = new Uint8Array(readFileSync(example("invoice.pdf"))).slice(0, 3000);
    const { id: broken } = await api("POST", "/v1/files?name=cut.pdf", key, cut);
    const failed = await api("POST", "/v1/ocr", key, { file: broken });
    const pages = new Uint8Array(readFileSync(example("report-12.pdf")));
    const long = await api("POST", "/v1/files?name=report.pdf", key, pages);
    const { page, faults, close } = await signIn(key, "jobs");
    await row(page, done.id).getByText("succeeded").waitFor();
    assert.equal(
      await row(page, done.id).getByRole("link").getAttribute("href"),
      `/#job=${done.id}`,
    );
    await row(page, failed.id).getByText(failed.error.message).waitFor();
    await page.getByLabel("State").selectOption("failed");
    await row(page, done.id).waitFor({ state: "detached" });
    await page.getByLabel("State").selectOption("expired");
    await page.getByText("No job is expired").waitFor();
    await page.getByLabel("State").selectOption("");

    // Twelve pages take longer than this.
    const { id } = await api("POST", "/v1/ocr", key, { file: long.id, dpi: 300 }, "wait=0");
    await row(page, id).getByRole("button", { name: "Cancel" }).click();
    assert.ok((await dialog(page).innerText()).includes(id));
    await dialog(page).getByRole("button", { name: "Let it run" }).click();
    await row(page, id).getByRole("button", { name: "Cancel" }).click();
    await dialog(page).getByRole("button", { name: "Cancel the job" }).click();
    await row(page, id).getByText("canceled").waitFor();
    assert.equal((await api("GET", `/v1/jobs/${id}`, key)).state, "canceled");
    assert.deepEqual(unexpected(faults), []);
    await close();
  });

  test("a batch shows its progress, failures and output; failed lines are read again; it is deleted", async () => {
    const { key } = await newAccount();
    const lines = ["doc/1.pdf", "missing", "doc/2.pdf"].map((path, i) =>
      JSON.stringify({ custom_id: `line-${i + 1}`, url: `${origin}/${path}` }),
    );
    const start = async (defaults: object) => {
      const jsonl = new TextEncoder().encode(lines.join("\n"));
      const { id: manifest } = await api("POST", "/v1/batches/manifests", key, jsonl);
      return api("POST", "/v1/batches", key, { manifest, defaults });
    };
    const { id } = await start({});
    const { page, faults, close } = await signIn(key, "batches");
    await row(page, id).getByText("completed").waitFor({ timeout: 120_000 });
    await row(page, id).getByText("3 of 3").waitFor();
    await page.getByRole("link", { name: id }).click();
    const failure = row(page, "line-2");
    await failure.getByText("url_unreachable").waitFor();
    const waiting = page.waitForEvent("download");
    await page.getByRole("button", { name: "Results of file 1" }).click();
    const download = await waiting;
    assert.match(readFileSync(await download.path(), "utf8"), /LED copy light/);
    await page.getByRole("button", { name: "Retry failed" }).click();
    await page.getByText("run 2").waitFor();
    await failure.waitFor({ timeout: 120_000 });
    await page.getByRole("button", { name: "Delete the batch" }).waitFor({ timeout: 120_000 });
    await page.getByRole("button", { name: "Delete the batch" }).click();
    assert.ok((await dialog(page).innerText()).includes(id));
    await dialog(page).getByRole("button", { name: "Delete the batch" }).click();
    await page.getByText("No batches yet").waitFor();

    // Paused before its documents can have been read.
    const paused = await start({ dpi: 98 });
    await api("POST", `/v1/batches/${paused.id}/pause`, key);
    await row(page, paused.id).getByText("paused").waitFor();
    await page.getByRole("button", { name: `Cancel the batch ${paused.id}` }).click();
    await dialog(page).getByRole("button", { name: "Cancel the batch" }).click();
    await row(page, paused.id).getByText("canceled").waitFor({ timeout: 60_000 });
    assert.deepEqual(unexpected(faults), []);
    await close();
  });
});

describe("pools, audit log and loading again", { skip: absent }, () => {
  test("an account sees whether the service is ready, and no pools", async () => {
    const { key } = await newAccount();
    const { page, faults, close } = await signIn(key, "pools");
    await page.getByText("new pages can be read").waitFor();
    await page.getByText("only the operator sees them").waitFor();
    assert.equal(await page.getByRole("table").count(), 0);
    assert.deepEqual(faults, []);
    await close();
  });

  test("the audit log says who did what, and can be narrowed", async () => {
    const { key } = await newAccount("the boss");
    const made = await api("POST", "/v1/keys", key, { name: "short-lived" });
    await api("PATCH", `/v1/keys/${made.id}`, key, { monthly_pages: 5 });
    await api("DELETE", `/v1/keys/${made.id}`, key);
    await api("PATCH", "/v1/settings", key, { daily_pages: 10 });
    const { page, faults, close } = await signIn(key, "audit");
    const entries = page.getByRole("table", { name: "Audit log" }).getByRole("row");
    await entries.nth(1).getByText("changed the settings").waitFor();
    await entries.nth(1).getByText("the boss").waitFor();
    assert.match(await entries.nth(3).innerText(), /changed a key\s*monthly_pages/);
    assert.match(await entries.nth(5).innerText(), /the bootstrap secret\s*made a key/);
    const time = entries.nth(1).locator("time");
    assert.match(await time.innerText(), /ago|just now/);
    assert.match((await time.getAttribute("title")) ?? "", /\d{4} at \d/);
    await page.getByLabel("What").selectOption("key.revoked");
    await entries.nth(2).waitFor({ state: "detached" });
    assert.match(await entries.nth(1).innerText(), new RegExp(made.id));
    await page.getByLabel("What").selectOption("");
    await page.getByLabel("To the resource").fill(made.id);
    await page.keyboard.press("Enter");
    await entries.nth(4).waitFor({ state: "detached" });
    await page.getByLabel("To", { exact: true }).fill("2020-01-01");
    await page.keyboard.press("Tab");
    await page.getByText("Nothing like this is in the log").waitFor();
    assert.deepEqual(faults, []);
    await close();
  });

  test("a pane loads again by itself, but not while the tab is hidden or the box is unchecked", async () => {
    const { key } = await newAccount();
    const { page, requests, close } = await signIn(key, "jobs");
    await page.getByText("No jobs yet").waitFor();
    const asked = () => requests.filter((url) => url.includes("/v1/jobs")).length;
    const hide = (hidden: boolean) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    await hide(true);
    const { id } = await read(key);
    const before = asked();
    await page.waitForTimeout(6000);
    assert.equal(asked(), before);
    await hide(false);
    await row(page, id).waitFor();
    await page.getByLabel("refresh by itself").uncheck();
    const off = asked();
    await page.waitForTimeout(6000);
    assert.equal(asked(), off);
    // A problem is shown, what was loaded stays, and the next answer takes the problem away.
    await page.route(/\/v1\/jobs/, (route) => route.abort());
    await page.getByLabel("refresh by itself").check();
    await page.getByRole("alert").getByText("The service cannot be reached").waitFor();
    assert.ok(await row(page, id).isVisible());
    await page.unroute(/\/v1\/jobs/);
    await page.getByRole("alert").getByText("cannot be reached").waitFor({ state: "detached" });
    await close();
  });

  test("everything can be reached by keyboard: the skip link, panes, a dialog and back", async () => {
    const { key } = await newAccount();
    const { page, close } = await signIn(key);
    await page.reload();
    await page.getByText("No jobs yet").waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.locator(":focus").innerText(), "To the content");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator(":focus").innerText(), "Jobs");
    await page.getByRole("link", { name: "Keys", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Make a key" }).waitFor();
    assert.equal(await page.locator(":focus").innerText(), "Keys");
    await page.getByRole("button", { name: "Make a key" }).focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.locator(":focus").getAttribute("name"), "name");
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "detached" });
    assert.equal(await page.locator(":focus").innerText(), "Make a key");
    await close();
  });
});

for (const [name, options] of [
  ["light", { viewport: { width: 1440, height: 900 } }],
  ["dark", { colorScheme: "dark" }],
  ["360 px", { viewport: { width: 360, height: 740 }, hasTouch: true }],
] as const)
  describe(`${name}: axe-core has no serious finding, and nothing is wider than the window`, {
    skip: absent,
  }, () => {
    test("in any pane and dialog", async () => {
      const { key } = await newAccount();
      await read(key);
      const url = `https://hooks.example.com/${"a-long-path/".repeat(12)}`;
      await api("POST", "/v1/webhooks/endpoints", key, { url });
      await api("POST", "/v1/keys", key, { name: "a-name-without-any-space-".repeat(4) });
      const { page, close } = await open("/console/", options);
      const look = async (state: string) => {
        assert.deepEqual(await findings(page), [], state);
        assert.equal(await overflow(page), 0, state);
      };
      await look("sign in");
      await page.getByLabel("API key").fill(key);
      await page.keyboard.press("Enter");
      const panes = {
        jobs: ".state.good",
        batches: ".empty",
        usage: ".plot",
        keys: ".chip",
        webhooks: "table",
        pools: ".phases",
        audit: "table",
      };
      for (const [pane, loaded] of Object.entries(panes)) {
        await page.evaluate((pane) => {
          location.hash = pane;
        }, pane);
        await page.locator("#pane").locator(loaded).first().waitFor();
        await look(pane);
      }
      await page.evaluate(() => {
        location.hash = "keys";
      });
      await page.getByRole("button", { name: "Make a key" }).click();
      await look("make a key");
      await page.keyboard.press("Escape");
      await page
        .getByRole("button", { name: /^Revoke/ })
        .first()
        .click();
      await look("revoke");
      await close();
    });
  });
