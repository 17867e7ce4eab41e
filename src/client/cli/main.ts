#!/usr/bin/env node
/** `fovea`: runs a command and turns errors into a line on stderr and an exit status. */
import { existsSync, readFileSync } from "node:fs";
import { ApiError, ConnectionError, JobError } from "../index.ts";
import { type Command, parse } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT, isDocumentFault, KeyError, UsageError } from "./errors.ts";
import { groupHelp, helpOf, overview } from "./help.ts";
import { say } from "./output.ts";

// A reader such as `head` may close the pipe early.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") say(`fovea: ${error.message}`);
  process.exit(error.code === "EPIPE" ? 0 : EXIT.unread);
});
// `process.exit` would lose output that a pipe has not taken yet.
process.exitCode = await main(process.argv.slice(2));

async function main(words: string[]): Promise<number> {
  try {
    if (words.length === 0) {
      process.stdout.write(overview(COMMANDS));
      return EXIT.usage;
    }
    if (words[0] === "--version") {
      const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
      process.stdout.write(`${JSON.parse(manifest).version}\n`);
      return 0;
    }
    if (asksForHelp(words)) {
      process.stdout.write(help(words.filter((word) => !/^(help|-h|--help)$/.test(word))));
      return 0;
    }
    const [command, rest] = find(words);
    return await command.run(parse(command, rest));
  } catch (error) {
    const [status, text] = explain(error);
    say(`fovea: ${text}`);
    return status;
  }
}

/** Behind `--` there are no options. */
function asksForHelp(words: string[]): boolean {
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  return (
    words[0] === "help" || words.slice(0, end).some((word) => word === "-h" || word === "--help")
  );
}

/** @throws UsageError */
function help(words: string[]): string {
  if (words.length === 0) return overview(COMMANDS);
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${words[0]} `));
  const isGroup = group.length > 0 && words.length === 1;
  return isGroup ? groupHelp(words[0] as string, group) : helpOf(find(words)[0]);
}

/** @throws UsageError */
function find(words: string[]): [Command, string[]] {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(" ");
    const command = COMMANDS.find((candidate) => candidate.name === name);
    if (command) return [command, words.slice(length)];
  }
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${words[0]} `));
  if (group.length > 0)
    throw new UsageError(`Use one of: ${group.map(({ name }) => `fovea ${name}`).join(", ")}.`);
  const isDocument = existsSync(words[0] as string) || /^https?:/i.test(words[0] as string);
  const hint = isDocument ? ` Use fovea read ${words[0]}.` : "";
  throw new UsageError(`There is no command ${words[0]}.${hint}`);
}

function explain(error: unknown): [number, string] {
  if (error instanceof KeyError) return [EXIT.key, error.message];
  if (error instanceof UsageError) return [EXIT.usage, `${error.message} See fovea --help.`];
  if (error instanceof JobError) return [EXIT.unread, error.message];
  if (error instanceof ConnectionError) return [EXIT.service, error.message];
  if (error instanceof ApiError) {
    const { status, requestId, message } = error;
    if (status >= 500 || status === 429)
      return [EXIT.service, requestId ? `${message} (request ${requestId})` : message];
    if (isDocumentFault(error)) return [EXIT.unread, message];
    return [status === 401 || status === 402 || status === 403 ? EXIT.key : EXIT.usage, message];
  }
  const { code, message } = error as NodeJS.ErrnoException;
  if (code) return [EXIT.unread, message];
  throw error;
}
