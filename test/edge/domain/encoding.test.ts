import { describe, expect, it } from "vitest";
import { base64, base64url, fromBase64, fromBase64url } from "../../../src/edge/domain/encoding.ts";

describe("base64", () => {
  it.each([0, 1, 2, 3, 48 * 1024, 48 * 1024 + 1, 200_000])("of %i bytes is decoded", (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7) % 256);
    const text = base64(bytes.buffer);
    expect(fromBase64(text)).toEqual(bytes);
    expect(fromBase64(text.replace(/.{76}/g, "$&\r\n"))).toEqual(bytes);
    expect(fromBase64(text.replaceAll("=", ""))).toEqual(bytes);
    expect(fromBase64url(base64url(bytes.buffer))).toEqual(bytes);
  });

  it.each(["A", "AA=A", "AAA!", `${"AAAA".repeat(20_000)}A`])("is not any text", (text) => {
    expect(fromBase64(text)).toBeNull();
  });
});
