/** The reference and the guides in Chromium, and the headers of all pages. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { absent, findings, open, overflow, shot, stack } from "./support.ts";

describe("reference", { skip: absent }, () => {
  test("shows every operation and every problem type, without requests to other origins", async () => {
    const { page, requests, faults, close } = await open("/docs");
    const spec = await (await fetch(`${stack?.origin}/openapi.json`)).json();
    const operations = Object.values<Record<string, { operationId: string }>>(spec.paths).flatMap(
      (methods) => Object.values(methods).map(({ operationId }) => operationId),
    );
    assert.ok(operations.length > 50);
    await page.locator(`#${operations[0]}`).waitFor();
    assert.deepEqual(
      (
        await page.locator("article.operation").evaluateAll((all) => all.map(({ id }) => id))
      ).sort(),
      operations.sort(),
    );
    const codes = new Set(JSON.stringify(spec).match(/(?<=urn:fovea:problem:)[\w-]+/g));
    assert.equal(await page.locator("[id^=problem-]").count(), codes.size);
    for (const url of requests) assert.ok(url.startsWith(`${stack?.origin}/`), url);
    assert.deepEqual(faults, []);
    assert.deepEqual(await findings(page), []);
    await shot(page, "reference");
    await close();
  });

  test("nested fields, examples and curl commands open; all links have targets", async () => {
    const { page, close } = await open("/docs#createOcrJob");
    const operation = page.locator("#createOcrJob");
    await operation.getByText("token_budget").first().waitFor();
    await operation.getByText("fields of pages").first().click();
    await operation.getByText("waiting_for").first().waitFor();
    await operation.locator("summary", { hasText: /^curl$/ }).click();
    assert.match(await operation.innerText(), /curl -X POST '.*\/v1\/ocr'/);
    await operation
      .locator("summary", { hasText: /^Example$/ })
      .first()
      .click();
    assert.match(await operation.innerText(), /"pages": "1-3"/);
    const lost = await page.evaluate(() =>
      [...document.querySelectorAll('a[href^="#"]')]
        .map((link) => link.getAttribute("href") as string)
        .filter((target) => !document.getElementById(target.slice(1))),
    );
    assert.deepEqual(lost, []);
    assert.deepEqual(await findings(page, "#createOcrJob"), []);
    await close();
  });

  test("the search finds operations by path, words and fields", async () => {
    const { page, close } = await open("/docs");
    const shown = page.locator("article.operation:visible");
    await page.locator("#createOcrJob").waitFor();
    const search = page.locator("#search");
    await search.fill("zero_retention prefer");
    await page.getByText(/^1 of \d+ operations$/).waitFor();
    assert.deepEqual(await shown.evaluateAll((all) => all.map(({ id }) => id)), ["createOcrJob"]);
    await search.fill("/v1/keys");
    await page.locator("#createKey").waitFor();
    await search.fill("nothing is called this");
    await page.getByText(/^0 of/).waitFor();
    assert.equal(await shown.count(), 0);
    await close();
  });

  for (const [name, options] of [
    ["dark", { colorScheme: "dark" }],
    ["360 px", { viewport: { width: 360, height: 740 } }],
  ] as const)
    test(`${name}: no serious finding of axe-core, nothing wider than the window`, async () => {
      const { page, close } = await open("/docs", options);
      await page.locator("#createOcrJob").waitFor();
      for (const summary of await page.locator("#createOcrJob summary").all())
        await summary.click();
      for (const part of [".top", ".contents", "#createOcrJob", "#errors"])
        assert.deepEqual(await findings(page, part), []);
      assert.equal(await overflow(page), 0);
      await close();
    });
});

describe("guides", { skip: absent }, () => {
  test("are the repository's Markdown, rendered completely; all links have targets", async () => {
    const { page, requests, faults, close } = await open("/guide");
    const guides = page.locator("#contents a");
    await guides.first().waitFor();
    const addresses = await guides.evaluateAll((all) =>
      all.map((a) => (a as HTMLAnchorElement).href),
    );
    assert.ok(addresses.length > 8);
    const links = new Set<string>();
    for (const address of addresses) {
      await page.goto(address);
      await page.locator("#guide h1").waitFor();
      const text = await page.locator("#guide :is(h1, h2, h3, p, li, td, th)").evaluateAll((all) =>
        all.map((element) => {
          const words = element.cloneNode(true) as Element;
          for (const code of words.querySelectorAll("code")) code.remove();
          return words.textContent ?? "";
        }),
      );
      for (const one of text) assert.doesNotMatch(one, /\]\(|\*\*|^#|^\|/, address);
      assert.deepEqual(await findings(page), [], address);
      const inside = await page
        .locator("#guide a")
        .evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).href));
      for (const link of inside) if (link.startsWith(`${stack?.origin}/`)) links.add(link);
    }
    for (const link of [...links].filter((one) => one.includes("#"))) {
      await page.goto(link);
      await page.locator("#guide h1").waitFor();
      const { hash } = new URL(link);
      assert.equal(
        await page.locator(`[id="${decodeURIComponent(hash.slice(1))}"]`).count(),
        1,
        link,
      );
    }
    for (const url of requests) assert.ok(url.startsWith(`${stack?.origin}/`), url);
    assert.deepEqual(faults, []);
    await close();
  });

  test("Markdown becomes elements; its HTML stays text, and only allowed links lead somewhere", async () => {
    const { page, faults, close } = await open("/guide");
    const html = await page.evaluate(async () => {
      const { markdown } = await import("/js/markdown.js" as string);
      const source = [
        "## A & B\n\n- one\n  - `two|three`\n\n> said\n",
        "<img src=x onerror=alert(1)> [bad](javascript:alert(1)) [good](#a--b) \\*plain\\*\n",
        "| a | b |\n|---|---|\n| 1 \\| 2 | **3** |",
      ];
      const place = document.createElement("div");
      place.append(
        ...markdown(source.join("\n"), (to: string) => (to.startsWith("#") ? to : null)),
      );
      return place.innerHTML;
    });
    assert.equal(
      html,
      '<h2 id="a--b">A &amp; B</h2><ul><li>one<ul><li><code>two|three</code></li></ul></li></ul>' +
        "<blockquote><p>said</p></blockquote>" +
        '<p>&lt;img src=x onerror=alert(1)&gt; <span>bad</span> <a href="#a--b">good</a> *plain*</p>' +
        '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table><thead><tr><th>a</th>' +
        "<th>b</th></tr></thead><tbody><tr><td>1 | 2</td><td><strong>3</strong></td></tr></tbody></table></div>",
    );
    assert.deepEqual(faults, []);
    await close();
  });

  test("360 px: nothing is wider than the window", async () => {
    const { page, close } = await open("/guide?USING", { viewport: { width: 360, height: 740 } });
    await page.locator("#guide table").first().waitFor();
    assert.equal(await overflow(page), 0);
    await close();
  });
});

describe("pages", { skip: absent }, () => {
  for (const path of ["/", "/memory", "/docs", "/guide", "/console/"])
    test(`${path}: a strict policy, no framing, no sniffing`, async () => {
      const response = await fetch(`${stack?.origin}${path}`);
      assert.equal(response.status, 200);
      assert.match(response.headers.get("content-type") ?? "", /^text\/html/);
      const policy = new Map(
        (response.headers.get("content-security-policy") ?? "").split("; ").map((directive) => {
          const [name = "", ...values] = directive.split(" ");
          return [name, values.join(" ")];
        }),
      );
      assert.equal(policy.get("default-src"), "'none'");
      for (const name of ["script-src", "style-src", "connect-src"])
        assert.equal(policy.get(name), "'self'");
      for (const name of ["base-uri", "form-action", "frame-ancestors"])
        assert.equal(policy.get(name), "'none'");
      assert.equal(policy.get("require-trusted-types-for"), "'script'");
      // The worker of pdf.js has an address that a policy gives it.
      assert.equal(policy.get("trusted-types"), path === "/" ? "pdf-worker" : "'none'");
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      assert.equal(response.headers.get("referrer-policy"), "no-referrer");
    });

  test("samples are the repository's examples; what configures the files is not served", async () => {
    const sample = await fetch(`${stack?.origin}/samples/invoice.pdf`);
    assert.equal(sample.headers.get("content-type"), "application/pdf");
    assert.equal((await fetch(`${stack?.origin}/_headers`)).status, 404);
    assert.equal((await fetch(`${stack?.origin}/nothing-here`)).status, 404);
  });

  test("an unknown address is a page for browsers and a problem for others", async () => {
    const { page, close } = await open("/nothing-here");
    await page.getByRole("heading", { name: "There is no such page." }).waitFor();
    assert.deepEqual(await findings(page), []);
    await page.getByRole("link", { name: "reference", exact: true }).click();
    await page.locator("#createOcrJob").waitFor();
    await close();
    const problem = await fetch(`${stack?.origin}/nothing-here`);
    assert.equal(problem.headers.get("content-type"), "application/problem+json");
  });
});
