/**
 * Whether an address that a client names may be called now: as written, and, where a resolver is set,
 * by what its name stands for (DNS over HTTPS, the JSON form). A Worker cannot see which address its own
 * `fetch` connects to, so an answer may change in between: docs/decisions/0006-dns-answers.md.
 */
import type { Env } from "../bindings.ts";
import { addressesFault, nameToResolve, outboundUrlFault } from "../domain/network/outbound-url.ts";
import { settings } from "../settings.ts";

const TIMEOUT_MS = 5000;

/** Record types of DNS. */
const A = 1;
const AAAA = 28;

interface OutboundFault {
  /** For the client. */
  words: string;
  /** The address is not allowed; else it cannot be said now, and may be asked again later. */
  refused: boolean;
}

/** @returns what is wrong with the URL, or `null`. */
export async function outboundFault(env: Env, url: string): Promise<OutboundFault | null> {
  const { ALLOW_LOOPBACK, DNS_RESOLVER } = settings(env);
  const fault = outboundUrlFault(url, ALLOW_LOOPBACK);
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
  // Aliases (CNAME) are in the answer too; what counts is where they end.
  return Answer.filter((record) => record.type === A || record.type === AAAA).map(
    ({ data }) => data,
  );
}
