/** Receipts, verified by the script that users have, against the running edge's public key. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { api, example, read, stack } from "./support.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "fovea-receipts-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function verify(result: string, document: string): Promise<{ status: number; said: string }> {
  const path = join(folder, "result.json");
  writeFileSync(path, result);
  const script = join(root, "scripts/verify-receipts.mjs");
  const args = [script, path, stack.origin, join(root, "examples", document)];
  return new Promise((resolve) =>
    execFile(process.execPath, args, (error, stdout) =>
      resolve({ status: error ? Number(error.code) : 0, said: stdout }),
    ),
  );
}

describe("receipts", () => {
  test("verify for what was read, and for nothing else", async () => {
    const job = await read(example("invoice.pdf"));
    const result = await api.result(job.id, "json");
    assert.deepEqual(await verify(result, "invoice.pdf"), { status: 0, said: "page 1: ok\n" });
    const changed = await verify(result.replaceAll("4,399.49", "4,399.50"), "invoice.pdf");
    assert.deepEqual(changed, { status: 1, said: "page 1: the text was changed\n" });
    const other = await verify(result, "paper.pdf");
    assert.deepEqual(other, {
      status: 1,
      said: "page 1: the receipt is for another document\n",
    });
    const forged = await verify(result.replace('\\"page\\":1', '\\"page\\":2'), "invoice.pdf");
    assert.deepEqual(forged, { status: 1, said: "page 1: the signature is wrong\n" });
  });
});
