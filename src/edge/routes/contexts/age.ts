/** POST /v1/contexts/{id}/age: ages a context now, without waiting for the sweep; or predicts what ageing would do. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { age, type Change, whatIf } from "../../contexts/age.ts";
import { partsOf, tokensOf } from "../../contexts/memories.ts";
import { jobsOver } from "../../contexts/wait.ts";
import { preferredWait } from "../../domain/protocol/prefer.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { contents, findContext } from "../../storage/contexts.ts";
import { ContextTokens } from "./show.ts";
import { contextParams, demandContext, FormSchema, ImageModeSchema } from "./view.ts";

const Body = z
  .strictObject({
    dry_run: z.boolean().default(false).openapi({ description: "Only report what is due" }),
    at: z.iso.datetime({ offset: true }).optional().openapi({
      description:
        "Age as if it were this time, which must not be in the past. Without `dry_run`, this ageing is final.",
      example: "2027-11-24T12:00:00Z",
    }),
  })
  .openapi("AgeContext");

const Ageing = z
  .object({
    context_id: z.string(),
    dry_run: z.boolean(),
    at: z.iso.datetime(),
    state: z.enum(["done", "making", "busy", "failed"]).openapi({
      description:
        "`making`: images are being made, ask again · `busy`: another request or the sweep is ageing the context · `failed`: see `error`; the next attempt is in ten minutes",
    }),
    changes: z.array(
      z.object({
        first_message: z.int(),
        last_message: z.int(),
        from: FormSchema,
        to: ImageModeSchema,
        tokens_before: z.int(),
        tokens_after: z.int().openapi({ description: "Expected" }),
      }),
    ),
    tokens: ContextTokens,
    expected_tokens: z.int().openapi({ description: "After everything that is due" }),
    token_budget: z.int().nullable(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
  })
  .openapi("Ageing");

const answer = { content: { "application/json": { schema: Ageing } } };

const route = createRoute({
  method: "post",
  path: "/v1/contexts/{id}/age",
  operationId: "ageContext",
  tags: ["contexts"],
  summary: "Age a context now",
  description:
    "Moves messages that are due down the ladder. The service does this by itself every minute. With `Prefer: wait=N`, the response waits up to N seconds until it is done. Safe to repeat.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(KIB)] as const,
  request: {
    params: contextParams,
    headers: z.object({ prefer: z.string().optional() }),
    body: { required: true, content: { "application/json": { schema: Body } } },
  },
  responses: {
    200: { description: "Ageing is done or has failed, or `dry_run`", ...answer },
    202: { description: "Images are still being made", ...answer },
    ...problems(JSON_BODY, "not-found"),
  },
});

/** Pause before the next try at a context that is being aged elsewhere. */
const BUSY_MS = 500;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export const contextsAge = (app: App) =>
  app.openapi(route, async (c) => {
    const context = await demandContext(c, c.req.valid("param").id);
    const { dry_run, at: asked } = c.req.valid("json");
    const began = Date.now();
    if (asked && Date.parse(asked) < began - 60_000)
      throw new Problem("invalid-request", "at: must not be in the past.");
    const at = () => Math.max(Date.now(), asked ? Date.parse(asked) : 0);
    const wait = preferredWait(c.req.valid("header").prefer, settings(c.env).MAX_WAIT_S);

    const changes: Change[] = [];
    let state: z.infer<typeof Ageing>["state"] = "done";
    if (!dry_run) {
      const until = began + wait * 1000;
      for (;;) {
        const turn = await age(c.env, context, at());
        state = turn === null ? "busy" : turn.jobs.length > 0 ? "making" : "done";
        changes.push(...(turn?.changes ?? []));
        if (state === "done" && turn?.changes.length === 0) break;
        if (Date.now() >= until) break;
        if (turn === null) await sleep(BUSY_MS);
        else if (!(await jobsOver(c.env, context.tenantId, turn.jobs, until))) break;
      }
    }
    const look = await whatIf(c.env, context, at());
    const { messages, items } = await contents(c.env.DB, context.id);
    const { error } = (await findContext(c.env.DB, context.tenantId, context.id)) ?? context;
    if (error && state === "done" && !dry_run) state = "failed";
    if (wait > 0) c.header("preference-applied", `wait=${wait}`);
    return c.json(
      {
        context_id: context.id,
        dry_run,
        at: new Date(at()).toISOString(),
        state,
        changes: (dry_run ? look.changes : changes).map((change) => ({
          first_message: change.first,
          last_message: change.last,
          from: change.from,
          to: change.to,
          tokens_before: change.tokensBefore,
          tokens_after: change.tokensAfter,
        })),
        tokens: tokensOf(partsOf(messages, items)),
        expected_tokens: look.expected,
        token_budget: context.tokenBudget,
        error,
      },
      state === "making" || state === "busy" ? 202 : 200,
    );
  });
