import { expect, it } from "vitest";
import security from "../../../../docs/SECURITY.md?raw";
import { hasScope, newApiKey, readApiKey } from "../../../../src/edge/domain/keys/api-key.ts";

it("accepts its own keys and reads their environment", () => {
  expect(readApiKey(newApiKey("live"))).toBe("live");
  expect(readApiKey(newApiKey("test"))).toBe("test");
  expect(newApiKey("live")).not.toBe(newApiKey("live"));
});

it("knows the example of docs/SECURITY.md, and its pattern fits every key", () => {
  const example = /`(fov_live_0+\w{6})`/.exec(security)?.[1] as string;
  expect(readApiKey(example)).toBe("live");
  const pattern = new RegExp(/scanners:\*\* `(.+?)`/.exec(security)?.[1] as string, "g");
  const keys = [newApiKey("live"), newApiKey("test")];
  expect(`x ${keys[0]}\n"${keys[1]}"`.match(pattern)).toEqual(keys);
});

it("rejects a key with any character changed", () => {
  const key = newApiKey("live");
  for (let i = 0; i < key.length; i++) {
    const changed = key[i] === "a" ? "b" : "a";
    expect(readApiKey(key.slice(0, i) + changed + key.slice(i + 1))).toBeNull();
  }
});

it("lets admin do everything and others only what they name", () => {
  expect(hasScope(["admin"], "webhooks")).toBe(true);
  expect(hasScope(["read"], "write")).toBe(false);
});
