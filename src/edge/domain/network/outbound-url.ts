/**
 * Protects against server-side request forgery: checks every URL that a client supplies (documents,
 * webhooks) before it is requested. This file checks the URL itself and the IP addresses of its host;
 * `security/outbound.ts` resolves them. Code that follows redirects checks each target.
 */
import ipaddr from "ipaddr.js";
import { isIPv4, parseAddress } from "./cidr.ts";

export interface OutboundRules {
  /** Whether other services on loopback may be called. For development. */
  allowLoopback: boolean;
  /** Addresses of the service itself, of its workers and of its provider of extractions. They are never called on a client's behalf. */
  own: readonly string[];
}

/** @returns a message for the client that says why the URL is not allowed, or `null` */
export function outboundUrlFault(
  text: string,
  { allowLoopback, own }: OutboundRules,
): string | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return "not a URL";
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return "only https URLs are allowed";
  if (url.username !== "" || url.password !== "") return "URLs with credentials are not allowed";
  if (own.some((address) => sameServer(url, new URL(address))))
    return "the address belongs to this service";
  const host = hostOf(url);
  if (allowLoopback && isLoopback(host))
    return isRuntimePath(url.pathname) ? "the path belongs to the local runtime" : null;
  if (url.protocol !== "https:") return "only https URLs are allowed";
  if (isPrivateHost(host)) return "the address is not public";
  const port = Number(url.port || 443);
  if (port !== 443 && port < 1024) return "the port is not allowed";
  return null;
}

/** The host name to resolve before the URL is requested; `null` if the host is an IP address. */
export function nameToResolve(url: string): string | null {
  const host = new URL(url).hostname.replace(/\.$/, "");
  return host.startsWith("[") || parseAddress(host) ? null : host;
}

/** @param addresses IP addresses of a host. @returns why they are not allowed, or `null` */
export function addressesFault(addresses: readonly string[]): string | null {
  // A connection may use any of the addresses, so all must be public.
  return addresses.every(isPublicAddress)
    ? null
    : "the name resolves to an address that is not public";
}

/** Without the brackets of IPv6 and the dot of the DNS root. */
export const hostOf = (url: string | URL) =>
  new URL(url).hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");

export const isLoopback = (host: string) =>
  host === "localhost" || parseAddress(host)?.range() === "loopback";

/** Whether a connection to one reaches the other. All spellings of loopback are one host. */
function sameServer(one: URL, other: URL): boolean {
  const hosts = [hostOf(one), hostOf(other)] as const;
  return portOf(one) === portOf(other) && (hosts[0] === hosts[1] || hosts.every(isLoopback));
}

const portOf = ({ port, protocol }: URL) => port || (protocol === "https:" ? "443" : "80");

/** Local runtimes of Workers (Miniflare, `wrangler dev`) serve their storage there without a key. */
function isRuntimePath(path: string): boolean {
  try {
    return /^\/+cdn-cgi(?:\/|$)/i.test(decodeURIComponent(path));
  } catch {
    return true;
  }
}

function isPrivateHost(host: string): boolean {
  // The URL parser has already turned octal, hexadecimal and short forms of IPv4 into four decimal numbers.
  if (parseAddress(host) || host.includes(":")) return !isPublicAddress(host);
  // Names without a dot, and suffixes that are not in public DNS (RFC 6761, 6762, 8375).
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
