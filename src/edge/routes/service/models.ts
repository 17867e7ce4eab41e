/** GET /v1/models and /v1/models/{id}: the available readers, in the format of OpenAI's API. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Env } from "../../bindings.ts";
import type { App } from "../../context.ts";
import { Installation, installations } from "../../dispatch/installation.ts";
import { MISTRAL_OCR, meansDefault } from "../../domain/mistral/request.ts";
import { reader, SEQUENCE_PAGES, SEQUENCES, TEXT_LAYERS } from "../../domain/pages/models.ts";
import { GRANULARITIES } from "../../domain/pages/presentation.ts";
import { requires } from "../../http/auth.ts";
import { withOpenAiError } from "../../http/openai-error.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { seenModels } from "../../storage/models.ts";

const Model = z
  .object({
    id: z.string().openapi({ example: "deepseek-ocr" }),
    object: z.literal("model"),
    created: z.int().openapi({ description: "When a worker first reported these weights, or 0" }),
    owned_by: z.literal("fovea"),
    type: z.literal("base").openapi({ description: "For Mistral's clients" }),
    capabilities: z
      .object({ ocr: z.literal(true), vision: z.literal(true) })
      .openapi({ description: "For Mistral's clients" }),
    aliases: z.array(z.string()).openapi({
      description: "Other names. All names of the form `mistral-ocr-…` mean the default model",
    }),
    fovea: z.object({
      tasks: z.array(z.string()),
      modes: z.array(z.string()),
      takes_prompts: z.boolean(),
      granularities: z
        .array(z.enum(GRANULARITIES))
        .openapi({ description: "What its results can be divided into" }),
      text_layers: z
        .array(z.enum(TEXT_LAYERS))
        .openapi({ description: "Values of `text_layer` that it supports" }),
      sequences: z.array(z.enum(SEQUENCES)).openapi({
        description: `Values of \`sequence\` that it supports. \`document\`: up to ${SEQUENCE_PAGES} pages together`,
      }),
      languages: z
        .array(z.string())
        .nullable()
        .openapi({
          description:
            "BCP-47 tags of the languages that it reads; `null` if no worker has reported any",
          example: ["de", "en", "ru"],
        }),
      digest: z
        .string()
        .nullable()
        .openapi({ description: "`null` until a worker has reported it" }),
      installation: Installation.nullable().openapi({
        description:
          "On a machine of one's own, while the model is not there yet. `installing`: at `step` of `steps`, which is `detail`; its jobs wait · `failed`: why, and what to do, is `detail`. `null`: the model is installed",
      }),
    }),
  })
  .openapi("Model");

const common = {
  method: "get" as const,
  tags: ["chat"],
  security: [{ bearer: [] }],
  middleware: requires("read"),
};

const list = createRoute({
  ...common,
  path: "/v1/models",
  operationId: "listModels",
  summary: "List the available readers",
  responses: {
    200: {
      description: "The readers; the first is the default",
      content: {
        "application/json": {
          schema: z.object({ object: z.literal("list"), data: z.array(Model) }),
        },
      },
    },
    ...problems(),
  },
});

const one = createRoute({
  ...common,
  path: "/v1/models/{id}",
  operationId: "getModel",
  summary: "Get a reader",
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: { description: "The reader", content: { "application/json": { schema: Model } } },
    ...problems("not-found"),
  },
});

async function offered(env: Env): Promise<z.infer<typeof Model>[]> {
  const { MODELS, DEFAULT_MODEL } = settings(env);
  const [seen, missing] = await Promise.all([seenModels(env.DB), installations(env)]);
  const names = [DEFAULT_MODEL, ...MODELS.filter((name) => name !== DEFAULT_MODEL)];
  return names.map((id) => {
    const { tasks, modes, prompts, granularities = ["block"], layers, documents } = reader(id);
    const { digest = null, seenAt = 0, languages = null } = seen.get(id) ?? {};
    return {
      id,
      object: "model",
      created: Math.floor(seenAt / 1000),
      owned_by: "fovea",
      type: "base",
      capabilities: { ocr: true, vision: true },
      aliases: id === DEFAULT_MODEL ? [MISTRAL_OCR] : [],
      fovea: {
        tasks: [...tasks],
        modes: [...modes],
        takes_prompts: prompts,
        granularities: [...granularities],
        text_layers: layers ? [...TEXT_LAYERS] : ["auto", "never"],
        sequences: documents ? [...SEQUENCES] : ["page"],
        languages,
        digest,
        installation: missing[id] ?? null,
      },
    };
  });
}

export const models = (app: App) => {
  app.use("/v1/models/*", withOpenAiError);
  app.openapi(list, async (c) =>
    c.json({ object: "list" as const, data: await offered(c.env) }, 200),
  );
  app.openapi(one, async (c) => {
    const { id } = c.req.valid("param");
    const wanted = meansDefault(id) ? settings(c.env).DEFAULT_MODEL : id;
    const model = (await offered(c.env)).find((candidate) => candidate.id === wanted);
    if (!model) throw new Problem("not-found", "No such model.");
    return c.json(model, 200);
  });
};
