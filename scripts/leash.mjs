/**
 * leash.mjs SIGNAL COMMAND [ARGUMENT…]: runs a command in a process group of its own until stdin
 * closes. Whoever holds the other end of that pipe may stop, crash or be killed with -9: the pipe
 * closes all the same, the command gets the signal, and whatever of its group is left gets SIGKILL.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";

const GRACE_MS = 8000;

const [signal, command, ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"], detached: true });

function killGroup() {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // Nobody is left.
  }
}

function letGo() {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  setTimeout(killGroup, GRACE_MS);
}

child.on("error", (error) => {
  console.error(`${command}: ${error.message}`);
  process.exit(127);
});
child.on("exit", (code, killedBy) => {
  killGroup();
  process.exit(code ?? 128 + constants.signals[killedBy]);
});
process.stdin.on("end", letGo).on("error", letGo).resume();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, letGo);
