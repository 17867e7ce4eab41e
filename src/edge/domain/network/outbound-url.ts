/**
 * Checks every address that a client names (documents, webhooks) before the edge requests it, against
 * server-side request forgery. This file checks the URL as written and the addresses that a name resolves to;
 * `security/outbound.ts` resolves names. Code that follows redirects checks each of them.
 */
import ipaddr from "ipaddr.js";
import { isIPv4, parseAddress } from "./cidr.ts";

/** @returns what is wrong with the URL, in words for the client, or `null` */
export function outboundUrlFault(text: string, allowLoopback: boolean): string | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return "not a URL";
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return "only https URLs are allowed";
  if (url.username !== "" || url.password !== "") return "no credentials in URLs";
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (allowLoopback && isLoopback(host)) return null;
  if (url.protocol !== "https:") return "only https URLs are allowed";
  if (isPrivateHost(host)) return "the address is not public";
  const port = Number(url.port || 443);
  if (port !== 443 && port < 1024) return "the port is not allowed";
  return null;
}

/** The name to resolve before the URL may be requested; `null` if its host is an address. */
export function nameToResolve(url: string): string | null {
  const host = new URL(url).hostname.replace(/\.$/, "");
  return host.startsWith("[") || parseAddress(host) ? null : host;
}

/** @param addresses of a name, from DNS. @returns what is wrong, or `null` */
export function addressesFault(addresses: readonly string[]): string | null {
  // The connection may use any of them, so one private address is enough to refuse the name.
  return addresses.every(isPublicAddress)
    ? null
    : "the name leads to an address that is not public";
}

const isLoopback = (host: string) =>
  host === "localhost" || parseAddress(host)?.range() === "loopback";

function isPrivateHost(host: string): boolean {
  // The URL parser has already turned octal, hexadecimal and short forms of IPv4 into four decimal numbers.
  if (parseAddress(host) || host.includes(":")) return !isPublicAddress(host);
  // A name without a dot, or under a suffix that no public registry assigns (RFC 6761, 6762, 8375).
  if (!host.includes(".")) return true;
  return /\.(localhost|local|localdomain|internal|intranet|lan|home|corp|private|test|invalid|example|onion|arpa)$/i.test(
    host,
  );
}

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR("2000::/3");

/**
 * `unicast` is ipaddr.js's name for addresses outside all special-purpose ranges (RFC 6890). In IPv6 only 2000::/3 is
 * assigned, so anything else is refused too.
 */
function isPublicAddress(text: string): boolean {
  const address = parseAddress(text);
  if (address?.range() !== "unicast") return false;
  return isIPv4(address) || address.match(GLOBAL_UNICAST);
}
