/** GET /openapi.json: made from the routes' own schemas. */
import type { App } from "../app.ts";
import { settings } from "../env.ts";
import { withExamples } from "../http/openapi-examples.ts";

export const openapi = (app: App) => {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    description: "An API key, `fov_live_…` or `fov_test_…`, or where it says so a browser token",
  });
  app.get("/openapi.json", (c) => {
    const document = app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: {
        title: "Fovea",
        version: "1",
        description: "Reads documents through few vision tokens. Errors are RFC 9457 problems.",
        license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
      },
      servers: [{ url: settings(c.env).PUBLIC_ORIGIN }],
    });
    return c.json(withExamples(document));
  });
};
