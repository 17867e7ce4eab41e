import { afterEach, expect, it, vi } from "vitest";
import { pdf } from "../../samples.ts";
import { CogStub, call, ended, json, newKey, post, upload } from "../../support.ts";

afterEach(() => vi.restoreAllMocks());

const bytes = (text: string) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const hexDigest = async (data: BufferSource) =>
  Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", data)), (b) =>
    b.toString(16).padStart(2, "0"),
  ).join("");

it("every page has a receipt that the public key verifies, even from the cache", async () => {
  const cog = new CogStub().install();
  const key = await newKey();
  const document = pdf();
  const file = await upload(key, document);
  const stop = cog.work(2);
  const first = await ended(key, (await json(post("/v1/ocr", key, { file: file.id }))).id);
  stop();
  const again = await json(post("/v1/ocr", key, { file: file.id, pages: "2", cache: "only" }));
  const { pages } = await json(call(`/v1/jobs/${first.id}/result`, { key }));
  const { keys } = await json(call("/.well-known/fovea-receipt-keys"));
  const algorithm = { name: "Ed25519" };
  const verifier = await crypto.subtle.importKey("jwk", keys[0], algorithm, false, ["verify"]);
  for (const { receipt, markdown, page } of [...pages, ...again.result.pages]) {
    const payload = new TextEncoder().encode(receipt.payload);
    expect(receipt.key_id).toBe(keys[0].kid);
    expect(await crypto.subtle.verify(algorithm, verifier, bytes(receipt.signature), payload)).toBe(
      true,
    );
    payload[10] = (payload[10] as number) ^ 1;
    expect(await crypto.subtle.verify(algorithm, verifier, bytes(receipt.signature), payload)).toBe(
      false,
    );
    expect(JSON.parse(receipt.payload)).toMatchObject({
      document_sha256: await hexDigest(document),
      page,
      model: "pp-ocr",
      dpi: 144,
      markdown_sha256: await hexDigest(new TextEncoder().encode(markdown)),
    });
  }
  expect(again.result.pages[0].receipt).toEqual(pages[1].receipt);
  expect(JSON.stringify(keys)).not.toContain('"d"');
});
