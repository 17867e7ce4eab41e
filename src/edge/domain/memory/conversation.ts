/**
 * The document that the edge makes of messages, for `fovea-render` in the mode `auto`. Its pages show who said what, in
 * a way that no message can imitate.
 */
import { z } from "zod";

/** Pixels. */
const side = z.int().min(64).max(4096);

export const Conversation = z
  .strictObject({
    schema: z.literal(1),
    page: z.strictObject({
      width: side,
      height: side,
      size: z.int().min(6).max(40).meta({ description: "Size of the type, in pixels" }),
      row: z.int().min(1).max(4096).optional().meta({
        description:
          "The last page is cut to the smallest multiple of this height that holds what is on it",
      }),
    }),
    messages: z
      .array(
        z.strictObject({
          number: z.int().min(1).max(999_999_999),
          role: z.string().regex(/^[a-z][a-z_]{0,15}$/),
          name: z.string().max(256).nullable(),
          text: z.string(),
        }),
      )
      .min(1)
      .max(2000)
      .meta({ description: "In the order of their numbers, which are different" }),
  })
  .meta({ id: "Conversation" });
export type Conversation = z.infer<typeof Conversation>;
