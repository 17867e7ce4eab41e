/** Documents that cannot be read get a clear answer, and the next one is read as if nothing had been. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { api, example, read, unseen } from "./support.ts";

const text = (words: string) => new TextEncoder().encode(words) as Uint8Array<ArrayBuffer>;

describe("documents that cannot be read", () => {
  after(async () => {
    const job = await read(unseen("invoice.pdf"));
    assert.equal(job.state, "succeeded", "the worker reads on");
  });

  test("an encrypted PDF fails its job with document_encrypted", async () => {
    const bytes = readFileSync(join(import.meta.dirname, "fixtures/encrypted.pdf"));
    const job = await read(new Uint8Array(bytes));
    assert.equal(job.state, "failed");
    assert.equal(job.error?.code, "document_encrypted");
  });

  test("a broken PDF fails its job with document_broken", async () => {
    const job = await read(text("%PDF-1.7\nand then nothing that makes sense"));
    assert.equal(job.state, "failed");
    assert.equal(job.error?.code, "document_broken");
  });

  test("a file that is no document is refused when it is uploaded", async () => {
    const response = await api.fetch("/v1/files", { method: "POST", body: text("hello") });
    assert.equal(response.status, 415);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
  });

  test("pages past the end are failed pages, those before it are read", async () => {
    const job = await read(example("invoice.pdf"), { pages: "1,5" });
    assert.equal(job.state, "partial");
    const [first, fifth] = job.pages;
    assert.equal(first?.state, "done");
    assert.equal(fifth?.error?.code, "page_out_of_range");
  });

  test("an image of one pixel ends without a word and without a crash", async () => {
    const png =
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg==";
    const job = await read(new Uint8Array(Buffer.from(png, "base64")));
    assert.ok(["succeeded", "failed"].includes(job.state), job.state);
    assert.equal(job.pages.length, 1);
  });
});
