/** The description of a command, which help, argument parsing and shell completion share. */
import { parseArgs } from "node:util";
import { Fovea } from "../index.ts";
import { localService } from "./checkout.ts";
import { KeyError, UsageError } from "./errors.ts";

export interface Option {
  /** The placeholder in the help. An option without a value is a switch. */
  value?: string;
  short?: string;
  help: string;
  /** The allowed values, which shells complete. */
  choices?: readonly string[];
  /** The option may be given several times. */
  many?: true;
}

export interface Command {
  /** One or two words, such as `read` or `jobs list`. */
  name: string;
  /** The positional arguments, as shown in the help. */
  args?: string;
  summary: string;
  options?: Record<string, Option>;
  /** @returns the exit status */
  run(input: Input): Promise<number>;
}

export interface Input {
  args: string[];
  /** The value of an option; `undefined` if it is absent. */
  value(name: string): string | undefined;
  /** The values of an option that may be given several times. */
  values(name: string): string[];
  has(name: string): boolean;
  /** A client for the service named by the options or the environment. */
  fovea(): Fovea;
}

const COMMON: Record<string, Option> = {
  url: { value: "URL", help: "the service's URL (FOVEA_URL, or the service that runs locally)" },
  key: { value: "KEY", help: "the API key; prefer FOVEA_API_KEY, which `ps` does not show" },
  json: { help: "print JSON" },
  help: { short: "h", help: "show this help" },
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
        Object.entries(options).map(([name, { value, short, many }]) => [
          name,
          {
            type: value ? ("string" as const) : ("boolean" as const),
            ...(short && { short }),
            ...(many && { multiple: true }),
          },
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
    values: (name) => (values[name] as string[] | undefined) ?? [],
    has: (name) => values[name] === true,
    fovea: () => client(values.url as string | undefined, values.key as string | undefined),
  };
}

function client(url?: string, key?: string): Fovea {
  const local = localService();
  const baseUrl = url ?? (process.env.FOVEA_URL || local?.origin || "http://127.0.0.1:8787");
  if (!/^https?:/i.test(baseUrl) || !URL.canParse(baseUrl))
    throw new UsageError(`${baseUrl} is not a URL such as https://ocr.example.com.`);
  // The key of the local service goes nowhere else.
  const localKey = new URL(baseUrl).origin === local?.origin ? local.key : undefined;
  const apiKey = key ?? (process.env.FOVEA_API_KEY || localKey);
  if (!apiKey) throw new KeyError("Set FOVEA_API_KEY to the API key, or use --key.");
  return new Fovea({ apiKey, baseUrl });
}

/** The single argument of a command. @throws UsageError */
export function onlyArg({ args }: Input, what: string): string {
  if (args.length !== 1) throw new UsageError(`This command needs exactly one ${what}.`);
  return args[0] as string;
}

/** @throws UsageError */
export function noArgs({ args }: Input): void {
  if (args.length > 0) throw new UsageError(`Unexpected argument ${args[0]}.`);
}

/** @throws UsageError */
export function wholeNumber(input: Input, name: string): number | undefined {
  const text = input.value(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name} is a whole number.`);
  return Number(text);
}
