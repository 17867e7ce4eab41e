import { describe, expect, it } from "vitest";
import {
  keyFault,
  NewConnection,
  objectUrl,
} from "../../../../src/edge/domain/buckets/connection.ts";

const KEYS = { access_key_id: "AKIAEXAMPLE", secret_access_key: "secret-of-example" };
const connection = (fields: object) =>
  NewConnection.safeParse({
    endpoint: "https://s3.example.com",
    bucket: "scans",
    ...KEYS,
    ...fields,
  });

describe("a connection", () => {
  it("has an origin as its endpoint, and defaults", () => {
    expect(connection({ endpoint: "https://s3.example.com/" }).data).toMatchObject({
      endpoint: "https://s3.example.com",
      region: "us-east-1",
      prefix: "",
      addressing: "path",
    });
    for (const endpoint of [
      "https://s3.example.com/bucket",
      "https://s3.example.com?x=1",
      "s3.example.com",
      "https://s3.example.com/#x",
    ])
      expect(connection({ endpoint }).success, endpoint).toBe(false);
  });

  it("refuses names that are no buckets, and keys with spaces", () => {
    for (const bucket of ["a", "..", "a..b", "-ab", "ab/cd", "a b c", "x".repeat(64)])
      expect(connection({ bucket }).success, bucket).toBe(false);
    expect(connection({ secret_access_key: "with a space" }).success).toBe(false);
    expect(connection({ prefix: "a/../b" }).success).toBe(false);
  });
});

describe("the address of an object", () => {
  const place = { endpoint: "https://s3.example.com:9000", bucket: "scans" };

  it("has the bucket in its path or in its host", () => {
    const key = "a b/ü+(1)*'!.pdf";
    const path = "a%20b/%C3%BC%2B%281%29%2A%27%21.pdf";
    expect(objectUrl({ ...place, addressing: "path" }, key)).toBe(
      `https://s3.example.com:9000/scans/${path}`,
    );
    expect(objectUrl({ ...place, addressing: "virtual" }, key)).toBe(
      `https://scans.s3.example.com:9000/${path}`,
    );
  });

  it("keeps what a key could break out with", () => {
    const url = objectUrl({ ...place, addressing: "path" }, "a?x=1#y%2f..\\..//b");
    expect(new URL(url).pathname).toBe("/scans/a%3Fx%3D1%23y%252f..%5C..//b");
    expect(new URL(url).search).toBe("");
  });

  it("encodes the query as signatures need it", () => {
    const query = { "list-type": "2", prefix: "a b/(c)" };
    expect(objectUrl({ ...place, addressing: "path" }, "", query)).toBe(
      "https://s3.example.com:9000/scans/?list-type=2&prefix=a%20b%2F%28c%29",
    );
  });
});

describe("a key", () => {
  it("may be anything that an address can have", () => {
    for (const key of ["a", "/a", "a//b", "...", "a/.b", "ü".repeat(512)])
      expect(keyFault(key), key).toBeNull();
    for (const key of ["", ".", "a/../b", "a/.", "ü".repeat(513), "\ud800"])
      expect(keyFault(key), key).not.toBeNull();
  });
});
