/**
 * A stub of Replicate's HTTP API, built from its documentation, since it cannot be reached from
 * tests: deployments' predictions, cancel, and the signature of its webhooks.
 */
import { vi } from "vitest";

export const SECRET = `whsec_${btoa("replicate-secret-of-the-tests")}`;

export class ReplicateApiStub {
  readonly requests: { method: string; url: string; headers: Headers; body: unknown }[] = [];
  status = 201;

  install(): this {
    vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
      const request = new Request(input as RequestInfo, init as RequestInit);
      const text = await request.text();
      this.requests.push({
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: text === "" ? null : JSON.parse(text),
      });
      if (this.status >= 400)
        return Response.json(
          { detail: "stub" },
          { status: this.status, headers: { "retry-after": "1" } },
        );
      return Response.json({ id: "pred1", status: "starting", urls: {} }, { status: this.status });
    });
    return this;
  }
}

/** Signs as Replicate does: HMAC-SHA256 over `id.timestamp.body`, base64, prefixed `v1,`. */
export async function sign(id: string, timestamp: number, body: string, secret = SECRET) {
  const raw = Uint8Array.from(atob(secret.slice(6)), (c) => c.charCodeAt(0));
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const hmac = await crypto.subtle.importKey("raw", raw, algorithm, false, ["sign"]);
  const text = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  const signature = await crypto.subtle.sign("HMAC", hmac, text);
  return `v1,${btoa(String.fromCharCode(...new Uint8Array(signature)))}`;
}
