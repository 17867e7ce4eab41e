/**
 * The guard before every request to an address that a client names (documents, webhooks), against
 * server-side request forgery. It judges the address as written. On Cloudflare, `fetch` reaches no
 * private network, so a name that resolves to one leads nowhere; redirects are checked one by one by
 * whoever follows them.
 */

/** @returns what is wrong with the URL, in words for the client, or `null`. */
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

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || parseIPv4(host)?.[0] === 127;
}

function isPrivateHost(host: string): boolean {
  const v4 = parseIPv4(host);
  if (v4) return isPrivateIPv4(v4);
  if (host.includes(":")) return isPrivateIPv6(host);
  // A name without a dot, or under a suffix that no public registry hands out (RFC 6761, 6762, 8375).
  if (!host.includes(".")) return true;
  return /\.(localhost|local|localdomain|internal|intranet|lan|home|corp|private|test|invalid|example|onion|arpa)$/i.test(
    host,
  );
}

type IPv4 = [number, number, number, number];

/** The URL parser has already turned octal, hexadecimal and short forms into four decimal numbers. */
function parseIPv4(host: string): IPv4 | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host);
  return match && (match.slice(1).map(Number) as IPv4);
}

/** The special-purpose registry of RFC 6890, as far as it is not globally reachable. */
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
 * Only global unicast (2000::/3) is public, and of it not the ranges that carry an IPv4 address of
 * unknown kind (6to4, Teredo) or documentation. `::ffff:0:0/96` and `64:ff9b::/96` lie outside 2000::/3.
 */
function isPrivateIPv6(host: string): boolean {
  const [first = "", second = ""] = host.split(":");
  const head = Number.parseInt(first || "0", 16);
  if (head < 0x2000 || head > 0x3fff) return true;
  const next = Number.parseInt(second || "0", 16);
  return head === 0x2002 || (head === 0x2001 && (next === 0 || next === 0xdb8));
}
