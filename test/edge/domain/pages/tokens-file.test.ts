import { expect, it } from "vitest";
import { readTokensHead } from "../../../../src/edge/domain/pages/tokens-file.ts";
import { DIGEST, tokensFile } from "../../samples.ts";

it("reads the header of the file", () => {
  expect(readTokensHead(tokensFile(7, { mode: "gundam" }))).toEqual({
    modelDigest: DIGEST,
    mode: "gundam",
    page: 7,
    dtype: "BF16",
    positions: 2,
  });
});

const good = tokensFile(1);
const tensor = (change: object) =>
  tokensFile(1, {
    head: {
      vision_tokens: { dtype: "BF16", shape: [2, 4], data_offsets: [0, 16], ...change },
    },
  });
const long = good.slice();
new DataView(long.buffer).setBigUint64(0, 2n ** 63n, true);

it.each([
  ["nothing", new Uint8Array()],
  ["a length alone", good.subarray(0, 8)],
  ["one that is cut off", good.subarray(0, good.length - 1)],
  ["one with more behind it", new Uint8Array([...good, 0])],
  ["noise", new Uint8Array(100).fill(255)],
  ["one with a header of astronomical length", long],
  ["another format", tokensFile(1, { head: { __metadata__: { format: "pt" } } })],
  ["no metadata", tokensFile(1, { head: { __metadata__: undefined } })],
  ["another tensor beside it", tokensFile(1, { head: { more: {} } })],
  ["no digest", tokensFile(1, { digest: "sha256:x" })],
  ["a mode that is a path", tokensFile(1, { mode: "../x" })],
  ["page 0", tokensFile(0)],
  ["integers", tensor({ dtype: "I64" })],
  ["a shape that the bytes do not fill", tensor({ shape: [3, 4] })],
  ["a shape of one side", tensor({ shape: [8] })],
  ["a negative shape", tensor({ shape: [-2, -4] })],
])("refuses %s", (_name, file) => {
  expect(readTokensHead(file)).toBeNull();
});
