/** The edge with an additional route that does nothing, for bench/requery.ts. */
import { Hono } from "hono";
import edge from "../src/edge/index.ts";

export * from "../src/edge/index.ts";

const bare = new Hono().get("/bare", (c) => c.json({ hello: "world" }));

export default {
  ...edge,
  fetch: ((request, env, context) =>
    new URL(request.url).pathname === "/bare"
      ? bare.fetch(request)
      : edge.fetch(request, env, context)) as typeof edge.fetch,
};
