/**
 * Checks whether a URL from a client may be requested: the URL itself and, if a resolver is configured, the IP
 * addresses of its host (DNS over HTTPS, JSON format). A Worker cannot see the address that its `fetch` connects
 * to, so DNS may change in between (docs/decisions/0006-dns-answers.md).
 */
import type { Env } from "../bindings.ts";
import {
  addressesFault,
  nameToResolve,
  type OutboundRules,
  outboundUrlFault,
} from "../domain/network/outbound-url.ts";
import { settings } from "../settings.ts";

const TIMEOUT_MS = 5000;

/** DNS record types. */
const A = 1;
const AAAA = 28;

interface OutboundFault {
  /** Message for the client. */
  words: string;
  /** Whether the address is not allowed. Otherwise the check failed and may be repeated later. */
  refused: boolean;
}

export function outboundRules(env: Env): OutboundRules {
  const { ALLOW_LOOPBACK, PUBLIC_ORIGIN, WORKER_ORIGIN, POOLS, EXTRACT_URL } = settings(env);
  const pools = POOLS.flatMap((pool) => (pool.type === "cog" ? [pool.url] : []));
  const others = [WORKER_ORIGIN, EXTRACT_URL].flatMap((origin) => (origin ? [origin] : []));
  const own = [PUBLIC_ORIGIN, ...others, ...pools];
  return { allowLoopback: ALLOW_LOOPBACK, own };
}

/** @returns why the URL may not be requested, or `null` */
export async function outboundFault(env: Env, url: string): Promise<OutboundFault | null> {
  const { DNS_RESOLVER } = settings(env);
  const fault = outboundUrlFault(url, outboundRules(env));
  if (fault) return { words: fault, refused: true };
  if (!DNS_RESOLVER) return null;
  const name = nameToResolve(url);
  if (name === null) return null;
  try {
    const answers = await Promise.all([
      resolve(DNS_RESOLVER, name, "A"),
      resolve(DNS_RESOLVER, name, "AAAA"),
    ]);
    const addresses = answers.flat();
    if (addresses.length === 0) return { words: "the name has no address", refused: false };
    const words = addressesFault(addresses);
    return words === null ? null : { words, refused: true };
  } catch {
    return { words: "the name could not be looked up", refused: false };
  }
}

async function resolve(resolver: string, name: string, type: "A" | "AAAA"): Promise<string[]> {
  const query = new URLSearchParams({ name, type });
  const response = await fetch(`${resolver}?${query}`, {
    headers: { accept: "application/dns-json" },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    redirect: "manual",
  });
  if (!response.ok) throw new Error(`the resolver answered with status ${response.status}`);
  const { Answer = [] } = (await response.json()) as { Answer?: { type: number; data: string }[] };
  // The answer also contains aliases (CNAME). Only the addresses count.
  return Answer.filter((record) => record.type === A || record.type === AAAA).map(
    ({ data }) => data,
  );
}
