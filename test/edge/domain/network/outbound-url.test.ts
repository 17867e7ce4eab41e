import { describe, expect, it } from "vitest";
import {
  addressesFault,
  nameToResolve,
  outboundUrlFault,
} from "../../../../src/edge/domain/network/outbound-url.ts";

const PRODUCTION = { allowLoopback: false, own: ["https://fovea.io", "https://gpu.io:8443"] };
const DEVELOPMENT = {
  allowLoopback: true,
  own: ["http://127.0.0.1:8787", "http://127.0.0.1:5000"],
};

const refused = (url: string) => outboundUrlFault(url, PRODUCTION) !== null;

it.each([
  "https://example.com/a.pdf",
  "https://example.com:8443/",
  "https://93.184.216.34/",
  "https://[2606:4700::6810:84e5]/",
  "https://xn--bcher-kva.de/",
  "https://example.com:443/",
  "https://example.com:1024/",
  "https://example.com./",
  "https://myhome.com/",
  "https://local.com/",
])("lets %s through", (url) => expect(refused(url)).toBe(false));

it.each([
  "ftp://example.com/",
  "file:///etc/passwd",
  "gopher://example.com",
  "javascript:1",
  "nonsense",
  "http://example.com/",
  "https://user:pass@example.com/",
  "https://example.com:22/",
  "https://localhost/",
  "https://localhost./",
  "https://a.localhost/",
  "https://intranet/",
  "https://db.internal/",
  "https://printer.local/",
  "https://x.home/",
  "https://a.in-addr.arpa/",
  "https://127.0.0.1/",
  "https://127.1/",
  "https://2130706433/",
  "https://0x7f.0.0.1/",
  "https://0177.0.0.1/",
  "https://0.0.0.0/",
  "https://10.1.2.3/",
  "https://172.16.0.1/",
  "https://172.31.255.255/",
  "https://192.168.0.1/",
  "https://169.254.169.254/",
  "https://100.64.0.1/",
  "https://198.18.0.1/",
  "https://224.0.0.1/",
  "https://255.255.255.255/",
  "https://[::1]/",
  "https://[::]/",
  "https://[::ffff:127.0.0.1]/",
  "https://[::ffff:a00:1]/",
  "https://[64:ff9b::7f00:1]/",
  "https://[fe80::1]/",
  "https://[fd00::1]/",
  "https://[ff02::1]/",
  "https://[2002:7f00:1::]/",
  "https://[2001:db8::1]/",
  "https://[2001:0:1::]/",
  "https://example.com:1023/",
  "https://:pass@example.com/",
  "https://A.LOCAL./",
])("refuses %s", (url) => expect(refused(url)).toBe(true));

/** The first and last address of each range that is not public, and the addresses next to it. */
it.each([
  ["0.255.255.255", "1.0.0.0"],
  ["10.0.0.0", "9.255.255.255"],
  ["10.255.255.255", "11.0.0.0"],
  ["100.64.0.0", "100.63.255.255"],
  ["100.127.255.255", "100.128.0.0"],
  ["100.64.0.0", "99.64.0.0"],
  ["127.0.0.0", "126.255.255.255"],
  ["127.255.255.255", "128.0.0.0"],
  ["169.254.0.0", "169.253.255.255"],
  ["169.254.255.255", "169.255.0.0"],
  ["169.254.0.0", "170.254.0.0"],
  ["172.16.0.0", "172.15.255.255"],
  ["172.31.255.255", "172.32.0.0"],
  ["172.16.0.0", "173.16.0.0"],
  ["192.0.0.255", "192.0.1.0"],
  ["192.0.2.255", "192.0.3.0"],
  ["192.0.2.0", "192.1.2.0"],
  ["192.88.99.0", "192.88.98.255"],
  ["192.88.99.255", "192.88.100.0"],
  ["192.88.99.0", "192.87.99.0"],
  ["192.168.0.0", "192.167.255.255"],
  ["192.168.255.255", "192.169.0.0"],
  ["192.168.0.0", "193.168.0.0"],
  ["198.18.0.0", "198.17.255.255"],
  ["198.19.255.255", "198.20.0.0"],
  ["198.18.0.0", "199.18.0.0"],
  ["198.51.100.0", "198.51.99.255"],
  ["198.51.100.255", "198.51.101.0"],
  ["198.51.100.0", "198.50.100.0"],
  ["203.0.113.0", "203.0.112.255"],
  ["203.0.113.255", "203.0.114.0"],
  ["203.0.113.0", "203.1.113.0"],
  ["224.0.0.0", "223.255.255.255"],
  ["1fff:ffff::", "2000::"],
  ["4000::", "3fff:ffff::"],
  ["2001:1ff:ffff::", "2001:200::"],
  ["2001::", "2000:ffff::"],
  ["2001:db8::", "2001:db7:ffff::"],
  ["2001:db8:ffff::", "2001:db9::"],
  ["2002::", "2001:ffff::"],
  ["2002:ffff::", "2003::"],
  ["3fff::", "3ffe:ffff::"],
  ["3fff:fff::", "3fff:1000::"],
])("%s is not public, %s is", (inside, outside) => {
  const url = (address: string) =>
    address.includes(":") ? `https://[${address}]/` : `https://${address}/`;
  expect([refused(url(inside)), refused(url(outside))]).toEqual([true, false]);
  expect(addressesFault([outside])).toBeNull();
  expect(addressesFault([outside, inside])).not.toBeNull();
});

it("addresses are compared as bytes, however they are written", () => {
  expect(addressesFault(["::ffff:10.0.0.1"])).not.toBeNull();
  expect(addressesFault(["::ffff:93.184.216.34"])).toBeNull();
  expect(addressesFault(["nonsense"])).not.toBeNull();
});

it("names are resolved, addresses are not", () => {
  expect(nameToResolve("https://example.com/a")).toBe("example.com");
  expect(nameToResolve("https://example.com./a")).toBe("example.com");
  expect(nameToResolve("https://127.1/")).toBeNull();
  expect(nameToResolve("https://[::1]/")).toBeNull();
});

describe("with loopback allowed", () => {
  it.each([
    "http://127.0.0.1:9000/",
    "http://127.255.255.255/",
    "http://localhost:1/",
    "http://localhost./",
    "http://[::1]:80/",
    "https://127.0.0.1:22/",
  ])("lets %s through", (url) => expect(outboundUrlFault(url, DEVELOPMENT)).toBeNull());
  it.each([
    "http://10.0.0.1/",
    "http://example.com/",
    "https://169.254.169.254/",
    "http://127.evil.com/",
    "http://localhost.evil.com/",
    "ftp://127.0.0.1/",
    "http://user@127.0.0.1/",
  ])("still refuses %s", (url) => expect(outboundUrlFault(url, DEVELOPMENT)).not.toBeNull());
});

describe("addresses of the service itself", () => {
  const OWN = "the address belongs to this service";
  const spellings = [
    "127.0.0.1",
    "127.1",
    "127.0.0.2",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "localhost",
    "LOCALHOST.",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
  ];
  it.each(spellings.flatMap((host) => [`http://${host}:8787/v1/files`, `http://${host}:5000/`]))(
    "are refused in development: %s",
    (url) => expect(outboundUrlFault(url, DEVELOPMENT)).toBe(OWN),
  );
  it.each(["0.0.0.0", "0", "[::]", "[::127.0.0.1]", "machine", "10.0.0.1", "a.localhost"])(
    "are refused in development: %s",
    (host) => expect(outboundUrlFault(`http://${host}:8787/`, DEVELOPMENT)).not.toBeNull(),
  );
  it.each([
    "https://fovea.io/v1/files",
    "https://FOVEA.io.:443/",
    "http://fovea.io:443/",
    "https://gpu.io:8443/predictions",
  ])("are refused in production: %s", (url) => expect(outboundUrlFault(url, PRODUCTION)).toBe(OWN));
  it.each(["https://fovea.io:8443/", "https://gpu.io/", "https://docs.fovea.io/"])(
    "are not those of others: %s",
    (url) => expect(outboundUrlFault(url, PRODUCTION)).toBeNull(),
  );
  it.each([
    "http://127.0.0.1:9000/cdn-cgi/local/r2/public/fovea/a",
    "http://127.0.0.1:9000//cdn-cgi/local/explorer",
    "http://127.0.0.1:9000/a/..\\cdn-cgi/",
    "http://127.0.0.1:9000/%63dn-cgi/local/scheduled",
    "http://127.0.0.1:9000/CDN-CGI",
    "http://127.0.0.1:9000/%zz",
  ])("the storage of a local runtime on another port: %s", (url) =>
    expect(outboundUrlFault(url, DEVELOPMENT)).toBe("the path belongs to the local runtime"),
  );
});
