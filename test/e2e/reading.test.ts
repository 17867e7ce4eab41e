/** What is written in the examples is what comes out. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { characterErrorRate } from "./cer.ts";
import { api, example, read, stack, truthOf, unseen } from "./support.ts";

interface Citation {
  boxes: number[][];
  match: string;
  text: string;
}

interface Extraction {
  state: string;
  data: { invoice_date: string; amount_due: number; lines: object[] };
  citations: { lines: Record<string, Citation>[] } & Record<
    "invoice_date" | "amount_due" | "purchase_order",
    Citation | null
  >;
}

describe("reading", () => {
  for (const [file, limit, spaces] of [
    ["invoice.pdf", 0.02, true],
    ["paper.pdf", 0.02, true],
    ["photo.jpg", 0.02, true],
    ["chinese.png", 0.02, false],
  ] as const) {
    test(`${file}: at most ${limit * 100} % of the characters are wrong`, async (t) => {
      const job = await read(example(file));
      assert.equal(job.state, "succeeded");
      const text = await api.result(job.id, "txt");
      const rate = characterErrorRate(text, truthOf(file.replace(/\.\w+$/, "")), { spaces });
      t.diagnostic(`CER of ${file}: ${(rate * 100).toFixed(2)} %`);
      assert.ok(rate <= limit, `CER ${rate}:\n${text}`);
    });
  }

  test("the invoice's table is a table in HTML and in Markdown", async () => {
    const job = await read(example("invoice.pdf"));
    const html = await api.result(job.id, "html");
    assert.match(html, /<table>.*<td>LED copy light, 5000 K<\/td>.*278\.00.*<\/table>/s);
    assert.match(await api.result(job.id, "md"), /LED copy light, 5000 K/);
  });

  test("the invoice's data are extracted by a schema, each with its place on the page", async () => {
    const job = await read(example("invoice.pdf"));
    const schema = JSON.parse(new TextDecoder().decode(example("invoice.schema.json")));
    const response = await api.fetch(`/v1/jobs/${job.id}/extract`, {
      method: "POST",
      headers: { "content-type": "application/json", prefer: "wait=60" },
      body: JSON.stringify({ schema }),
    });
    const { state, data, citations } = (await response.json()) as Extraction;
    assert.deepEqual([response.status, state], [200, "succeeded"]);
    assert.deepEqual([data.invoice_date, data.amount_due], ["2026-03-12", 4399.49]);
    assert.equal(data.lines.length, 7);
    assert.deepEqual(
      [citations.invoice_date?.text, citations.amount_due?.match, citations.purchase_order],
      ["12 March 2026", "normalized", null],
    );
    const { unit_price, amount } = citations.lines[0] as Record<string, Citation>;
    assert.deepEqual([unit_price?.text, amount?.text], ["1,840.00", "1,840.00"]);
    const left = (citation?: Citation) => citation?.boxes[0]?.[0] as number;
    assert.ok(left(unit_price) < left(amount));
  });

  test("a blank page ends as blank, with no text", async () => {
    const job = await read(example("blank.pdf"));
    assert.equal(job.state, "succeeded");
    assert.equal(job.pages[0]?.verdict, "blank");
    assert.equal((await api.result(job.id, "txt")).trim(), "");
  });

  test("only the pages asked for are read, each with its own number and words", async () => {
    const job = await read(unseen("report-12.pdf"), { pages: "3,11-" });
    assert.deepEqual(
      job.pages.map(({ page, state }) => [page, state]),
      [3, 11, 12].map((page) => [page, "done"]),
    );
    const { pages } = JSON.parse(await api.result(job.id, "json"));
    for (const [i, month] of ["March", "November", "December"].entries())
      assert.match(pages[i].markdown, new RegExp(`${pages[i].page}\\. ${month} at Weir Bridge`));
  });

  test("a page's result is canonical: version, model digest, boxes within the page", async () => {
    const job = await read(example("invoice.pdf"));
    const { schema, pages } = JSON.parse(await api.result(job.id, "json"));
    assert.equal(schema, 1);
    const [page] = pages;
    assert.equal(page.model, "pp-ocr");
    assert.match(page.model_digest, /^sha256:[0-9a-f]{64}$/);
    assert.ok(page.blocks.length > 3);
    for (const { bbox } of page.blocks)
      assert.ok(
        bbox.length === 4 && bbox[0] < bbox[2] && bbox.every((x: number) => x >= 0 && x <= 1),
      );
  });
});

describe("an agent, by the official MCP client", () => {
  const connect = async (key: string) => {
    const client = new Client(
      { name: "agent", version: "1" },
      { versionNegotiation: { mode: "auto" } },
    );
    const requestInit = { headers: { authorization: `Bearer ${key}` } };
    const url = new URL(`${stack.origin}/mcp`);
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
    return client;
  };
  const use = async (client: Client, name: string, args: Record<string, unknown>, more = {}) => {
    const { isError, content, structuredContent } = await client.callTool(
      { name, arguments: args },
      more,
    );
    const [first] = content;
    const said = first?.type === "text" ? first.text : "";
    // biome-ignore lint/suspicious/noExplicitAny: an answer is what the tool's schema says.
    const told = structuredContent as any;
    return { isError, said, told };
  };

  test("reads a document with progress, finds a word, sees a page and remembers", async () => {
    const client = await connect(stack.key);
    assert.equal(client.getNegotiatedProtocolVersion(), "2026-07-28");
    const progress: number[] = [];
    const data = Buffer.from(unseen("report-12.pdf")).toString("base64");
    const onprogress = (step: { progress: number }) => progress.push(step.progress);
    const { told: read } = await use(
      client,
      "read_document",
      { data, pages: "1-3", max_characters: 2000 },
      { onprogress },
    );
    assert.equal(read.state, "succeeded");
    assert.deepEqual(progress, [1, 2, 3]);
    const { job_id } = read;
    let text: string = read.text;
    for (let next = read.next; next; ) {
      const { told: part } = await use(client, "get_pages", { job_id, ...next });
      text += part.text;
      next = part.next;
    }
    assert.match(text, /<!-- page 3 -->/);

    const word = truthOf("report-12")
      .split(/\s+/)
      .find((known) => /^\w{9,}$/.test(known)) as string;
    const { told: found } = await use(client, "search_document", {
      job_id,
      query: word.toUpperCase(),
    });
    assert.ok(found.hits.length > 0, word);
    assert.match(found.hits[0].snippet, new RegExp(word, "i"));
    const page = await client.readResource({
      uri: `fovea://jobs/${job_id}/pages/${found.hits[0].page}`,
    });
    assert.match((page.contents[0] as { text: string }).text, new RegExp(word, "i"));
    const image = await client.callTool({ name: "get_page_image", arguments: { job_id, page: 1 } });
    assert.deepEqual(
      image.content.map(({ type }) => type),
      ["image"],
    );

    const { told: kept } = await use(client, "remember", {
      content: `The report is about ${word}.`,
    });
    const { told: view } = await use(client, "view_context", { context_id: kept.context_id });
    assert.equal(view.items[0].text, `The report is about ${word}.`);
    const { told: recalled } = await use(client, "recall", {
      context_id: kept.context_id,
      message: 1,
    });
    assert.equal(recalled.text, `The report is about ${word}.`);
    await client.close();
  });

  test("is told what is wrong", async () => {
    await assert.rejects(connect(`${stack.key.slice(0, -1)}!`), /401|invalid-key|nauthorized/);
    const client = await connect(stack.key);
    const unknown = await use(client, "get_pages", { job_id: `job_${"0".repeat(24)}` });
    assert.equal(unknown.isError, true);
    assert.match(unknown.said, /^not-found: No such job\./);
    await client.close();
  });
});
