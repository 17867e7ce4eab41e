/**
 * The prediction input of a shard (docs/WORKER-PROTOCOL.md, section 1). The worker declares the same inputs in
 * `predict.py`, where `cog build` reads them, and a test of the worker compares the two.
 */
import { z } from "zod";
import { MAX_PASSWORD, MAX_PROMPT, readingFields } from "./job-request.ts";

export const ShardInput = z
  .strictObject({
    document: z.string().min(1),
    pages: z.string(),
    model: readingFields.model,
    mode: readingFields.mode,
    task: readingFields.task,
    prompt: z.string().max(MAX_PROMPT).optional(),
    dpi: readingFields.dpi,
    push_url: z.string(),
    max_pages: z.int().min(1),
    traceparent: z
      .string()
      .regex(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/)
      .optional(),
    token_budget: z.int().min(1).optional(),
    budget_pages: z.string().optional(),
    sequence_pages: z.string().optional(),
    languages: z.string().max(200).optional(),
    witness: z.boolean().optional(),
    text_layer: readingFields.text_layer.optional(),
    tokens: z.enum(["none", "keep"]).optional(),
    stored_tokens: z.string().optional(),
    password: z.string().max(MAX_PASSWORD).optional(),
  })
  .meta({ id: "ShardInput" });
export type ShardInput = z.infer<typeof ShardInput>;
