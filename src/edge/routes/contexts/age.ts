/** POST /v1/contexts/{id}/age: ages a context now, without waiting for its driver; or predicts what ageing would do. */
import { waitUntil } from "cloudflare:workers";
import { createRoute, z } from "@hono/zod-openapi";
import type { Env } from "../../bindings.ts";
import type { App } from "../../context.ts";
import { age, type Change, whatIf } from "../../contexts/age.ts";
import { summarise } from "../../contexts/summarise.ts";
import { showContext } from "../../contexts/view.ts";
import { stepOver } from "../../contexts/wait.ts";
import { preferredWait } from "../../domain/protocol/prefer.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { wakeContext } from "../../signals/wake-context.ts";
import { bestEffort } from "../../storage/fault.ts";
import { type Context, findContext } from "../../storage/memory/contexts.ts";
import { contextParams, demandContext, Form } from "./shapes.ts";
import { Tokens } from "./show.ts";

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
        "`making`: images or summaries are being made, ask again · `busy`: another request or the service itself is ageing the context · `failed`: see `error`; the next attempt is in ten minutes",
    }),
    sealed: z.int().openapi({ description: "New segments" }),
    changes: z
      .array(
        z.object({
          segment: z.string(),
          first_message: z.int(),
          last_message: z.int(),
          from: Form,
          to: Form,
          tokens_before: z.int(),
          tokens_after: z.int().openapi({ description: "Expected, if the image is not made yet" }),
        }),
      )
      .openapi({ description: "What the view of the context's own profile shows differently" }),
    tokens: Tokens.openapi({ description: "Of the view as it is now" }),
    expected_tokens: z.int().openapi({ description: "After everything that is due" }),
    token_budget: z.int().nullable(),
    over_budget: z.boolean(),
    over_budget_reason: z.string().nullable(),
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
    "Seals older messages, makes the images and summaries that views need, and lets views show them. The service does this by itself, some seconds after each change. With `Prefer: wait=N`, the response waits up to N seconds until it is done. Safe to repeat.",
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
    let sealed = 0;
    let state: z.infer<typeof Ageing>["state"] = "done";
    if (!dry_run) {
      const until = began + wait * 1000;
      for (;;) {
        const step = await age(c.env, context, at());
        state = step === null ? "busy" : step.pending ? "making" : "done";
        changes.push(...(step?.changes ?? []));
        sealed += step?.sealed ?? 0;
        const asked = Date.now() < until ? await summariesBy(c.env, context, until) : 0;
        if (state === "done" && asked + (step?.changes.length ?? 0) + (step?.sealed ?? 0) === 0)
          break;
        if (Date.now() >= until) break;
        // Without jobs it waits for a provider.
        const idle = step?.pending && step.jobs.length === 0 && asked === 0;
        if (!(await stepOver(c.env, context.tenantId, idle ? null : step, until))) break;
      }
    }
    if (!dry_run) wakeContext(c.env, context.id);
    const look = await whatIf(c.env, context, at());
    const now = (await findContext(c.env.DB, context.tenantId, context.id)) ?? context;
    const shown = await showContext(c.env, now, now.profile, "none");
    if (now.error && state === "done" && !dry_run) state = "failed";
    if (wait > 0) c.header("preference-applied", `wait=${wait}`);
    return c.json(
      {
        context_id: context.id,
        dry_run,
        at: new Date(at()).toISOString(),
        state,
        sealed,
        changes: (dry_run ? look.changes : changes).map((change) => ({
          segment: change.segment.id,
          first_message: change.segment.first,
          last_message: change.segment.last,
          from: change.from,
          to: change.to,
          tokens_before: Math.round(change.tokensBefore),
          tokens_after: Math.round(change.tokensAfter),
        })),
        tokens: shown.tokens,
        expected_tokens: Math.round(look.tokens),
        token_budget: now.tokenBudget,
        over_budget: shown.overBudget !== null,
        over_budget_reason: shown.overBudget,
        error: now.error,
      },
      state === "making" || state === "busy" ? 202 : 200,
    );
  });

/** Has summaries made; those that take longer than until then are made after the response. */
async function summariesBy(env: Env, context: Context, until: number): Promise<number> {
  const work = summarise(env, context);
  waitUntil(bestEffort(work, { summaries_of: context.id }));
  const late = new Promise<number>((resolve) => setTimeout(resolve, until - Date.now(), 0));
  return Promise.race([work, late]);
}
