/** The help texts, made from the commands' own descriptions. */
import { type Command, type Option, optionsOf } from "./command.ts";

export function overview(commands: Command[]): string {
  const rows = commands.map(({ name, args = "", summary }) => [`${name} ${args}`.trim(), summary]);
  return `Usage: fovea COMMAND [options]

${columns(rows)}

fovea COMMAND --help shows a command's options.

Environment:
  FOVEA_API_KEY  the API key
  FOVEA_URL      the service (http://127.0.0.1:8787)
  FOVEA_HOME     a checkout of Fovea, for serve

Exit status:
  0    every page was read
  1    the document could not be read, or some of its pages
  2    a mistake in the command line, or a request that the service refuses
  3    the key: missing, not valid, without the scope, or out of pages
  4    the service could not be reached, is overloaded, or broke
  130  interrupted
`;
}

export function helpOf(command: Command): string {
  const rows = Object.entries(optionsOf(command)).map(([name, option]) => [
    flag(name, option),
    option.help,
  ]);
  return `Usage: fovea ${command.name} ${command.args ? `${command.args} ` : ""}[options]

${command.summary}.

${columns(rows)}
`;
}

const flag = (name: string, { short, value }: Option) =>
  `${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`;

function columns(rows: string[][]): string {
  const width = Math.max(...rows.map(([left = ""]) => left.length));
  return rows.map(([left = "", right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}
