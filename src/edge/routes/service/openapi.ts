/** GET /openapi.json, generated from the routes' schemas. */
import type { App } from "../../context.ts";
import { settings } from "../../settings.ts";
import { withExamples } from "./openapi-examples.ts";

export const openapi = (app: App) => {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    description:
      "An API key (`fov_live_…` or `fov_test_…`). Some routes also accept a browser token",
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "apiKey", {
    type: "apiKey",
    in: "header",
    name: "X-Api-Key",
    description: "The same API key, as docling-serve's clients send it",
  });
  app.get("/openapi.json", (c) => {
    const document = app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: {
        title: "Fovea",
        version: "1",
        description: "Reads documents through few vision tokens. Errors are RFC 9457 problems.",
        // `identifier` is new in OpenAPI 3.1; the type is that of 3.0.
        license: { name: "Apache-2.0", identifier: "Apache-2.0" } as { name: string },
      },
      servers: [{ url: settings(c.env).PUBLIC_ORIGIN }],
    });
    return c.json(withExamples(document));
  });
};
