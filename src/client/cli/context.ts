/** `fovea context`: conversations that are kept and fade in views; `fovea compress`: a text as page images. */
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Ageing, Compressed, Context, ContextView } from "../index.ts";
import { type Command, noArgs, onlyArg, wholeNumber } from "./command.ts";
import { contentOf, documentsOf, jsonOf } from "./documents.ts";
import { EXIT, UsageError } from "./errors.ts";
import { deliver, outputOf, print, printJson, printTable } from "./output.ts";

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;
const PROVIDERS = ["openai", "anthropic", "gemini"] as const;
const MODES = ["auto", "tiny", "small", "base", "large", "gundam"] as const;

export const context: Command[] = [
  {
    name: "context create",
    args: "[NAME]",
    summary: "Create a context and print its id",
    options: {
      budget: { value: "TOKENS", help: "token budget of the whole context" },
      "erase-after": {
        value: "SECONDS",
        help: "age at which a text that is shown as an image is erased (never)",
      },
      profile: { value: "ID", help: "whose tokens and prices count (deepseek-ocr)" },
      recent: { value: "N", help: "how many of the newest messages stay text (12)" },
      fade: { value: "FILE", help: "a ladder of forms by age, as JSON" },
    },
    async run(input) {
      if (input.args.length > 1) throw new UsageError("A context has only one name.");
      const fade = input.value("fade");
      const made = await input.fovea().contexts.create({
        name: input.args[0],
        token_budget: wholeNumber(input, "budget"),
        erase_after: wholeNumber(input, "erase-after"),
        profile: input.value("profile"),
        recent: wholeNumber(input, "recent"),
        ...(fade && { fade: jsonOf(fade) as Context["fade"] }),
      });
      if (input.has("json")) printJson(made);
      else print(made.id);
      return 0;
    },
  },
  {
    name: "context list",
    summary: "List the newest contexts",
    options: { limit: { value: "N", help: "how many to list, at most 100 (20)" } },
    async run(input) {
      noArgs(input);
      const { data } = await input.fovea().contexts.list({ limit: wholeNumber(input, "limit") });
      if (input.has("json")) printJson(data);
      else
        printTable(
          ["CONTEXT", "NAME", "PROFILE", "MESSAGES", "BUDGET", "ERASED AFTER", "CREATED"],
          data.map((row) => [
            row.id,
            row.name,
            row.profile,
            row.last_message,
            row.token_budget,
            row.erase_after,
            row.created_at,
          ]),
        );
      return 0;
    },
  },
  {
    name: "context add",
    args: "CONTEXT [FILE | -]",
    summary: "Append a message from a file or standard input",
    options: {
      role: { value: "ROLE", help: `${ROLES.join(", ")} (user)`, choices: ROLES },
      pinned: { help: "always stays text" },
      importance: { value: "0-1", help: "at 1 the message ages ten times slower" },
      at: { value: "TIME", help: "time of the message, such as 2026-11-24T12:00:00Z (now)" },
    },
    async run(input) {
      const [id, source = "-", ...more] = input.args;
      if (!id || more.length > 0)
        throw new UsageError("This command needs a context id and one text.");
      const importance = input.value("importance");
      const [message] = await input.fovea().contexts.add(id, {
        role: (input.value("role") as (typeof ROLES)[number] | undefined) ?? "user",
        content: await textOf(source),
        pinned: input.has("pinned"),
        ...(importance !== undefined && { importance: Number(importance) }),
        created_at: input.value("at"),
      });
      if (input.has("json")) printJson(message);
      else print(String(message?.number));
      return 0;
    },
  },
  {
    name: "context view",
    args: "CONTEXT",
    summary: "Show the context as it is now",
    options: {
      output: { value: "FOLDER", short: "o", help: "save the images here" },
      profile: { value: "ID", help: "whose tokens and prices count (the context's own)" },
      for: {
        value: "PROVIDER",
        help: `print the list of messages for ${PROVIDERS.join(", ")}`,
        choices: PROVIDERS,
      },
    },
    async run(input) {
      const id = onlyArg(input, "context id");
      const folder = input.value("output");
      const profile = input.value("profile");
      const provider = input.value("for") as (typeof PROVIDERS)[number] | undefined;
      if (provider) {
        printJson(await input.fovea().contexts.asMessages(id, provider, { profile }));
        return 0;
      }
      const view = await input.fovea().contexts.view(id, { profile });
      if (folder !== undefined) await saveImages(view, folder);
      if (input.has("json")) printJson(view);
      else show(view);
      return 0;
    },
  },
  {
    name: "context age",
    args: "CONTEXT",
    summary: "Age a context now",
    options: {
      at: { value: "TIME", help: "as if it were this time" },
      "dry-run": { help: "only show what is due" },
    },
    async run(input) {
      const id = onlyArg(input, "context id");
      const request = { at: input.value("at"), dry_run: input.has("dry-run") };
      const ageing = await input.fovea().contexts.age(id, request);
      if (input.has("json")) printJson(ageing);
      else showAgeing(ageing);
      return ageing.state === "failed" ? EXIT.unread : 0;
    },
  },
  {
    name: "context recall",
    args: "CONTEXT NUMBER",
    summary: "Print a message: its text if it is kept, else what can be read of its image",
    options: {
      image: { help: "read the image even if the text is kept" },
      model: { value: "NAME", help: "the model that reads the image" },
    },
    async run(input) {
      const [id, number, ...more] = input.args;
      if (!id || !number || !/^\d{1,9}$/.test(number) || more.length > 0)
        throw new UsageError("This command needs a context id and a message number.");
      const model = input.value("model");
      const source = input.has("image") ? ("image" as const) : undefined;
      const recall = await input.fovea().contexts.recall(id, Number(number), { model, source });
      if (input.has("json")) printJson(recall);
      else print(recall.text ?? "");
      return 0;
    },
  },
  {
    name: "context forget",
    args: "CONTEXT NUMBER",
    summary: "Delete a message, and the images that show it",
    async run(input) {
      const [id, number, ...more] = input.args;
      if (!id || !number || !/^\d{1,9}$/.test(number) || more.length > 0)
        throw new UsageError("This command needs a context id and a message number.");
      await input.fovea().contexts.forget(id, Number(number));
      return 0;
    },
  },
  {
    name: "context search",
    args: "CONTEXT WORD…",
    summary: "Find messages that contain all words",
    options: {
      limit: { value: "N", help: "how many to show, at most 50 (10)" },
      meaning: { help: "find those nearest to a question, whatever their words" },
    },
    async run(input) {
      const [id, ...words] = input.args;
      if (!id || words.length === 0)
        throw new UsageError("This command needs a context id and words.");
      const limit = wholeNumber(input, "limit");
      const found = await input.fovea().contexts.search(id, words.join(" "), {
        limit,
        mode: input.has("meaning") ? "meaning" : undefined,
      });
      if (input.has("json")) printJson(found);
      else
        for (const { number, role, snippet } of found.data)
          print(`${number} ${role}: ${snippet.replace(/\s+/g, " ")}`);
      return 0;
    },
  },
  {
    name: "context segments",
    args: "CONTEXT",
    summary: "Show what is sealed, in which form, and how legible it is",
    async run(input) {
      const segments = await input.fovea().contexts.segments(onlyArg(input, "context id"));
      if (input.has("json")) printJson(segments);
      else
        printTable(
          ["SEGMENT", "FORM", "TOKENS", "AS TEXT", "READ BACK", "CONTENTS"],
          segments.map((row) => {
            const render = row.renders.find(({ form }) => form === row.form);
            return [
              row.id,
              row.form,
              render?.tokens ?? null,
              row.text_tokens,
              render?.precision == null ? null : percent(render.precision),
              row.index,
            ];
          }),
        );
      return 0;
    },
  },
  {
    name: "context costs",
    args: "CONTEXT",
    summary: "Compare what a view costs with each provider",
    async run(input) {
      const costs = await input.fovea().contexts.costs(onlyArg(input, "context id"));
      if (input.has("json")) printJson(costs);
      else
        printTable(
          ["PROFILE", "TOKENS", "AS TEXT", "DOLLARS", "AS TEXT"],
          costs.data.map((row) => [
            row.profile,
            row.tokens,
            row.tokens_as_text,
            row.usd?.toFixed(5) ?? null,
            row.usd_as_text?.toFixed(5) ?? null,
          ]),
        );
      return 0;
    },
  },
  {
    name: "context export",
    args: "CONTEXT",
    summary: "Export everything the context still holds as JSON lines",
    options: { output: { value: "PATH", short: "o", help: "the file to write (stdout)" } },
    async run(input) {
      const id = onlyArg(input, "context id");
      await deliver(await input.fovea().contexts.export(id), outputOf(input));
      return 0;
    },
  },
  {
    name: "context import",
    args: "[FILE | -]",
    summary: "Make a context of an export, and print its id",
    async run(input) {
      if (input.args.length > 1) throw new UsageError("This command takes only one file.");
      const made = await input.fovea().contexts.import(await textOf(input.args[0] ?? "-"));
      if (input.has("json")) printJson(made);
      else print(made.id);
      return 0;
    },
  },
  {
    name: "context delete",
    args: "CONTEXT",
    summary: "Delete a context and everything in it",
    async run(input) {
      await input.fovea().contexts.delete(onlyArg(input, "context id"));
      return 0;
    },
  },
];

export const compress: Command = {
  name: "compress",
  args: "[FILE | -]",
  summary: "Render a text as page images and show their cost",
  options: {
    mode: { value: "MODE", help: `${MODES.join(", ")} (auto)`, choices: MODES },
    verify: { help: "read the images back" },
    reader: { value: "NAME", help: "the model that reads the images" },
  },
  async run(input) {
    if (input.args.length > 1) throw new UsageError("This command takes only one text.");
    const compressed = await input.fovea().compress(await textOf(input.args[0] ?? "-"), {
      mode: input.value("mode") as (typeof MODES)[number] | undefined,
      verify: input.has("verify"),
      reader: input.value("reader"),
    });
    if (input.has("json")) printJson(compressed);
    else showCompressed(compressed);
    return compressed.verification?.state === "failed" ? EXIT.unread : 0;
  },
};

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

async function textOf(source: string): Promise<string> {
  const [named, ...more] = documentsOf([source]);
  if (!named || more.length > 0) throw new UsageError("This command takes only one text.");
  const document = await contentOf(named);
  return typeof document === "string"
    ? readFileSync(document, "utf8")
    : new TextDecoder().decode(document as Uint8Array);
}

function show(view: ContextView): void {
  const { items = [], tokens, over_budget_reason } = view;
  for (const item of items)
    if (item.type === "message")
      print(`${item.number} ${item.role} (${item.tokens}): ${item.text}`);
    else if (item.type === "index") print(`[${item.text}] (${item.tokens})`);
    else if (item.type === "summary")
      print(`[summary by ${item.model}: ${item.text}] (${item.tokens})`);
    else {
      const { index, form, pages } = item;
      const count = `${pages.length} page${pages.length === 1 ? "" : "s"}`;
      print(`[${index}] ${form} (${item.tokens}): ${count}`);
    }
  print(`${tokens.total} tokens, as text ${tokens.as_text}`);
  if (over_budget_reason) print(over_budget_reason);
}

async function saveImages({ items = [] }: ContextView, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const item of items)
    if (item.type === "image")
      for (const [i, { url }] of item.pages.entries()) {
        const image = await fetch(url as string);
        const name = `${item.first_message}-${item.last_message}-${item.form}-${i + 1}.png`;
        await writeFile(join(folder, name), new Uint8Array(await image.arrayBuffer()));
      }
}

function showAgeing(ageing: Ageing): void {
  const { changes, tokens, expected_tokens, state, error, dry_run, over_budget_reason } = ageing;
  printTable(
    ["MESSAGES", "FROM", "TO", "TOKENS"],
    changes.map((change) => [
      `${change.first_message}–${change.last_message}`,
      change.from,
      change.to,
      `${change.tokens_before} → ${change.tokens_after}`,
    ]),
  );
  print(
    dry_run ? `${tokens.total} → ${expected_tokens} tokens` : `${state}: ${tokens.total} tokens`,
  );
  if (over_budget_reason) print(over_budget_reason);
  if (error) print(`${error.code}: ${error.message}`);
}

function showCompressed(compressed: Compressed): void {
  const { mode, pages, text_tokens, vision_tokens, compression, verification } = compressed;
  printTable(
    ["PAGE", "TEXT TOKENS", "VISION TOKENS", "EXPECTED", "MEASURED", "IMAGE"],
    pages.map((page) => [
      page.page,
      page.text_tokens,
      page.vision_tokens,
      page.expected_precision ? page.expected_precision.join("–") : null,
      page.measured?.precision == null ? null : percent(page.measured.precision),
      page.image,
    ]),
  );
  print(`${mode}: ${text_tokens} → ${vision_tokens} tokens, ${compression} to 1`);
  if (verification?.precision != null)
    print(`read back by ${verification.model}: ${percent(verification.precision)} of the text`);
}
