/** Contexts and their messages as the API shows them. */
import { z } from "@hono/zod-openapi";
import type { Context as HonoContext } from "hono";
import type { AppEnv } from "../../context.ts";
import * as find from "../../contexts/find.ts";
import { DEFAULT_LADDER, FORMS, ladderFault } from "../../domain/memory/ladder.ts";
import { IMAGE_MODES } from "../../domain/memory/vision-tokens.ts";
import { NullablePageError } from "../../domain/pages/page-result.ts";
import { type Context, type Message, ROLES } from "../../storage/contexts.ts";

const time = z.iso.datetime();

export const LadderSchema = z
  .strictObject({
    by: z.enum(["time", "rounds"]).default("time").openapi({
      description: "`rounds`: age is the number of later messages with the role `user`",
    }),
    rungs: z
      .array(
        z.strictObject({
          form: z.enum(FORMS),
          after: z.number().min(0).max(1e10).openapi({ description: "Seconds, or rounds" }),
        }),
      )
      .min(1)
      .max(FORMS.length),
  })
  .superRefine((ladder, check) => {
    const fault = ladderFault(ladder);
    if (fault) check.addIssue({ code: "custom", path: ["rungs"], message: fault });
  })
  .openapi("Ladder", { example: DEFAULT_LADDER });

export const ContextSchema = z
  .object({
    id: z.string().openapi({ example: "ctx_01jdf7k2m4c8q6w0e5r9t1y3" }),
    name: z.string().nullable(),
    ladder: LadderSchema,
    token_budget: z.int().nullable(),
    erase_after: z.int().nullable(),
    metadata: z.record(z.string(), z.string()),
    last_message: z
      .int()
      .openapi({ description: "Number of the newest message; numbers start at 1" }),
    error: NullablePageError.openapi({ description: "Why the last ageing failed" }),
    created_at: time,
    aged_at: time.nullable(),
    links: z.object({ self: z.string(), view: z.string(), loss: z.string(), export: z.string() }),
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
    form: z.enum(FORMS),
    text_tokens: z.int().openapi({ description: "Estimate for DeepSeek's tokenizer" }),
    characters: z.int(),
    sha256: z.string(),
    original: z.enum(["text", "kept", "erased"]).openapi({
      description:
        "`text`: the message is still text · `kept`: it is part of an image, and its text is kept · `erased`: only the image is left",
    }),
    created_at: time,
  })
  .openapi("ContextMessage");

export const FormSchema = z.enum(FORMS);
export const ImageModeSchema = z.enum(IMAGE_MODES);

const iso = (at: number) => new Date(at).toISOString();

export function contextView(context: Context): z.infer<typeof ContextSchema> {
  const self = `/v1/contexts/${context.id}`;
  return {
    id: context.id,
    name: context.name,
    ladder: context.ladder,
    erase_after: context.eraseAfter,
    token_budget: context.tokenBudget,
    metadata: context.metadata,
    last_message: context.lastNumber,
    error: context.error,
    created_at: iso(context.createdAt),
    aged_at: context.agedAt === null ? null : iso(context.agedAt),
    links: {
      self,
      view: `${self}/view`,
      loss: `${self}/loss`,
      export: `${self}/export`,
    },
  };
}

export const messageView = (
  message: Message,
  form: z.infer<typeof FormSchema>,
): z.infer<typeof MessageSchema> => ({
  number: message.number,
  role: message.role,
  pinned: message.pinned,
  importance: message.importance,
  form,
  text_tokens: message.textTokens,
  characters: message.characters,
  sha256: message.sha256,
  original: form === "text" ? "text" : message.erased ? "erased" : "kept",
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
