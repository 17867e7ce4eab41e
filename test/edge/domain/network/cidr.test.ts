import { describe, expect, it } from "vitest";
import { inNetworks, normalCidr, parseAddress } from "../../../../src/edge/domain/network/cidr.ts";

describe("an address is in a network if the bits of the prefix are equal", () => {
  it.each([
    ["203.0.113.7", "203.0.113.0/24", true],
    ["203.0.114.7", "203.0.113.0/24", false],
    ["203.0.113.7", "203.0.113.7", true],
    ["203.0.113.8", "203.0.113.7/32", false],
    ["10.127.255.255", "10.64.0.0/10", true],
    ["10.128.0.0", "10.64.0.0/10", false],
    ["203.0.113.129", "203.0.113.128/25", true],
    ["203.0.113.127", "203.0.113.128/25", false],
    ["198.51.100.1", "0.0.0.0/0", true],
    ["2001:db8::1", "0.0.0.0/0", false],
    ["2001:db8:0:1::5", "2001:db8::/32", true],
    ["2001:db9::5", "2001:db8::/32", false],
    ["2001:db8:0:3fff::", "2001:db8::/50", true],
    ["2001:db8:0:4000::", "2001:db8::/50", false],
    ["::1", "::/0", true],
    ["127.0.0.1", "::/0", false],
    ["::ffff:203.0.113.7", "203.0.113.0/24", true],
    ["::ffff:cb00:7107", "203.0.113.0/24", true],
    ["203.0.113.7", "::ffff:203.0.113.0/120", true],
  ])("%s in %s: %s", (address, cidr, expected) => {
    expect(inNetworks(address, [cidr])).toBe(expected);
  });

  it("one matching network is enough, and text that is not an address is in none", () => {
    expect(inNetworks("192.0.2.1", ["10.0.0.0/8", "192.0.2.0/24"])).toBe(true);
    expect(inNetworks("192.0.2.1", [])).toBe(false);
    for (const text of ["", "unknown", "1.2.3", "192.0.2.1, 10.0.0.1", "192.0.2.01"])
      expect(inNetworks(text, ["0.0.0.0/0", "::/0"])).toBe(false);
  });
});

it("normalises a network and clears the bits after the prefix", () => {
  expect(normalCidr("203.0.113.77/24")).toBe("203.0.113.0/24");
  expect(normalCidr("203.0.113.77")).toBe("203.0.113.77/32");
  expect(normalCidr("2001:DB8::77/32")).toBe("2001:db8:0:0:0:0:0:0/32");
  expect(normalCidr("::1")).toBe("0:0:0:0:0:0:0:1/128");
});

it.each([
  "",
  "1.2.3.4/33",
  "1.2.3.4/-1",
  "1.2.3/8",
  "256.1.1.1",
  "1.2.3.4/",
  "01.2.3.4",
  "a.b.c.d",
  "::1/129",
  ":::",
  "1::2::3",
  "12345::",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "::1.2.3",
  "::ffff:1.2.3.4/95",
  "fe80::1%eth0",
  "1.2.3.4/8 ",
  "::ffff:1.2.3.256",
])("does not take %j for a network", (text) => expect(normalCidr(text)).toBeNull());

it("`::` stands for one group of zeros or more, never for none", () => {
  expect(normalCidr("1:2:3:4:5:6:7::")).toBe("1:2:3:4:5:6:7:0/128");
  expect(normalCidr("1:2:3::5:6:7:8")).toBe("1:2:3:0:5:6:7:8/128");
  expect(normalCidr("1:2:3:4:5:6:7:8")).toBe("1:2:3:4:5:6:7:8/128");
  for (const text of [
    "1:2:3:4::5:6:7:8::9",
    "1:2:3:4:5:6:7:8::",
    "1:2:3:4::5:6:7:8",
    "::1:2:3:4:5:6:7:8",
  ])
    expect(normalCidr(text)).toBeNull();
});

it("reads addresses to bytes", () => {
  expect(parseAddress("1.2.3.4")?.toByteArray()).toEqual([1, 2, 3, 4]);
  expect(parseAddress("1::")?.toByteArray()).toEqual([0, 1, ...new Array(14).fill(0)]);
  expect(parseAddress("::")?.toByteArray()).toEqual(new Array(16).fill(0));
  expect(parseAddress("ffff:ABCD::1")?.toByteArray()).toEqual([
    255,
    255,
    171,
    205,
    ...new Array(11).fill(0),
    1,
  ]);
  expect(parseAddress("64:ff9b::1.2.3.4")?.toByteArray().slice(10)).toEqual([0, 0, 1, 2, 3, 4]);
  expect(parseAddress("::ffff:1.2.3.4")?.toByteArray()).toEqual([1, 2, 3, 4]);
});
