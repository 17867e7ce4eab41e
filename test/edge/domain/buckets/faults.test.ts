import { describe, expect, it } from "vitest";
import { answerFault } from "../../../../src/edge/domain/buckets/faults.ts";

const fault = (status: number, code?: string, region: string | null = null) =>
  answerFault(status, code === undefined ? null : { code, region });

describe("the answer of a bucket", () => {
  it.each([
    [403, "SignatureDoesNotMatch", "secret_wrong", "connection"],
    [403, "InvalidAccessKeyId", "access_key_unknown", "connection"],
    [403, "AccessDenied", "access_denied", "object"],
    [404, "NoSuchBucket", "bucket_missing", "connection"],
    [404, "NoSuchKey", "object_not_found", "object"],
    [412, "PreconditionFailed", "object_changed", "object"],
    [403, "InvalidObjectState", "object_archived", "object"],
    [503, "SlowDown", "bucket_busy", "later"],
    [500, "InternalError", "bucket_failed", "later"],
    [400, "SomethingNew", "request_refused", "object"],
  ])("%i %s means %s", (status, code, meaning, whose) => {
    expect(fault(status, code)).toMatchObject({ code: meaning, whose });
  });

  it.each([
    [301, "bucket_elsewhere"],
    [401, "access_key_unknown"],
    [404, "bucket_nonsense"],
    [418, "bucket_nonsense"],
    [429, "bucket_busy"],
    [502, "bucket_failed"],
  ])("without XML, %i means %s", (status, meaning) => {
    expect(fault(status).code).toBe(meaning);
  });

  it("names the region that the server names", () => {
    const { message } = fault(400, "AuthorizationHeaderMalformed", "eu-west-1");
    expect(message).toContain("eu-west-1");
  });
});
