/**
 * Chromium and the real stack. All test files run in one process (`--test-isolation=none`) and share this
 * module. Without Chromium, `absent` says why and all tests are skipped.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { startStack } from "../../scripts/stack.ts";
import { startExtractor } from "../extractor.ts";

const root = join(import.meta.dirname, "../..");
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executable = process.env.FOVEA_CHROMIUM ?? PLACES.find((path) => existsSync(path));

/** For the option `skip` of a test: `false`, or the reason. */
export const absent: false | string = executable
  ? false
  : `no Chromium at ${PLACES.join(", ")}: apt install chromium, or name one in FOVEA_CHROMIUM`;

const data = mkdtempSync(join(tmpdir(), "fovea-browser-"));
const extractor = absent ? null : await startExtractor();
export const stack = extractor
  ? await startStack({
      data,
      env: { edge: { EXTRACT_URL: extractor.url, EXTRACT_MODEL: "stand-in" } },
    })
  : null;
const browser: Browser | null = executable
  ? await chromium.launch({
      executablePath: executable,
      args: ["--no-sandbox"],
      env: { ...process.env, FONTCONFIG_FILE: shippedFonts() },
    })
  : null;

after(async () => {
  await browser?.close();
  await stack?.stop();
  extractor?.close();
  rmSync(data, { recursive: true, force: true });
});

/** Pages are set in the fonts of the repository, whatever the machine has. */
function shippedFonts(): string {
  const file = join(data, "fonts.conf");
  const fonts = join(root, "src/gpu-worker/fovea/pages/fonts");
  writeFileSync(
    file,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
      <dir>${fonts}</dir><cachedir>${join(data, "font-cache")}</cachedir></fontconfig>`,
  );
  return file;
}

export const example = (name: string) => join(root, "examples", name);
const axe = readFileSync(join(root, "node_modules/axe-core/axe.min.js"), "utf8");

/** A page with its requests and its faults: errors, dialogs and violations of the CSP. */
export interface Watched {
  page: Page;
  requests: string[];
  faults: string[];
  close(): Promise<void>;
}

/** A fresh browser profile at an address of the stack. */
export async function open(path = "/", options: BrowserContextOptions = {}): Promise<Watched> {
  assert.ok(browser && stack);
  const context = await browser.newContext({
    viewport: { width: 1280, height: 860 },
    baseURL: stack.origin,
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const requests: string[] = [];
  const faults: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(path);
  const close = async () => {
    await page.unrouteAll({ behavior: "ignoreErrors" }); // an answer that is still under way
    await context.close();
  };
  return { page, requests, faults, close };
}

/** Pastes the key; leaving the field loads the models. */
export async function paste(page: Page, key: string): Promise<void> {
  const models = page.waitForResponse(/\/v1\/models$/);
  await page.getByLabel("API key").fill(key);
  await page.getByLabel("API key").press("Tab");
  await models;
}

/** Chooses a sample and reads it. */
export async function readSample(page: Page, name: string): Promise<void> {
  assert.ok(stack);
  await paste(page, stack.key);
  await page.getByRole("button", { name }).click();
  await page.getByText("KiB").waitFor();
  await page.getByRole("button", { name: "Read", exact: true }).click();
  await page.getByText(/^Read: /).waitFor({ timeout: 180_000 });
}

/** A browser token, as a customer's server would create it. */
export async function token(body: object): Promise<{ token: string; job_id: string }> {
  assert.ok(stack);
  const response = await fetch(`${stack.origin}/v1/tokens`, {
    method: "POST",
    headers: { authorization: `Bearer ${stack.key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return (await response.json()) as { token: string; job_id: string };
}

/** How many pixels the page is wider than the window. */
export const overflow = (page: Page) =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    // A scrollbar gutter makes the content narrower than the window.
    return Math.max(0, scrollWidth - clientWidth);
  });

/** axe-core's serious findings. It runs in an isolated world, which the CSP does not cover. */
export async function findings(page: Page, within = "html"): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(
    // biome-ignore lint/suspicious/noExplicitAny: axe has no types in the page.
    (root) => (globalThis as any).axe.run(root) as Promise<{ violations: Violation[] }>,
    within,
  );
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
}

interface Violation {
  id: string;
  impact: string;
  nodes: { html: string }[];
}

/** With FOVEA_SHOTS, saves a screenshot for the documentation there, from `top` on. */
export async function shot(page: Page, name: string, top?: string): Promise<void> {
  const folder = process.env.FOVEA_SHOTS;
  if (!folder) return;
  if (top) await page.locator(top).evaluate((element) => element.scrollIntoView());
  await page.screenshot({ path: join(folder, `playground-${name}.png`), animations: "disabled" });
}
