/**
 * Protects against server-side request forgery: checks every URL that a client supplies (documents,
 * webhooks) before it is requested. This file checks the URL itself and the IP addresses of its host;
 * `security/outbound.ts` resolves them. Code that follows redirects checks each target.
 */
import { parseAddress } from "./cidr.ts";

/** @returns a message for the client that says why the URL is not allowed, or `null` */
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
    : "the name leads to an address that is not public";
}

function isPublicAddress(address: string): boolean {
  const bytes = parseAddress(address);
  if (!bytes) return false;
  return bytes.length === 4 ? !isPrivateIPv4(bytes as IPv4) : !isPrivateIPv6(bytes);
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

/** The URL parser has already converted octal, hexadecimal and short forms to four decimal numbers. */
const isIPv4 = (host: string) => parseAddress(host)?.length === 4;

function isPrivateHost(host: string): boolean {
  if (host.includes(":") || isIPv4(host)) return !isPublicAddress(host);
  // Names without a dot, and suffixes that are not in public DNS (RFC 6761, 6762, 8375).
  if (!host.includes(".")) return true;
  return /\.(localhost|local|localdomain|internal|intranet|lan|home|corp|private|test|invalid|example|onion|arpa)$/i.test(
    host,
  );
}

type IPv4 = [number, number, number, number];

/** The special-purpose address blocks of RFC 6890 that are not globally reachable. */
function isPrivateIPv4([a, b, c]: IPv4): boolean {
  return (
    a === 0 ||
    a === 10 ||
    a === 127 ||
    (a === 100 && b >= 64 && b <= 127) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b <= 31) ||
    (a === 192 && b === 168) ||
    (a === 192 && b === 0 && (c === 0 || c === 2)) ||
    (a === 192 && b === 88 && c === 99) ||
    (a === 198 && (b === 18 || b === 19)) ||
    (a === 198 && b === 51 && c === 100) ||
    (a === 203 && b === 0 && c === 113) ||
    a >= 224
  );
}

/**
 * Only global unicast (2000::/3) is public, except protocol assignments (2001::/23, which include Teredo),
 * documentation, and 6to4, which can contain any IPv4 address. `64:ff9b::/96` is outside 2000::/3.
 * `::ffff:0:0/96` has been parsed as IPv4.
 */
function isPrivateIPv6(bytes: number[]): boolean {
  const [a, b, c, d] = bytes as IPv4;
  if (a >> 5 !== 1) return true;
  const [head, next] = [(a << 8) | b, (c << 8) | d];
  return (
    head === 0x2002 ||
    (head === 0x2001 && (next < 0x200 || next === 0xdb8)) ||
    (head === 0x3fff && next < 0x1000)
  );
}
