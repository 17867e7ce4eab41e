import { afterEach, expect, it, vi } from "vitest";
import { CogStub, call, json } from "../../support.ts";

afterEach(() => vi.restoreAllMocks());

it("is alive, and ready when a worker is", async () => {
  const cog = new CogStub().install();
  expect(await json(call("/health"))).toEqual({ status: "ok" });
  const ready = await call("/ready");
  expect(ready.status).toBe(200);
  expect(await ready.text()).not.toContain("cog.test");
  cog.up = false;
  const down = await call("/ready");
  expect(down.status).toBe(503);
  expect((await json(down)).phases).toEqual({
    settings: true,
    database: true,
    storage: true,
    workers: false,
  });
});

it("documents every public route, with the operation's id, its answers and its security", async () => {
  const spec = await json(call("/openapi.json"));
  expect(spec.openapi).toBe("3.1.0");
  const { routes } = await import("../../../../src/edge/app.ts").then(({ newApp }) => newApp());
  const served = routes
    .filter(
      ({ method, path }) =>
        method !== "ALL" && !path.startsWith("/callbacks") && path !== "/openapi.json",
    )
    .map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, "{$1}")}`);
  const documented = Object.entries(spec.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method} ${path}`),
  );
  expect([...new Set(served)].sort()).toEqual(documented.sort());
  const operations = Object.values(spec.paths).flatMap((methods) =>
    Object.values(methods as object),
  );
  const ids = operations.map((operation) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const operation of operations) {
    expect(operation.summary).toBeTruthy();
    expect(operation.tags).toHaveLength(1);
  }
  for (const [path, methods] of Object.entries(spec.paths))
    for (const operation of Object.values(
      methods as Record<string, { security?: unknown; responses: object; tags: string[] }>,
    ))
      if (path.startsWith("/v1")) {
        const alsoInHeader = operation.tags.includes("docling") ? [{ apiKey: [] }] : [];
        expect(operation.security).toEqual([{ bearer: [] }, ...alsoInHeader]);
        expect(Object.keys(operation.responses)).toContain("401");
      }
});

it("answers an unsupported method with the allowed ones", async () => {
  for (const [path, allow] of [
    ["/health", "GET"],
    ["/v1/files", "POST, GET"],
    [`/v1/jobs/job_${"0".repeat(24)}/cancel`, "POST"],
    ["/openapi.json", "GET"],
  ] as const) {
    const response = await call(path, { method: "PATCH" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, allow]);
    expect((await json(response)).type).toBe("urn:fovea:problem:method-not-allowed");
  }
});

it("answers an unknown path with a problem, and every answer with a request id", async () => {
  const response = await call("/v2/nothing");
  expect(response.status).toBe(404);
  expect(await json(response)).toMatchObject({ type: "urn:fovea:problem:not-found", status: 404 });
  expect(response.headers.get("x-request-id")).toMatch(/^req_/);
});

it("answers an unknown path with a page where a browser navigates", async () => {
  const accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
  const page = await call("/v2/nothing", { headers: { accept } });
  expect([page.status, page.headers.get("content-type")]).toEqual([
    404,
    "text/html; charset=utf-8",
  ]);
  expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'/);
  expect(await page.text()).not.toContain("v2/nothing");
  for (const other of ["*/*", "application/json", "application/json, text/html;q=0.5"]) {
    const problem = await call("/v2/nothing", { headers: { accept: other } });
    expect(problem.headers.get("content-type")).toBe("application/problem+json");
  }
  const method = await call("/health", { method: "PATCH", headers: { accept } });
  expect(method.status).toBe(405);
});
