/** Contexts, their messages and segments as the API shows them. */
import { z } from "@hono/zod-openapi";
import type { Context as HonoContext } from "hono";
import type { AppEnv } from "../../context.ts";
import * as find from "../../contexts/find.ts";
import { PartSchema, ROLES } from "../../domain/memory/chat-message.ts";
import { IMAGE_MODES } from "../../domain/memory/vision-tokens.ts";
import { NullablePageError } from "../../domain/pages/page-result.ts";
import type { Context } from "../../storage/memory/contexts.ts";
import type { Message } from "../../storage/memory/messages.ts";

const time = z.iso.datetime();

export const Form = z.string().max(32).openapi({
  description:
    "`text`, `summary` (what a model wrote about the segment), `index` (only the line that says what is in it), `none` (left out), or a form of the profile, such as `tiny-12`: pages of its geometry with type of 12 pixels",
  example: "tiny-12",
});

export const FadeSchema = z
  .strictObject({
    by: z.enum(["time", "rounds"]).default("time").openapi({
      description: "`rounds`: age is the number of later messages with the role `user`",
    }),
    rungs: z
      .array(
        z.strictObject({
          form: Form,
          after: z.number().min(0).max(1e10).openapi({ description: "Seconds, or rounds" }),
        }),
      )
      .min(1)
      .max(10),
  })
  .openapi("Fade", {
    example: { by: "time", rungs: [{ form: "tiny-9", after: 2_592_000 }] },
  });

export const ContextSchema = z
  .object({
    id: z.string().openapi({ example: "ctx_01jdf7k2m4c8q6w0e5r9t1y3" }),
    name: z.string().nullable(),
    profile: z.string(),
    token_budget: z.int().nullable(),
    recent: z.int(),
    fade: z.union([FadeSchema, z.null()]),
    summaries: z.boolean(),
    reader: z.string().nullable(),
    erase_after: z.int().nullable(),
    metadata: z.record(z.string(), z.string()),
    last_message: z
      .int()
      .openapi({ description: "Number of the newest message; numbers start at 1" }),
    error: NullablePageError.openapi({ description: "Why the last step of ageing failed" }),
    created_at: time,
    aged_at: time.nullable(),
    links: z.object({
      self: z.string(),
      messages: z.string(),
      segments: z.string(),
      view: z.string(),
      search: z.string(),
      export: z.string(),
    }),
  })
  .openapi("Context");

export const Precision = z
  .tuple([z.number(), z.number()])
  .nullable()
  .openapi({
    description:
      "Lowest and highest precision that the DeepSeek-OCR paper measured at this compression; `null` outside the range that it measured",
    example: [0.968, 0.985],
  });

export const MessageSchema = z
  .object({
    number: z.int(),
    role: z.enum(ROLES),
    pinned: z.boolean(),
    importance: z.number(),
    text_tokens: z.int().openapi({ description: "Estimate for DeepSeek's tokenizer" }),
    characters: z.int(),
    sha256: z.string().openapi({ description: "Of its text as Markdown" }),
    segment: z.string().nullable().openapi({ description: "`null`: it is not sealed yet" }),
    original: z.enum(["kept", "erased"]).openapi({
      description: "`erased`: only the images of its segment are left",
    }),
    created_at: time,
  })
  .openapi("ContextMessage");

/** With what was said. */
export const MessageWithText = MessageSchema.extend({
  name: z.string().nullable(),
  parts: z.array(PartSchema).nullable().openapi({ description: "`null` if the text is erased" }),
  text: z.string().nullable().openapi({ description: "The parts as Markdown" }),
}).openapi("ContextMessageWithText");

/** Modes of DeepSeek-OCR, in which `POST /v1/compress` lays out pages. */
export const ImageModeSchema = z.enum(IMAGE_MODES);

const iso = (at: number) => new Date(at).toISOString();

export function contextView(context: Context): z.infer<typeof ContextSchema> {
  const self = `/v1/contexts/${context.id}`;
  return {
    id: context.id,
    name: context.name,
    profile: context.profile,
    token_budget: context.tokenBudget,
    recent: context.recent,
    fade: context.fade,
    summaries: context.summaries,
    reader: context.reader,
    erase_after: context.eraseAfter,
    metadata: context.metadata,
    last_message: context.lastNumber,
    error: context.error,
    created_at: iso(context.createdAt),
    aged_at: context.agedAt === null ? null : iso(context.agedAt),
    links: {
      self,
      messages: `${self}/messages`,
      segments: `${self}/segments`,
      view: `${self}/view`,
      search: `${self}/search`,
      export: `${self}/export`,
    },
  };
}

export const messageView = (message: Message): z.infer<typeof MessageSchema> => ({
  number: message.number,
  role: message.role,
  pinned: message.pinned,
  importance: message.importance,
  text_tokens: message.textTokens,
  characters: message.characters,
  sha256: message.sha256,
  segment: message.segmentId,
  original: message.erased ? "erased" : "kept",
  created_at: iso(message.createdAt),
});

export const demandContext = (c: HonoContext<AppEnv>, id: string): Promise<Context> =>
  find.demandContext(c.env, c.get("caller").tenantId, id);

export const demandMessage = (c: HonoContext<AppEnv>, context: Context, number: number) =>
  find.demandMessage(c.env, context, number);

export const contextParams = z.object({ id: z.string() });
export const messageParams = z.object({
  id: z.string(),
  number: z.coerce.number().int().min(1).openapi({ type: "integer", minimum: 1 }),
});
export const segmentParams = z.object({ id: z.string(), segment: z.string() });
