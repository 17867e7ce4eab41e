/** Who is not meant to get in does not, and learns nothing at the door. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Api } from "../../scripts/api.ts";
import { api, dispatches, newKey, read, stack, unseen } from "./support.ts";

const problem = async (response: Response) => {
  const { type, request_id, ...rest } = (await response.json()) as Record<string, unknown>;
  assert.match(String(request_id), /^req_/);
  return { status: response.status, type, ...rest };
};

describe("access", () => {
  test("a key with one character changed is refused with 401", async () => {
    for (const at of [12, 25, stack.key.length - 1]) {
      const other = stack.key[at] === "A" ? "B" : "A";
      const key = stack.key.slice(0, at) + other + stack.key.slice(at + 1);
      const { status, type } = await problem(await new Api(stack.origin, key).fetch("/v1/files"));
      assert.deepEqual([status, type], [401, "urn:fovea:problem:invalid-key"]);
    }
  });

  test("another tenant's job and file are answered like unknown ones", async () => {
    const job = await read(unseen("blank.pdf"));
    const stranger = new Api(stack.origin, (await newKey({ tenant: "stranger" })).key);
    const unknown = job.id.replace(/.{6}$/, "000000");
    const theirs = await problem(await stranger.fetch(`/v1/jobs/${job.id}`));
    assert.equal(theirs.status, 404);
    assert.deepEqual(theirs, await problem(await stranger.fetch(`/v1/jobs/${unknown}`)));
    for (const path of [`/v1/jobs/${job.id}/result`, `/v1/jobs/${job.id}/events`])
      assert.equal((await stranger.fetch(path)).status, 404);
    assert.equal((await stranger.ocr({ file: job.file_id })).status, 404);
  });

  test("a key may do what its scopes say, and nothing once it is revoked", async () => {
    const { id, key } = await newKey({ tenant: "reader", scopes: ["read"] });
    const reader = new Api(stack.origin, key);
    assert.equal((await reader.fetch("/v1/jobs")).status, 200);
    const { status, type } = await problem(
      await reader.fetch("/v1/files", { method: "POST", body: "x" }),
    );
    assert.deepEqual([status, type], [403, "urn:fovea:problem:missing-scope"]);
    assert.equal((await reader.fetch(`/v1/keys/${id}`, { method: "DELETE" })).status, 204);
    assert.equal((await reader.fetch("/v1/jobs")).status, 401);
  });
});

describe("callbacks", () => {
  test("forged, expired and stripped callback addresses are refused with 401", async () => {
    const job = await read(unseen("invoice.pdf"));
    assert.equal(job.state, "succeeded");
    const { push_url, webhook } = dispatches.at(-1) as (typeof dispatches)[number];

    const page = (url: URL) => {
      url.pathname += "/pages/1";
      return fetch(url, { method: "PUT", body: "{}" });
    };
    const forged = new URL(push_url);
    forged.searchParams.set("signature", "A".repeat(43));
    const expired = new URL(push_url);
    expired.searchParams.set("expires", String(Math.floor(Date.now() / 1000) - 10));
    const elsewhere = new URL(push_url);
    elsewhere.pathname = elsewhere.pathname.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    const stripped = new URL(push_url);
    stripped.search = "";
    for (const url of [forged, expired, elsewhere, stripped])
      assert.equal((await page(url)).status, 401);

    const closing = JSON.stringify({ id: "x", status: "succeeded" });
    const unauthenticated = await fetch(webhook, { method: "POST", body: closing });
    assert.equal(unauthenticated.status, 401, "the address alone does not close a shard");
  });

  test("a callback that comes again after the job's end changes nothing", async () => {
    const job = await read(unseen("invoice.pdf"));
    const { push_url } = dispatches.at(-1) as (typeof dispatches)[number];
    const { pages } = JSON.parse(await api.result(job.id, "json"));
    const again = { ...pages[0], markdown: "something else", blocks: [] };
    const url = new URL(push_url);
    url.pathname += "/pages/1";
    const response = await fetch(url, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(again),
    });
    assert.ok([204, 410].includes(response.status), `${response.status}`);
    assert.deepEqual(JSON.parse(await api.result(job.id, "json")).pages, pages);
  });
});
