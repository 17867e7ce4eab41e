/** Installs PyTorch behind a stack that serves already, tells the edge how far it is, and has the worker load the models. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Installation } from "../src/edge/dispatch/installation.ts";
import { NETWORK_STEPS, networksReady, ON_PYTORCH, SetupError, setUpNetworks } from "./setup.mjs";
import { INSTALLING, type Stack } from "./stack.ts";

/** The last one loads the models. */
const STEPS = NETWORK_STEPS + 1;
const IDLE_MS = 10_000;

/** @returns those of the models that cannot be loaded yet */
export const notInstalled = (models: readonly string[]): string[] =>
  networksReady() ? [] : models.filter((name) => ON_PYTORCH.includes(name));

/** For the edge (`GET /v1/models`). Call it before the edge starts. */
export function tellEdge(
  data: string,
  models: readonly string[],
  installation: Installation | null,
): void {
  const path = join(data, INSTALLING);
  const listed = installation ? models.map((name) => [name, installation]) : [];
  writeFileSync(`${path}.new`, JSON.stringify(Object.fromEntries(listed)));
  renameSync(`${path}.new`, path);
}

/** Without the file the edge takes all models for installed, and does not ask. */
export const tellNothing = (data: string): void => rmSync(join(data, INSTALLING), { force: true });

/** Before the first step, and where nothing is installed at all: a document from the command line is read meanwhile. */
export const NOT_BEGUN: Installation = {
  state: "installing",
  step: 0,
  steps: STEPS,
  detail: "`npm start` installs it while it serves",
};

/**
 * @param models all that the worker is to load
 * @param missing those of them that are not installed
 * @returns whether they are loaded now. If not, the reason was said, and the stack serves without them
 */
export async function installBehind(
  stack: Stack,
  data: string,
  models: readonly string[],
  missing: readonly string[],
  say: (line: string) => void,
): Promise<boolean> {
  const names = missing.join(", ");
  const step = (number: number, detail: string) => {
    say(`installing ${names}: ${detail}, ${number} of ${STEPS}`);
    tellEdge(data, missing, { state: "installing", step: number, steps: STEPS, detail });
  };
  let last = 0;
  try {
    await setUpNetworks((number, what) => {
      last = number;
      step(number, what);
    });
    last = STEPS;
    step(STEPS, "loading it into the worker");
    await idle(stack);
    await stack.worker.restart({ FOVEA_MODELS: models.join(",") });
    tellEdge(data, missing, null);
    say(`${names}: installed and loaded`);
    return true;
  } catch (error) {
    const { message } = error as Error;
    const reason = error instanceof SetupError ? error.summary : (message.split("\n")[0] ?? "");
    const detail = `${reason} To try again, stop Fovea and run \`npm start\`; it takes up where it was.`;
    tellEdge(data, missing, { state: "failed", step: last, steps: STEPS, detail });
    say(`${names} cannot be used.\n${message}`);
    return false;
  }
}

/** Waits until no page is being read, but not for long: the worker ends after its running pages, and what is lost is read again. */
async function idle({ origin, bootstrapSecret }: Stack): Promise<void> {
  const headers = { authorization: `Bearer ${bootstrapSecret}` };
  for (const end = Date.now() + IDLE_MS; Date.now() < end; await sleep(500)) {
    const metrics = await (await fetch(`${origin}/metrics`, { headers })).text();
    if (/^fovea_pages_in_work\{state="working"\} 0$/m.test(metrics)) return;
  }
}
