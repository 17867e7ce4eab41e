/** A whole stack with the real worker for the benches: tenants, a receiver, and texts that `fovea-render` lays out. */
import { mkdirSync } from "node:fs";
import { type Stack, type StackOptions, startStack } from "../../scripts/stack.ts";
import type { Dice } from "../random.ts";
import { type CallbackProxy, startCallbackProxy } from "./callback-proxy.ts";
import { Client, type Document } from "./client.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import type { World } from "./scenarios.ts";

export interface RealWorld {
  stack: Stack;
  proxy: CallbackProxy;
  receiver: Receiver;
  /** Starts the stack again on the same data. */
  restart(): Promise<void>;
  newClient(tenant: string): Promise<Client>;
  world(...clients: Client[]): World;
  sweep(): Promise<void>;
  stop(): Promise<void>;
}

/** The cheapest reading that a real worker offers. */
export const OPTIONS = { model: "fovea-render", mode: "tiny" };

/** @param data folder of the stack */
export async function startReal(
  data: string,
  latestMs: number,
  env: NonNullable<StackOptions["env"]>,
): Promise<RealWorld> {
  mkdirSync(data, { recursive: true });
  const proxy = await startCallbackProxy(latestMs);
  const receiver = await startReceiver();
  let ports: StackOptions["ports"] = {};
  const start = () =>
    startStack({
      data,
      ports,
      models: OPTIONS.model,
      env: {
        edge: { PUBLIC_ORIGIN: proxy.origin, RATE_PER_MINUTE: "1000000", ...env.edge },
        worker: {
          FOVEA_MODELS: OPTIONS.model,
          FOVEA_ALLOWED_ORIGINS: proxy.origin,
          ...env.worker,
        },
      },
    });
  const real = {
    stack: await start(),
    proxy,
    receiver,
    async restart() {
      await real.stack.stop();
      real.stack = await start();
      proxy.target = real.stack.origin;
    },
    async newClient(tenant: string) {
      const { origin, bootstrapSecret } = real.stack;
      const response = await fetch(`${origin}/v1/keys`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${bootstrapSecret}`,
          "content-type": "application/json",
        },
        body: JSON.stringify({ tenant, scopes: ["read", "write", "webhooks"] }),
      });
      const { key } = (await response.json()) as { key: string };
      const headers = { authorization: `Bearer ${key}` };
      const secret = await fetch(`${origin}/v1/webhooks/secret`, { headers });
      receiver.secrets.set(tenant, ((await secret.json()) as { secret: string }).secret);
      return new Client(origin, tenant, key);
    },
    world: (...clients: Client[]) => ({ clients, receiver, newDocument, options: OPTIONS }),
    async sweep() {
      const signal = AbortSignal.timeout(30_000);
      await fetch(`${real.stack.origin}/cdn-cgi/local/scheduled`, { signal }).catch(() => {});
    },
    async stop() {
      await real.stack.stop();
      proxy.stop();
      receiver.stop();
    },
  };
  ports = {
    edge: Number(new URL(real.stack.origin).port),
    worker: Number(new URL(real.stack.worker.url).port),
  };
  proxy.target = real.stack.origin;
  return real;
}

let documents = 0;

/** A text of a few small pages. Each of its lines says whose it is. */
export function newDocument(owner: string, dice: Dice): Document {
  const id = `t${++documents}`;
  const lines = Array.from(
    { length: dice.int(1, 4) * 12 },
    (_, line) => `${owner} ${id} line ${line + 1} of a text that is only here to fill a page.`,
  );
  const bytes = new TextEncoder().encode(lines.join("\n\n")) as Uint8Array<ArrayBuffer>;
  return { id, owner, bytes, type: "text/markdown", pages: null, broken: false, badPage: null };
}
