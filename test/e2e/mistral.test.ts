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

describe("Mistral's client", () => {
  test("uploads a file, reads it by its signed address, and deletes it", async () => {
    const content = new Blob([unseen("report-12.pdf")]);
    const file = await mistral.files.upload({
      file: { fileName: "report.pdf", content },
      purpose: "ocr",
    });
    assert.equal(file.filename, "report.pdf");
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

    const { data } = await mistral.files.list({ pageSize: 5, purpose: "ocr" });
    assert.equal(data[0]?.id, file.id);
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
