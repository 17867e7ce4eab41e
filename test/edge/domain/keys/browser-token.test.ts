import { expect, it } from "vitest";
import { readApiKey } from "../../../../src/edge/domain/keys/api-key.ts";
import {
  type BrowserToken,
  isBrowserToken,
  makeBrowserToken,
  readBrowserToken,
} from "../../../../src/edge/domain/keys/browser-token.ts";

const SECRET = "a-root-secret-of-the-tests";
const token: BrowserToken = {
  id: "tok_1",
  keyHash: "ab".repeat(32),
  scope: "read",
  jobId: "job_1",
  expires: 1_800_000_300,
};
const NOW = 1_800_000_000_000;

it("accepts its own tokens until they expire", async () => {
  const text = await makeBrowserToken(SECRET, token);
  expect(isBrowserToken(text)).toBe(true);
  expect(readApiKey(text)).toBeNull();
  expect(await readBrowserToken(SECRET, text, NOW)).toEqual(token);
  expect(await readBrowserToken(SECRET, text, NOW + 299_999)).toEqual(token);
  expect(await readBrowserToken(SECRET, text, NOW + 300_000)).toBeNull();
});

it("rejects a token of another secret, and one with any character changed", async () => {
  const text = await makeBrowserToken(SECRET, token);
  expect(await readBrowserToken(`${SECRET}x`, text, NOW)).toBeNull();
  // The last character of base64url text can have unused bits.
  for (let i = 0; i < text.length - 1; i++) {
    const changed = text[i] === "A" ? "B" : "A";
    const other = text.slice(0, i) + changed + text.slice(i + 1);
    expect(await readBrowserToken(SECRET, other, NOW)).toBeNull();
  }
  for (const other of ["", "fov_tok_", "fov_tok_.", `${text}A`, text.split(".")[0] as string])
    expect(await readBrowserToken(SECRET, other, NOW)).toBeNull();
});
