/** GET /v1/contexts/{id}/segments and …/segments/{segment}; POST …/segments/{segment}/zoom; GET /v1/memory/profiles */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { priced } from "../../contexts/create.ts";
import { demandSegment } from "../../contexts/find.ts";
import { pageUrl } from "../../contexts/view.ts";
import { openSegment, zoomSegment } from "../../contexts/zoom.ts";
import { PROFILES } from "../../domain/memory/profiles.ts";
import { expectedPrecision } from "../../domain/memory/vision-tokens.ts";
import { NullablePageError } from "../../domain/pages/page-result.ts";
import { preferredWait } from "../../domain/protocol/prefer.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { problems } from "../../http/problem.ts";
import { settings } from "../../settings.ts";
import type { Context } from "../../storage/memory/contexts.ts";
import {
  contents,
  formIn,
  type Render,
  rendersOf,
  type Segment,
} from "../../storage/memory/segments.ts";
import { findSummary, type Summary } from "../../storage/memory/summaries.ts";
import { withText } from "./messages.ts";
import {
  contextParams,
  demandContext,
  Form,
  MessageWithText,
  Precision,
  segmentParams,
} from "./shapes.ts";
import { PageSchema } from "./show.ts";

const RenderSchema = z
  .object({
    profile: z.string(),
    form: Form,
    state: z.enum(["making", "checking", "ready", "failed"]).openapi({
      description: "`checking`: a reader is reading its pages",
    }),
    tokens: z.int().openapi({ description: "Of its pages and its sidecar" }),
    pages: z.int(),
    compression: z.number().nullable().openapi({
      description: "Text tokens of the segment for each token of the image",
    }),
    precision: z.number().nullable().openapi({
      description: "Share of characters that the context's reader read; `null`: not checked",
    }),
    expected_precision: Precision,
    sidecar: z.array(z.string()),
    error: NullablePageError,
  })
  .openapi("ContextRender");

const SummarySchema = z
  .object({
    state: z.enum(["making", "ready", "failed"]),
    text: z.string().nullable().openapi({
      description: "What a model wrote about the segment. Not its words, and it can be wrong",
    }),
    model: z.string().nullable(),
    tokens: z.int().openapi({ description: "Estimated, with its label in a view" }),
    error: NullablePageError.openapi({ description: "Why the last request for it failed" }),
  })
  .openapi("ContextSummary");

const SegmentSchema = z
  .object({
    id: z.string(),
    first_message: z.int(),
    last_message: z.int(),
    text_tokens: z.int(),
    importance: z.number(),
    index: z.string().openapi({ description: "What is in the segment, in a line" }),
    original: z.enum(["kept", "erased"]),
    summary: z.union([SummarySchema, z.null()]).openapi({
      description:
        "`null`: it was not asked for yet, the context has no summaries, the segment is too short for one, or its texts are erased",
    }),
    form: Form.openapi({ description: "In the view of the context's own profile" }),
    renders: z.array(RenderSchema),
    newest_at: z.iso.datetime(),
    created_at: z.iso.datetime(),
  })
  .openapi("ContextSegment");

const list = createRoute({
  method: "get",
  path: "/v1/contexts/{id}/segments",
  operationId: "listContextSegments",
  tags: ["contexts"],
  summary: "List segments, oldest first",
  description:
    "Sealed runs of messages: what is in each, in which form views show it, and how legible its images are.",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: { params: contextParams },
  responses: {
    200: {
      description: "The segments",
      content: { "application/json": { schema: z.object({ data: z.array(SegmentSchema) }) } },
    },
    ...problems("not-found"),
  },
});

const open = createRoute({
  method: "get",
  path: "/v1/contexts/{id}/segments/{segment}",
  operationId: "openContextSegment",
  tags: ["contexts"],
  summary: "Open a segment",
  description:
    "The segment and its messages with their texts; `text` is `null` where it is erased.",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: { params: segmentParams },
  responses: {
    200: {
      description: "The segment",
      content: {
        "application/json": {
          schema: SegmentSchema.extend({ messages: z.array(MessageWithText) }).openapi(
            "ContextSegmentWithMessages",
          ),
        },
      },
    },
    ...problems("not-found"),
  },
});

const ZoomSchema = z
  .object({
    context_id: z.string(),
    segment: z.string(),
    profile: z.string(),
    form: Form,
    state: z.enum(["making", "ready"]).openapi({ description: "`making`: repeat the request" }),
    pages: z.array(PageSchema),
  })
  .openapi("ContextZoom");

const zoom = createRoute({
  method: "post",
  path: "/v1/contexts/{id}/segments/{segment}/zoom",
  operationId: "zoomContextSegment",
  tags: ["contexts"],
  summary: "See a segment in another form",
  description:
    "Page images of a segment in a clearer or fainter form, made from its texts. Views stay as they are. With `Prefer: wait=N`, the response waits up to N seconds.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(KIB)] as const,
  request: {
    params: segmentParams,
    headers: z.object({ prefer: z.string().optional() }),
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z
            .strictObject({
              profile: z.string().max(64).optional(),
              form: Form,
            })
            .openapi("ZoomContextSegment"),
        },
      },
    },
  },
  responses: {
    200: { description: "The pages", content: { "application/json": { schema: ZoomSchema } } },
    202: {
      description: "The pages are being made",
      content: { "application/json": { schema: ZoomSchema } },
    },
    ...problems(
      JSON_BODY,
      "not-found",
      "unknown-profile",
      "unknown-form",
      "text-erased",
      "document-unread",
      "gone",
    ),
  },
});

const ProfileSchema = z
  .object({
    id: z.string(),
    provider: z.string(),
    version: z.string().openapi({ description: "Date on which `source` said so" }),
    source: z.string(),
    forms: z.array(
      z.object({
        id: Form,
        width: z.int(),
        height: z.int(),
        type_size: z.number().openapi({ description: "In pixels" }),
        tokens: z.int().openapi({ description: "Of a full page" }),
        text_tokens: z.int().openapi({ description: "About how many a full page holds" }),
        detail: z.string().nullable(),
      }),
    ),
    limits: z.object({
      images: z.int(),
      image_bytes: z.int(),
      side: z.int().openapi({ description: "Longest side in pixels" }),
    }),
    prices: z
      .union([
        z.object({ input: z.number(), cached_input: z.number(), cache_write: z.number() }),
        z.null(),
      ])
      .openapi({ description: "Dollars for a million tokens" }),
    advice: z.string().nullable().openapi({ description: "Why images do not pay, if they do not" }),
  })
  .openapi("MemoryProfile");

const profiles = createRoute({
  method: "get",
  path: "/v1/memory/profiles",
  operationId: "listMemoryProfiles",
  tags: ["contexts"],
  summary: "List profiles",
  description:
    "What each provider charges for text and for page images, by its own documentation, and the page formats that are made for it.",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  responses: {
    200: {
      description: "The profiles",
      content: { "application/json": { schema: z.object({ data: z.array(ProfileSchema) }) } },
    },
    ...problems(),
  },
});

export const contextsSegments = (app: App) => {
  app.openapi(list, async (c) => {
    const context = await demandContext(c, c.req.valid("param").id);
    const { segments, renders, views, summaries } = await contents(c.env.DB, context.id);
    const forms = views.find(({ profile }) => profile === context.profile)?.forms ?? {};
    const own = Map.groupBy(renders, ({ segmentId }) => segmentId);
    const written = new Map(summaries.map((summary) => [summary.segmentId, summary]));
    const data = segments.map((one) =>
      segmentView(one, forms[one.id], own.get(one.id) ?? [], written.get(one.id)),
    );
    return c.json({ data }, 200);
  });

  app.openapi(open, async (c) => {
    const { id, segment: segmentId } = c.req.valid("param");
    const context = await demandContext(c, id);
    const segment = await demandSegment(c.env, context, segmentId);
    const form = await formIn(c.env.DB, context, segment.id);
    const own = await rendersOf(c.env.DB, segment.id);
    const summary = await findSummary(c.env.DB, segment.id);
    const messages = (await openSegment(c.env, context, segment)).map(({ message, content }) =>
      withText(message, content),
    );
    return c.json({ ...segmentView(segment, form, own, summary), messages }, 200);
  });

  app.openapi(zoom, async (c) => {
    const { id, segment: segmentId } = c.req.valid("param");
    const { form, profile: asked } = c.req.valid("json");
    const context = await demandContext(c, id);
    const segment = await demandSegment(c.env, context, segmentId);
    const wait = preferredWait(c.req.valid("header").prefer, settings(c.env).MAX_WAIT_S);
    if (wait > 0) c.header("preference-applied", `wait=${wait}`);
    const profile = asked ?? context.profile;
    const render = await zoomSegment(c.env, context, segment, { profile, form }, wait * 1000);
    const made = render.pages.length > 0;
    const answer = {
      context_id: context.id,
      segment: segment.id,
      profile,
      form,
      state: made ? ("ready" as const) : ("making" as const),
      pages: await pagesOf(c.env, context, render),
    };
    return c.json(answer, made ? 200 : 202);
  });

  app.openapi(profiles, (c) =>
    c.json({ data: PROFILES.map((profile) => profileView(priced(c.env, profile))) }, 200),
  );
};

const pagesOf = (env: Parameters<typeof pageUrl>[0], context: Context, render: Render) =>
  Promise.all(
    render.pages.map(async ({ fileId: _, messages, ...page }, i) => ({
      ...page,
      url: await pageUrl(env, context, render, i + 1, "url"),
      messages: messages as z.infer<typeof PageSchema>["messages"],
    })),
  );

function segmentView(
  segment: Segment,
  form: string | undefined,
  renders: Render[],
  summary: Summary | undefined,
): z.infer<typeof SegmentSchema> {
  return {
    id: segment.id,
    first_message: segment.first,
    last_message: segment.last,
    text_tokens: segment.textTokens,
    importance: segment.importance,
    index: segment.indexLine,
    original: segment.erased ? "erased" : "kept",
    summary: summary ? summaryView(summary) : null,
    form: form ?? "text",
    renders: renders.map((render) => renderView(segment, render)),
    newest_at: new Date(segment.newestAt).toISOString(),
    created_at: new Date(segment.createdAt).toISOString(),
  };
}

const summaryView = ({ text, model, tokens, error, dueAt }: Summary) => ({
  state:
    text !== null ? ("ready" as const) : dueAt === null ? ("failed" as const) : ("making" as const),
  text,
  model,
  tokens,
  error,
});

function renderView({ textTokens }: Segment, render: Render): z.infer<typeof RenderSchema> {
  const { profile, form, state, tokens, pages, precision, sidecar, error } = render;
  const compression = tokens > 0 ? Math.round((textTokens / tokens) * 1000) / 1000 : null;
  return {
    profile,
    form,
    state,
    tokens,
    pages: pages.length,
    compression,
    precision,
    expected_precision: compression === null ? null : expectedPrecision(compression),
    sidecar,
    error,
  };
}

const profileView = (profile: (typeof PROFILES)[number]): z.infer<typeof ProfileSchema> => ({
  id: profile.id,
  provider: profile.provider,
  version: profile.version,
  source: profile.source,
  forms: profile.forms.map(({ id, page, tokens, holds, detail }) => ({
    id,
    width: page.width,
    height: page.height,
    type_size: page.size,
    tokens: tokens(page.width, page.height),
    text_tokens: Math.round(holds),
    detail,
  })),
  limits: {
    images: profile.limits.images,
    image_bytes: profile.limits.imageBytes,
    side: profile.limits.side,
  },
  prices: profile.prices && {
    input: profile.prices.input,
    cached_input: profile.prices.cachedInput,
    cache_write: profile.prices.cacheWrite,
  },
  advice: profile.advice,
});
