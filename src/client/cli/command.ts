/** What a command is. Help, parsing and shell completion are all made from the same description. */
import { parseArgs } from "node:util";
import { Fovea } from "../index.ts";

export interface Option {
  /** Without it the option is a switch. */
  value?: string;
  short?: string;
  help: string;
  /** The values that can be completed. */
  choices?: readonly string[];
}

export interface Command {
  /** Such as `read` or `jobs list`. */
  name: string;
  /** The positional arguments as the help shows them. */
  args?: string;
  summary: string;
  options?: Record<string, Option>;
  /** @returns the exit status */
  run(input: Input): Promise<number>;
}

export interface Input {
  args: string[];
  /** Of an option with a value; `undefined` when it was not given. */
  value(name: string): string | undefined;
  has(name: string): boolean;
  /** A client of the service that the options or the environment name. */
  fovea(): Fovea;
}

/** Exit statuses, beside 0 and 130 (interrupted). */
export const EXIT = { unread: 1, usage: 2, key: 3, service: 4 } as const;

/** A mistake in the command line. */
export class UsageError extends Error {}

export const COMMON: Record<string, Option> = {
  url: { value: "URL", help: "the service (FOVEA_URL, http://127.0.0.1:8787)" },
  key: { value: "KEY", help: "the API key; better in FOVEA_API_KEY, where `ps` does not show it" },
  json: { help: "JSON on stdout" },
  help: { short: "h", help: "this text" },
};

export const optionsOf = ({ options = {} }: Command): Record<string, Option> => ({
  ...options,
  ...COMMON,
});

/** @throws UsageError */
export function parse(command: Command, words: string[]): Input {
  const options = optionsOf(command);
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({
      args: words,
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(options).map(([name, { value, short }]) => [
          name,
          { type: value ? ("string" as const) : ("boolean" as const), ...(short && { short }) },
        ]),
      ),
    });
  } catch (error) {
    throw new UsageError((error as Error).message.split(". ")[0]);
  }
  const { values, positionals } = parsed;
  for (const [name, { choices }] of Object.entries(options)) {
    const value = values[name];
    if (choices && typeof value === "string" && !choices.includes(value))
      throw new UsageError(`--${name} is one of ${choices.join(", ")}.`);
  }
  return {
    args: positionals,
    value: (name) => values[name] as string | undefined,
    has: (name) => values[name] === true,
    fovea: () => client(values.url as string | undefined, values.key as string | undefined),
  };
}

function client(url?: string, key?: string): Fovea {
  const apiKey = key ?? process.env.FOVEA_API_KEY;
  if (!apiKey) throw new UsageError("Put the API key into FOVEA_API_KEY, or use --key.");
  const baseUrl = url ?? (process.env.FOVEA_URL || "http://127.0.0.1:8787");
  if (!URL.canParse(baseUrl)) throw new UsageError(`${baseUrl} is not a URL.`);
  return new Fovea({ apiKey, baseUrl });
}

/** The only argument of a command. @throws UsageError */
export function onlyArg({ args }: Input, what: string): string {
  if (args.length !== 1) throw new UsageError(`Exactly one ${what} is needed.`);
  return args[0] as string;
}

/** @throws UsageError */
export function noArgs({ args }: Input): void {
  if (args.length > 0) throw new UsageError(`${args[0]}: there is nothing more to say here.`);
}

/** @throws UsageError */
export function wholeNumber(input: Input, name: string): number | undefined {
  const text = input.value(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name} is a whole number.`);
  return Number(text);
}
