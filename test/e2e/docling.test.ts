/** docling-serve's API with the real worker. `npm run test:clients` has Docling's own client. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { stack, unseen } from "./support.ts";

const headers = { "x-api-key": stack.key };
const fixture = (name: string) => readFileSync(join(import.meta.dirname, "fixtures", name));

// biome-ignore lint/suspicious/noExplicitAny: tests check responses field by field.
async function send(path: string, body?: FormData): Promise<any> {
  const response = await fetch(stack.origin + path, {
    headers,
    ...(body && { method: "POST", body }),
  });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

function formOf(file: Blob, name: string, fields: Record<string, string>): FormData {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  form.append("files", file, name);
  return form;
}

describe("docling-serve's API", () => {
  test("reads a form, and answers with a document that has cells, headings and pictures", async () => {
    const formats = { to_formats: "md,json", image_export_mode: "embedded" };
    const invoice = formOf(new Blob([unseen("invoice.pdf")]), "invoice.pdf", formats);
    const { status, document } = await send("/v1/convert/file", invoice);
    assert.equal(status, "success");
    assert.match(document.md_content, /^# Invoice/);
    const [table] = document.json_content.tables;
    assert.equal(table.data.grid[1][1].text, "Microfilm scanner, refurbished");
    assert.ok(table.data.grid[0][0].column_header);
    assert.ok(table.data.table_cells[0].bbox.r < document.json_content.pages["1"].size.width);
    const figure = formOf(new Blob([fixture("figure.pdf")]), "figure.pdf", formats);
    const [picture] = (await send("/v1/convert/file", figure)).document.json_content.pictures;
    assert.match(picture.image.uri, /^data:image\//);
  });

  test("starts a task, whose pages are those of the range, without footers in the body", async () => {
    const fields = { to_formats: "md,json", page_range: "2,3" };
    const form = formOf(new Blob([unseen("report-12.pdf")]), "report.pdf", fields);
    let task = await send("/v1/convert/file/async", form);
    while (!["success", "failure"].includes(task.task_status))
      task = await send(`/v1/status/poll/${task.task_id}?wait=5`);
    assert.equal(task.task_status, "success");
    const { document } = await send(`/v1/result/${task.task_id}`);
    assert.deepEqual(Object.keys(document.json_content.pages), ["2", "3"]);
    assert.doesNotMatch(document.md_content, /Page \d+ of 12/);
    const footers = document.json_content.texts.filter(
      ({ content_layer }: { content_layer: string }) => content_layer === "furniture",
    );
    assert.equal(footers.length, 2);
  });
});
