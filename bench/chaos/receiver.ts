/** A webhook receiver that can refuse or hang, and a server of documents for requests by URL. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { Dice } from "../random.ts";

export const RECEIVER_FAULTS = ["hangs", "refuses"] as const;
export type ReceiverFault = (typeof RECEIVER_FAULTS)[number];

/** One request that the receiver got. */
export interface Receipt {
  /** `webhook-id` */
  id: string;
  jobId: string;
  type: string;
  tenant: string;
  /** 0: it was never answered. */
  answered: number;
  /** Whether the tenant's secret signed it. */
  signed: boolean;
}

export interface Receiver {
  origin: string;
  receipts: Receipt[];
  /** Documents by path, for requests by URL. */
  documents: Map<string, { bytes: Uint8Array; type: string }>;
  /** Webhook secrets by tenant. */
  secrets: Map<string, string>;
  inject(kind: ReceiverFault, count: number, seed: number): void;
  readonly left: number;
  stop(): void;
}

export async function startReceiver(): Promise<Receiver> {
  let kind: ReceiverFault = "refuses";
  let left = 0;
  let dice = new Dice(0);
  const receipts: Receipt[] = [];
  const documents: Receiver["documents"] = new Map();
  const secrets: Receiver["secrets"] = new Map();

  const server = createServer(async (request, response) => {
    const path = request.url as string;
    const document = documents.get(path);
    if (document)
      return response.writeHead(200, { "content-type": document.type }).end(document.bytes);
    let body = "";
    for await (const chunk of request) body += chunk;
    const tenant = path.split("/").at(-1) as string;
    const fault = left > 0 && dice.chance(0.5) ? kind : null;
    if (fault) left--;
    const answered = fault === "hangs" ? 0 : fault === "refuses" ? 503 : 204;
    const event = JSON.parse(body) as { type: string; data: { job_id: string } };
    receipts.push({
      id: request.headers["webhook-id"] as string,
      jobId: event.data.job_id,
      type: event.type,
      tenant,
      answered,
      signed: isSigned(secrets.get(tenant) as string, body, request.headers),
    });
    if (answered > 0) response.writeHead(answered).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    receipts,
    documents,
    secrets,
    inject(next, count, seed) {
      kind = next;
      left = count;
      dice = new Dice(seed, next);
    },
    get left() {
      return left;
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function isSigned(secret: string, body: string, headers: NodeJS.Dict<string | string[]>): boolean {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}
