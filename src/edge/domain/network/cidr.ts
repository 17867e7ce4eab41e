/**
 * Parses IPv4 and IPv6 networks in CIDR notation (RFC 4632, RFC 4291), and checks whether they contain an address.
 * An IPv4 address in IPv6 form (`::ffff:192.0.2.1`) counts as the IPv4 address.
 */
interface Network {
  /** 4 or 16 bytes. */
  bytes: number[];
  /** Number of leading bits that are compared. */
  prefix: number;
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** @returns the network in normal form, without bits after the prefix; `null` if the text is not a network */
export function normalCidr(text: string): string | null {
  const network = parseCidr(text);
  return network && `${formatAddress(network.bytes)}/${network.prefix}`;
}

/** Whether `address` is in one of the networks; false if it is not an address. */
export function inNetworks(address: string, cidrs: readonly string[]): boolean {
  const bytes = parseAddress(address);
  return (
    bytes !== null &&
    cidrs.some((cidr) => {
      const network = parseCidr(cidr);
      return network !== null && contains(network, bytes);
    })
  );
}

function contains({ bytes, prefix }: Network, address: number[]): boolean {
  return (
    bytes.length === address.length &&
    bytes.every((byte, i) => {
      const mask = maskOf(prefix, i);
      return (byte & mask) === ((address[i] as number) & mask);
    })
  );
}

/** The bits of byte `i` that a prefix covers. */
const maskOf = (prefix: number, i: number) =>
  0xff & (0xff00 >> Math.min(8, Math.max(0, prefix - 8 * i)));

function parseCidr(text: string): Network | null {
  const match = /^([0-9a-fA-F:.]{2,45})(?:\/(\d{1,3}))?$/.exec(text);
  if (!match) return null;
  const bytes = parseAddress(match[1] as string);
  if (!bytes) return null;
  const wasMapped = bytes.length === 4 && (match[1] as string).includes(":");
  const bits = bytes.length * 8;
  const prefix = match[2] === undefined ? bits : Number(match[2]) - (wasMapped ? 96 : 0);
  if (prefix < 0 || prefix > bits) return null;
  return { bytes: bytes.map((byte, i) => byte & maskOf(prefix, i)), prefix };
}

/** @returns the 4 bytes of an IPv4 address, the 16 of an IPv6 address, or `null` */
export function parseAddress(text: string): number[] | null {
  return text.includes(":") ? parseIPv6(text) : parseIPv4(text);
}

function parseIPv4(text: string): number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return null;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}

function parseIPv6(text: string): number[] | null {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  let plain = text;
  if (dotted) {
    const v4 = parseIPv4(dotted[2] as string);
    if (!v4) return null;
    const [a, b, c, d] = v4 as [number, number, number, number];
    plain = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const halves = plain.split("::");
  if (halves.length > 2) return null;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const [head = [], tail = []] = groups;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const all = [...head, ...new Array<string>(halves.length === 2 ? missing : 0).fill("0"), ...tail];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null;
  const bytes = all.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
  return MAPPED.every((byte, i) => bytes[i] === byte) ? bytes.slice(12) : bytes;
}

/** RFC 5952 without the `::` abbreviation, because only this file parses the result. */
function formatAddress(bytes: number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number)).toString(16),
  );
  return groups.join(":");
}
