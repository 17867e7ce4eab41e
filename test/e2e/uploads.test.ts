/** A large document goes to R2 by presigned addresses, over R2's own S3 interface, and is read then. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { api, example, finished, unseen } from "./support.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

interface Upload {
  id: string;
  state: string;
  file_id: string | null;
  parts: { part: number; bytes: number; url: string }[];
}

const post = async (path: string, body: object) =>
  (await (
    await api.call(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    })
  ).json()) as Upload;

async function send(bytes: Uint8Array<ArrayBuffer>): Promise<Upload> {
  const opened = await post("/v1/uploads", { bytes: bytes.length, sha256: sha256(bytes) });
  const parts: { part: number; etag: string }[] = [];
  let sent = 0;
  for (const { part, bytes: size, url } of opened.parts) {
    const answer = await fetch(url, { method: "PUT", body: bytes.slice(sent, sent + size) });
    assert.equal(answer.status, 200, await answer.text());
    parts.push({ part, etag: answer.headers.get("etag") as string });
    sent += size;
  }
  return post(`/v1/uploads/${opened.id}/complete`, { parts });
}

describe("uploads by presigned address", () => {
  test("one part: checked at once, and read", async () => {
    const done = await send(unseen("invoice.pdf"));
    assert.equal(done.state, "done");
    const job = await finished(await api.start({ file: done.file_id }));
    assert.equal(job.state, "succeeded");
  });

  test("a forged or changed address takes nothing", async () => {
    const bytes = unseen("blank.pdf");
    const opened = await post("/v1/uploads", { bytes: bytes.length, sha256: sha256(bytes) });
    for (const [name, value] of [
      ["X-Amz-Signature", "0".repeat(64)],
      ["partNumber", "2"],
    ] as const) {
      const url = new URL(opened.parts[0]?.url as string);
      url.searchParams.set(name, value);
      assert.equal((await fetch(url, { method: "PUT", body: bytes })).status, 403);
    }
  });

  test("several parts: checked by a workflow", async () => {
    const head = example("blank.pdf");
    const bytes = new Uint8Array(101 * 1024 * 1024);
    bytes.set(head);
    const checking = await send(bytes);
    assert.equal(checking.state, "checking");
    let state = checking.state;
    for (let i = 0; i < 300 && state === "checking"; i++) {
      await sleep(200);
      ({ state } = (await (await api.call(`/v1/uploads/${checking.id}`)).json()) as Upload);
    }
    assert.equal(state, "done");
  });
});
