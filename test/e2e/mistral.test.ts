/** Mistral's own TypeScript client, with nothing changed but the address and the key. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Mistral } from "@mistralai/mistralai";
import { HTTPValidationError, SDKError } from "@mistralai/mistralai/models/errors";
import { example, stack, unseen } from "./support.ts";

const mistral = new Mistral({ apiKey: stack.key, serverURL: stack.origin });
const model = "mistral-ocr-latest";
const schema = JSON.parse(new TextDecoder().decode(example("invoice.schema.json")));

async function over(jobId: string) {
  for (;;) {
    const job = await mistral.batch.jobs.get({ jobId });
    if (job.status !== "RUNNING") return job;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function linesOf(fileId: string | null | undefined) {
  const stream = await mistral.files.download({ fileId: fileId as string });
  const text = await new Response(stream).text();
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("Mistral's client", () => {
  test("uploads a file, reads it by its signed address, and deletes it", async () => {
    const content = new Blob([unseen("report-12.pdf")]);
    const file = await mistral.files.upload({
      file: { fileName: "Rain at Weir Bridge.pdf", content },
      purpose: "ocr",
    });
    assert.equal(file.filename, "Rain at Weir Bridge.pdf");
    const { url } = await mistral.files.getSignedUrl({ fileId: file.id, expiry: 1 });
    const answer = await mistral.ocr.process({
      model,
      document: { type: "document_url", documentUrl: url },
      pages: "0-1",
      tableFormat: "html",
      extractHeader: true,
      extractFooter: true,
      confidenceScoresGranularity: "block",
    });
    assert.deepEqual(
      answer.pages.map(({ index }) => index),
      [0, 1],
    );
    const [page] = answer.pages;
    assert.ok(page && page.markdown.length > 200);
    assert.ok((page.dimensions?.width ?? 0) > 500);
    const types = new Set(page.blocks?.map(({ type }) => type));
    assert.ok(types.has("text") || types.has("title"));
    assert.ok(page.blocks?.every((block) => !("isUnknown" in block)));
    assert.equal(answer.usageInfo.pagesProcessed, 2);
    assert.equal(answer.usageInfo.docSizeBytes, content.size);

    const { data, total } = await mistral.files.list({ search: "WEIR BRIDGE", purpose: "ocr" });
    assert.deepEqual([data.map(({ id }) => id), total], [[file.id], 1]);
    const { data: models } = await mistral.models.list();
    const known = models?.map((card) => ("id" in card ? card.id : null));
    assert.ok(known?.includes("pp-ocr"));
    assert.equal((await mistral.files.retrieve({ fileId: file.id })).sizeBytes, content.size);
    const bytes = await new Response(await mistral.files.download({ fileId: file.id })).bytes();
    assert.equal(bytes.length, content.size);
    assert.deepEqual(await mistral.files.delete({ fileId: file.id }), {
      id: file.id,
      object: "file",
      deleted: true,
    });
  });

  test("gets the words of an image with their confidence and their places", async () => {
    const data = Buffer.from(example("photo.jpg")).toString("base64");
    const answer = await mistral.ocr.process({
      model: "pp-ocr",
      document: { type: "image_url", imageUrl: `data:image/jpeg;base64,${data}` },
      confidenceScoresGranularity: "word",
      includeImageBase64: true,
    });
    const [page] = answer.pages;
    const words = page?.confidenceScores?.wordConfidenceScores ?? [];
    assert.ok(page && words.length > 20);
    const points = [...page.markdown];
    for (const { text, confidence, startIndex } of words) {
      assert.ok(confidence > 0 && confidence <= 1);
      assert.equal(points[startIndex]?.replace("&", "<"), [...text][0]?.replace("&", "<"));
    }
  });

  test("gets data by a JSON Schema", async () => {
    const data = Buffer.from(example("invoice.pdf")).toString("base64");
    const answer = await mistral.ocr.process({
      model,
      document: { type: "document_url", documentUrl: `data:application/pdf;base64,${data}` },
      documentAnnotationFormat: {
        type: "json_schema",
        jsonSchema: { name: "invoice", schemaDefinition: schema, strict: true },
      },
      documentAnnotationPrompt: "Amounts are in pounds.",
    });
    assert.ok(answer.pages.length > 0);
    const found = JSON.parse(answer.documentAnnotation ?? "null");
    assert.equal(found.invoice_number, "HIS-2026-0417");
    assert.equal(found.lines[0].amount, 1840);
  });

  test("gets data from each image of a page", async () => {
    const pdf = readFileSync(join(import.meta.dirname, "fixtures/figure.pdf"));
    const kind = { type: "object", properties: { kind: { type: "string" } }, required: ["kind"] };
    const answer = await mistral.ocr.process({
      model,
      document: {
        type: "document_url",
        documentUrl: `data:application/pdf;base64,${pdf.toString("base64")}`,
      },
      bboxAnnotationFormat: {
        type: "json_schema",
        jsonSchema: { name: "image", schemaDefinition: kind, strict: true },
      },
      includeImageBase64: true,
    });
    const [image, ...others] = answer.pages[0]?.images ?? [];
    assert.equal(others.length, 0);
    const [, type] = /^data:image\/(\w+);/.exec(image?.imageBase64 ?? "") ?? [];
    assert.deepEqual(JSON.parse(image?.imageAnnotation ?? "null"), { kind: type });
  });

  test("has many documents read by a job, from a file and from requests", async () => {
    const data = (name: string, type: string) =>
      `data:${type};base64,${Buffer.from(example(name)).toString("base64")}`;
    const requests = [
      {
        customId: "invoice",
        body: {
          document: { document_url: data("invoice.pdf", "application/pdf") },
          table_format: "html",
        },
      },
      { customId: "photo", body: { document: { image_url: data("photo.jpg", "image/jpeg") } } },
      { customId: "none", body: { document: { file_id: "none" } } },
    ];
    const lines = requests.map(({ customId, body }) =>
      JSON.stringify({ custom_id: customId, body }),
    );
    const file = await mistral.files.upload({
      file: { fileName: "requests.jsonl", content: new Blob([lines.join("\n")]) },
      purpose: "batch",
    });
    assert.equal(file.purpose, "batch");
    const endpoint = "/v1/ocr";
    const fromFile = await mistral.batch.jobs.create({ inputFiles: [file.id], model, endpoint });
    const fromRequests = await mistral.batch.jobs.create({ requests, model, endpoint });
    const [job, inline] = await Promise.all([over(fromFile.id), over(fromRequests.id)]);
    assert.deepEqual([job.status, job.succeededRequests, job.failedRequests], ["SUCCESS", 2, 1]);

    const answers = await linesOf(job.outputFile);
    const texts = answers.map(({ custom_id, response }) => [
      custom_id,
      response.body.pages[0].markdown,
    ]);
    assert.deepEqual(texts.map(([id]) => id).toSorted(), ["invoice", "photo"]);
    for (const [, markdown] of texts) assert.ok(markdown.length > 100);
    const [error] = await linesOf(job.errorFile);
    assert.deepEqual([error.custom_id, error.error.code], ["none", "invalid_request"]);
    assert.deepEqual(inline.outputs?.map(({ custom_id }) => custom_id).toSorted(), [
      "invoice",
      "none",
      "photo",
    ]);
    const { data: jobs, total } = await mistral.batch.jobs.list({ status: ["SUCCESS"] });
    assert.deepEqual(
      [total, jobs?.map(({ id }) => id).toSorted()],
      [2, [job.id, inline.id].toSorted()],
    );
    assert.equal((await mistral.batch.jobs.cancel({ jobId: job.id })).status, "SUCCESS");
    assert.equal((await mistral.batch.jobs.delete({ jobId: job.id })).deleted, true);
    await assert.rejects(mistral.files.download({ fileId: job.outputFile as string }));
  });

  test("raises its own errors, which say what is wrong", async () => {
    const document = { type: "document_url" as const, documentUrl: "https://example.com/a.pdf" };
    await assert.rejects(mistral.ocr.process({ model: "mistral-large", document }), (error) => {
      assert.ok(error instanceof HTTPValidationError);
      assert.match(error.detail?.[0]?.msg ?? "", /mistral-large is not available/);
      return true;
    });
    const stranger = new Mistral({ apiKey: "fov_live_wrong", serverURL: stack.origin });
    await assert.rejects(stranger.ocr.process({ model, document }), (error) => {
      assert.ok(error instanceof SDKError);
      assert.match(error.message, /401.*not a Fovea key/s);
      return true;
    });
  });
});
