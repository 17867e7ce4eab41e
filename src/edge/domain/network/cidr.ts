/**
 * Parses IPv4 and IPv6 networks in CIDR notation (RFC 4632, RFC 4291), and checks whether they contain an address.
 * An IPv4 address in IPv6 form (`::ffff:192.0.2.1`) counts as the IPv4 address.
 */
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

interface Network {
  address: Address;
  prefix: number;
}

/** @returns the network in the form in which it is stored, bits after the prefix cleared, or `null` for other text */
export function normalCidr(text: string): string | null {
  const network = parseCidr(text);
  if (!network) return null;
  const cidr = `${network.address}/${network.prefix}`;
  const cleared = isIPv4(network.address)
    ? ipaddr.IPv4.networkAddressFromCIDR(cidr)
    : ipaddr.IPv6.networkAddressFromCIDR(cidr);
  return `${cleared.toNormalizedString()}/${network.prefix}`;
}

/** Whether `text` is an address in one of the networks. */
export function inNetworks(text: string, cidrs: readonly string[]): boolean {
  const address = parseAddress(text);
  return address !== null && cidrs.some((cidr) => contains(parseCidr(cidr), address));
}

function contains(network: Network | null, address: Address): boolean {
  return (
    network !== null &&
    network.address.kind() === address.kind() &&
    (address as ipaddr.IPv6).match(network.address as ipaddr.IPv6, network.prefix)
  );
}

function parseCidr(text: string): Network | null {
  const [, host = "", bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(host);
  if (!address) return null;
  const length = isIPv4(address) ? 32 : 128;
  const mapped = isIPv4(address) && host.includes(":") ? 96 : 0;
  const prefix = bits === undefined ? length : Number(bits) - mapped;
  return prefix < 0 || prefix > length ? null : { address, prefix };
}

/** @returns `null` for text that is not an address: no octal or short forms, no zones */
export function parseAddress(text: string): Address | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  // ipaddr.js reads the deprecated `::192.0.2.1` as `::ffff:192.0.2.1`, which it is not.
  if (!/^(?!::\d+\.)[\da-f:.]+$/i.test(text) || !ipaddr.IPv6.isValid(text)) return null;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

export const isIPv4 = (address: Address): address is ipaddr.IPv4 => address.kind() === "ipv4";
