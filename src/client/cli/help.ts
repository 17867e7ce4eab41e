/** Help texts, generated from the command descriptions. */
import { type Command, type Option, optionsOf } from "./command.ts";

export function overview(commands: Command[]): string {
  const rows = commands.map(({ name, args = "", summary }) => [`${name} ${args}`.trim(), summary]);
  return `Usage: fovea COMMAND [options]

${columns(rows)}

fovea help COMMAND, or fovea COMMAND --help, shows a command's options.

Environment:
  FOVEA_API_KEY  the API key
  FOVEA_URL      the service's URL
  FOVEA_HOME     a checkout of Fovea, for serve and for the service that runs from it
  FOVEA_DATA     the data folder of that service (.data in the checkout)

Without FOVEA_URL and FOVEA_API_KEY, the commands use the service that npm start runs from the checkout around the
working directory, with its development key; without one, http://127.0.0.1:8787.

Exit status:
  0    every page was read
  1    the document, or some of its pages, could not be read
  2    the command line or the request is not valid
  3    the API key is missing, not valid, lacks a scope, or has used up its quota
  4    the service cannot be reached, is overloaded, or failed
  130  interrupted
`;
}

/** Of commands that begin with the same word. */
export function groupHelp(name: string, commands: Command[]): string {
  const rows = commands.map(({ name, args = "", summary }) => [`${name} ${args}`.trim(), summary]);
  return `Usage: fovea ${name} COMMAND [options]

${columns(rows)}

fovea help ${commands[0]?.name} shows a command's options.
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
