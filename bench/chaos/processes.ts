/** The processes that descend from this one, as Linux shows them in /proc. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

export interface Process {
  pid: number;
  parent: number;
  /** The command line, with spaces between its arguments. */
  command: string;
}

function all(): Process[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // The name in parentheses may hold spaces. State and parent follow it.
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      return state === "Z" ? [] : [{ pid: Number(name), parent: Number(parent), command }];
    } catch {
      return [];
    }
  });
}

export function descendants(of = process.pid): Process[] {
  const children = Map.groupBy(all(), ({ parent }) => parent);
  const found: Process[] = [];
  for (const queue = [of]; queue.length > 0; ) {
    const mine = children.get(queue.pop() as number) ?? [];
    found.push(...mine);
    queue.push(...mine.map(({ pid }) => pid));
  }
  return found;
}

/** Parts of a stack whose processes are killed and stopped. */
export const PARTS = {
  "Cog server": ({ command }: Process) => command.includes("-m cog.server.http"),
  "document process": ({ command }: Process) => command.includes("fovea.pages.isolated"),
  workerd: ({ command }: Process) => /workerd(-\S+)? serve/.test(command),
};
export type PartName = keyof typeof PARTS | "Cog's child";

export function processesOf(part: PartName): Process[] {
  const mine = descendants();
  if (part !== "Cog's child") return mine.filter(PARTS[part]);
  const servers = new Set(mine.filter(PARTS["Cog server"]).map(({ pid }) => pid));
  return mine.filter(
    (one) =>
      servers.has(one.parent) && !PARTS["Cog server"](one) && !PARTS["document process"](one),
  );
}

/** Document processes of this copy of Fovea, also those whose parent is gone. */
export function documentProcesses(): number[] {
  return all()
    .filter((one) => {
      if (!PARTS["document process"](one)) return false;
      try {
        return readFileSync(`/proc/${one.pid}/environ`, "utf8").includes(`PYTHONPATH=${root}/`);
      } catch {
        return false;
      }
    })
    .map(({ pid }) => pid);
}

/** Resident memory in MiB, open files and threads of a process; `null` if it is gone. */
export function usageOf(pid: number): { mib: number; files: number } | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kib = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
    const fds = readdirSync(`/proc/${pid}/fd`).filter((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) !== "";
      } catch {
        return false;
      }
    });
    return { mib: kib / 1024, files: fds.length };
  } catch {
    return null;
  }
}
