/** Stands between worker and edge: loses, repeats and delays what the worker sends. */
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Dice } from "../random.ts";

export const CALLBACK_FAULTS = ["lost request", "lost answer", "repeated", "late"] as const;
export type CallbackFault = (typeof CALLBACK_FAULTS)[number];

export interface CallbackProxy {
  origin: string;
  /** Where requests go. */
  target: string;
  /** From now on, callbacks suffer `count` faults of this kind. */
  inject(kind: CallbackFault, count: number, seed: number): void;
  readonly left: number;
  /** Results of pages that the edge has accepted; pages that were sent twice count twice. */
  readonly pushed: number;
  stop(): void;
}

/** @param latestMs longest delay of a late callback; longer than a lease, so that a later attempt overtakes it */
export async function startCallbackProxy(latestMs: number): Promise<CallbackProxy> {
  let kind: CallbackFault = "late";
  let left = 0;
  let dice = new Dice(0);
  let pushed = 0;

  const server = createServer(async (incoming, outgoing) => {
    const body = await bodyOf(incoming).catch(() => null);
    if (body === null) return outgoing.destroy();
    const isCallback = incoming.method !== "GET" && incoming.url?.startsWith("/callbacks/");
    const fault = isCallback && left > 0 && dice.chance(0.3) ? kind : null;
    if (fault) left--;
    const forward = async () => {
      const answer = await pass(proxy.target, incoming, body);
      if (/\/pages\/\d+\?/.test(incoming.url as string) && answer?.status === 204) pushed++;
      return answer;
    };
    if (fault === "lost request") return outgoing.destroy();
    if (fault === "late") await sleep(dice.int(10, latestMs));
    const again = fault === "repeated" && dice.chance(0.5) ? forward() : null;
    const answer = await forward();
    await again;
    if (fault === "repeated" && !again) await forward();
    if (fault === "lost answer" || !answer) return outgoing.destroy();
    outgoing.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  const proxy = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target: "",
    inject(next: CallbackFault, count: number, seed: number) {
      kind = next;
      left = count;
      dice = new Dice(seed, next);
    },
    get left() {
      return left;
    },
    get pushed() {
      return pushed;
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
  return proxy;
}

async function bodyOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** @returns the answer; `null` if there is none */
function pass(
  target: string,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer } | null> {
  return new Promise((resolve) => {
    const sent = httpRequest(
      target + url,
      { method, headers: { ...headers, connection: "close" } },
      (answer) =>
        bodyOf(answer).then(
          (bytes) =>
            resolve({
              status: answer.statusCode as number,
              headers: answer.headers,
              body: bytes,
            }),
          () => resolve(null),
        ),
    );
    sent.on("error", () => resolve(null));
    sent.end(body);
  });
}
