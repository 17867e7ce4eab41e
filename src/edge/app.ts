/** Builds the Hono app: request ids, one error handler, and the routes in the order of the docs. */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { App, AppEnv } from "./context.ts";
import { allowBrowsers } from "./http/cors.ts";
import { notFoundPage, wantsPage } from "./http/not-found-page.ts";
import { observe } from "./http/observe.ts";
import { knownProblem, problemResponse } from "./http/problem.ts";
import { requestBody } from "./http/request-body.ts";
import "./http/schema-names.ts";
import { invalidRequest, Problem } from "./problem.ts";
import { routes } from "./routes/index.ts";

export function newApp(): App {
  const app: App = new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.error.issues);
    },
  });

  app.use(observe);
  app.use(requestBody);

  app.onError((error, c) => {
    const requestId = c.get("requestId");
    return problemResponse(knownProblem(error, requestId), requestId);
  });

  allowBrowsers(app);
  for (const route of routes) route(app);

  // A path that exists only with other methods: 405 with those methods in `Allow` (RFC 9110, 15.5.6).
  const served = app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => ({ method, pattern: pathPattern(path) }));
  app.notFound((c) => {
    const methods = served.filter(({ pattern }) => pattern.test(c.req.path));
    const allow = [...new Set(methods.map(({ method }) => method))].join(", ");
    if (!allow && wantsPage(c)) return notFoundPage();
    const problem = allow
      ? new Problem("method-not-allowed", `Allowed here: ${allow}.`, {}, { allow })
      : new Problem("not-found");
    return problemResponse(problem, c.get("requestId"));
  });
  return app;
}

/** `/v1/jobs/:id` and `/pages/:page{[0-9]+}` as regular expressions. */
function pathPattern(path: string): RegExp {
  const parts = path.split("/").map((part) => {
    const named = /^:\w+(?:\{(.+)\})?$/.exec(part);
    return named ? (named[1] ?? "[^/]+") : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("/")}$`);
}
