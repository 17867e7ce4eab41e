/**
 * leash.mjs SIGNAL COMMAND [ARGUMENT…]: runs a command in its own process group until stdin closes. Stdin is a
 * pipe from the parent process and closes even when the parent crashes or is killed. The command then gets the
 * signal, and the rest of its process group gets SIGKILL.
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
    // The process group no longer exists.
  }
}

function stop() {
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
process.stdin.on("end", stop).on("error", stop).resume();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, stop);
