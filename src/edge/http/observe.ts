/** One structured line for each request, and `Server-Timing` on each answer. No key and no document is in either. */
import { createMiddleware } from "hono/factory";
import { routePath } from "hono/route";
import type { AppEnv } from "../app.ts";
import type { Caller } from "./auth.ts";

export const observe = createMiddleware<AppEnv>(async (c, next) => {
  const started = performance.now();
  await next();
  // Inside a Worker the clock moves with I/O only: this is the time spent waiting, not computing.
  const ms = Math.round((performance.now() - started) * 10) / 10;
  c.header("server-timing", `edge;dur=${ms}`);
  if (c.env.LOG_REQUESTS === "false") return;
  const caller = c.get("caller") as Caller | undefined;
  console.log(
    JSON.stringify({
      ...{ request_id: c.get("requestId"), method: c.req.method, route: routePath(c, -1) },
      ...{ status: c.res.status, ms, tenant: caller?.tenantId, key: caller?.keyId },
    }),
  );
});
