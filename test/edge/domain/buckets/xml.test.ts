import { describe, expect, it } from "vitest";
import { readError, readListing, withoutQuotes } from "../../../../src/edge/domain/buckets/xml.ts";

const contents = (key: string, etag = "&quot;e1&quot;") =>
  `<Contents><Key>${key}</Key><LastModified>2026-01-01</LastModified><ETag>${etag}</ETag><Size>12</Size></Contents>`;
const result = (inside: string) =>
  `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inside}</ListBucketResult>\n`;

describe("a listing", () => {
  it("has keys, sizes and ETags without their quotes", () => {
    const text = result(
      `<IsTruncated>true</IsTruncated>${contents("a&amp;b.pdf")}${contents("c", "e2")}`,
    );
    expect(readListing(text)).toEqual({
      isTruncated: true,
      objects: [
        { key: "a&b.pdf", bytes: 12, etag: "e1" },
        { key: "c", bytes: 12, etag: "e2" },
      ],
    });
  });

  it("decodes keys only if the server says that they are encoded", () => {
    const keys = (text: string) => readListing(text)?.objects.map(({ key }) => key);
    expect(keys(result(contents("a+b%2Fc")))).toEqual(["a+b%2Fc"]);
    expect(keys(result(`<EncodingType>url</EncodingType>${contents("a+b%2Fc%2B")}`))).toEqual([
      "a b/c+",
    ]);
    // A key is no place to say so.
    expect(keys(result(contents("&lt;EncodingType&gt;url%2F")))).toEqual(["<EncodingType>url%2F"]);
  });

  it("may be empty", () => {
    expect(readListing(result("<KeyCount>0</KeyCount>"))).toEqual({
      objects: [],
      isTruncated: false,
    });
  });

  it("is refused if it is something else, or was cut", () => {
    for (const text of [
      "",
      "<html></html>",
      "{}",
      result(contents("a")).slice(0, -30),
      result("<Contents><Key>a</Key></Contents>"),
      result("<Contents><Size>1</Size></Contents>"),
      result(`<EncodingType>url</EncodingType>${contents("%zz")}`),
    ]) {
      const read = readListing(text);
      expect(read === null || read.objects.every(({ bytes }) => bytes === 0), text).toBe(true);
    }
  });
});

describe("an error", () => {
  it("has a code, and a region if it is one", () => {
    const text =
      "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
    expect(readError(text)).toEqual({ code: "AuthorizationHeaderMalformed", region: "eu-west-1" });
    const odd = "<Error><Code>A&lt;b&gt; c!</Code><Region>&lt;script&gt;</Region></Error>";
    expect(readError(odd)).toEqual({ code: "Abc", region: null });
    expect(readError("<html>no</html>")).toBeNull();
  });
});

it("an ETag loses its quotes, and no others", () => {
  expect(['"a"', "a", '"a', 'W/"a"'].map(withoutQuotes)).toEqual(["a", "a", '"a', 'W/"a"']);
});
