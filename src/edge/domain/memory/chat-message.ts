/**
 * A message of a conversation in one form for all providers: a role, and parts in the order in which they were said.
 * `import/` reads the lists of the providers into it, `as-messages.ts` writes it as such lists.
 */
import { z } from "zod";

export const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;
export type Role = (typeof ROLES)[number];

/** Longest text of a part, in characters. */
export const MAX_PART_CHARACTERS = 100_000;
/** Most parts of a message. */
export const MAX_PARTS = 100;
/** Longest `data:` URL of an image, in characters. */
const MAX_DATA_URL = 8 * 1024 ** 2;

const text = z.string().max(MAX_PART_CHARACTERS);
const id = z.string().min(1).max(256);
const name = z.string().min(1).max(256);

const TextPart = z.object({ type: z.literal("text"), text });
const ToolCallPart = z.object({
  type: z.literal("tool_call"),
  id,
  name,
  arguments: text.meta({ description: "JSON text" }),
});
const ToolResultPart = z.object({
  type: z.literal("tool_result"),
  id: id.meta({ description: "`id` of the `tool_call`" }),
  name: name.nullable().default(null),
  text,
  is_error: z.boolean().default(false),
});
const ImagePart = z.object({
  type: z.literal("image"),
  url: z
    .string()
    .max(MAX_DATA_URL)
    .regex(/^(https:\/\/|data:image\/)/)
    .nullable()
    .default(null)
    .meta({ description: "`https:` or `data:`" }),
  file_id: id.nullable().default(null),
  alt: z.string().max(2000).nullable().default(null),
});

export const PartSchema = z
  .discriminatedUnion("type", [TextPart, ToolCallPart, ToolResultPart, ImagePart])
  .meta({ id: "MessagePart" });
export type Part = z.infer<typeof PartSchema>;

/** A message as the API takes it. `toChatMessage` brings it into its stored form. */
export const ChatMessageSchema = z
  .object({
    role: z.enum(ROLES),
    content: z.union([text, z.array(PartSchema).max(MAX_PARTS), z.null()]).meta({
      description: "Markdown, or parts in order; `null` or `[]`: nothing was said",
    }),
    name: name.nullable().optional(),
  })
  .meta({ id: "ChatMessage" });

/** A message as it is kept. `parts` may be empty; a text part is not. */
export interface ChatMessage {
  role: Role;
  name: string | null;
  parts: Part[];
}

export function toChatMessage(message: z.infer<typeof ChatMessageSchema>): ChatMessage {
  const { role, content, name = null } = message;
  const parts: Part[] =
    typeof content === "string" ? [{ type: "text", text: content }] : (content ?? []);
  return { role, name, parts: parts.filter((part) => part.type !== "text" || part.text !== "") };
}

/** Ids of the tool calls of a message. */
export const callsOf = ({ parts }: ChatMessage): string[] =>
  parts.flatMap((part) => (part.type === "tool_call" ? [part.id] : []));

/** Ids of the tool calls that a message answers. */
export const resultsOf = ({ parts }: ChatMessage): string[] =>
  parts.flatMap((part) => (part.type === "tool_result" ? [part.id] : []));
