/** `fovea completion`: shell scripts that complete commands, options and their values. */
import { type Command, onlyArg, optionsOf } from "./command.ts";
import { UsageError } from "./errors.ts";
import { print } from "./output.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

export const completion = (commands: () => Command[]): Command => ({
  name: "completion",
  args: "bash | zsh | fish",
  summary: "Print a completion script: source <(fovea completion bash)",
  async run(input) {
    const shell = onlyArg(input, "shell") as (typeof SHELLS)[number];
    if (!SHELLS.includes(shell)) throw new UsageError(`The shell is one of ${SHELLS.join(", ")}.`);
    print({ bash, zsh, fish }[shell](commands()));
    return 0;
  },
});

/** The second words by first word: `jobs` → `list, get, …`. Commands of one word have no entry. */
function groupsOf(commands: Command[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { name } of commands) {
    const [first, second] = name.split(" ") as [string, string?];
    if (second) groups.set(first, [...(groups.get(first) ?? []), second]);
  }
  return groups;
}

const firstWords = (commands: Command[]) => [
  ...new Set(commands.map(({ name }) => name.split(" ")[0] as string)),
];

const names = (name: string, short: string | undefined) => [
  `--${name}`,
  ...(short ? [`-${short}`] : []),
];

function bash(commands: Command[]): string {
  const groups = [...groupsOf(commands)].map(
    ([first, seconds]) => `      ${first}) second="${seconds.join(" ")}" ;;`,
  );
  const flags = commands.map((command) => {
    const all = Object.entries(optionsOf(command)).flatMap(([name, { short }]) =>
      names(name, short),
    );
    return `    "${command.name}") flags="${all.join(" ")}" ;;`;
  });
  const values = commands.flatMap((command) =>
    Object.entries(optionsOf(command)).flatMap(([name, { choices, short }]) => {
      if (!choices) return [];
      const patterns = names(name, short).map((flag) => `"${command.name} ${flag}"`);
      return [`    ${patterns.join("|")}) words="${choices.join(" ")}" ;;`];
    }),
  );
  return `_fovea() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="\${COMP_WORDS[1]}" second="" words="" flags=""
  if ((COMP_CWORD == 1)); then
    words="${firstWords(commands).join(" ")} --help --version"
  else
    case "$command" in
${groups.join("\n")}
    esac
    if [[ -n $second ]]; then
      if ((COMP_CWORD == 2)); then words="$second"; else command="$command \${COMP_WORDS[2]}"; fi
    fi
  fi
  case "$command $previous" in
${values.join("\n")}
  esac
  case "$command" in
${flags.join("\n")}
  esac
  if [[ -z $words && $current == -* ]]; then words="$flags"; fi
  if [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _fovea fovea`;
}

/** The bash script, through zsh's `bashcompinit`. */
const zsh = (commands: Command[]) => `autoload -Uz compinit bashcompinit
(( $+functions[compdef] )) || compinit
bashcompinit
${bash(commands)}`;

function fish(commands: Command[]): string {
  const quote = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const groups = groupsOf(commands);
  const lines = ["complete -c fovea -f"];
  for (const first of firstWords(commands)) {
    const single = commands.find(({ name }) => name === first);
    const summary = single?.summary ?? (groups.get(first) ?? []).join(", ");
    lines.push(`complete -c fovea -n __fish_use_subcommand -a ${first} -d ${quote(summary)}`);
  }
  for (const command of commands) {
    const [first, second] = command.name.split(" ") as [string, string?];
    const inGroup = `__fish_seen_subcommand_from ${first}`;
    const others = (groups.get(first) ?? []).join(" ");
    if (second)
      lines.push(
        `complete -c fovea -n '${inGroup}; and not __fish_seen_subcommand_from ${others}' -a ${second} -d ${quote(command.summary)}`,
      );
    const here = second ? `${inGroup}; and __fish_seen_subcommand_from ${second}` : inGroup;
    for (const [name, { short, value, choices, help }] of Object.entries(optionsOf(command)))
      lines.push(
        [
          `complete -c fovea -n '${here}' -l ${name}`,
          ...(short ? [`-s ${short}`] : []),
          ...(choices ? [`-x -a ${quote(choices.join(" "))}`] : value ? ["-r"] : []),
          `-d ${quote(help)}`,
        ].join(" "),
      );
  }
  lines.push("complete -c fovea -n '__fish_seen_subcommand_from read run start' -F");
  return lines.join("\n");
}
