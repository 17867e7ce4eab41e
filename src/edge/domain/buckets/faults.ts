/**
 * What an answer of a bucket means. `whose` says what is to be done: nothing but the object is affected; the connection
 * has to be put in order first; or the same request may work later.
 */
type Whose = "object" | "connection" | "later";

const FAULTS = {
  bucket_refused: ["connection", "The endpoint is not allowed."],
  bucket_unreachable: ["later", "The endpoint does not answer."],
  bucket_slow: ["later", "The endpoint did not answer in time."],
  bucket_busy: ["later", "The endpoint asks for fewer requests."],
  bucket_failed: ["later", "The endpoint has failed."],
  bucket_nonsense: ["connection", "The answer is not S3's. Is the endpoint right?"],
  bucket_elsewhere: ["connection", "The bucket is in another region, or has another endpoint."],
  bucket_missing: ["connection", "There is no such bucket."],
  access_key_unknown: ["connection", "The access key does not exist there."],
  secret_wrong: ["connection", "The signature does not match. Is the secret access key right?"],
  clock_skewed: ["later", "The clocks of the endpoint and of this service differ too much."],
  access_denied: ["object", "The access key may not do this."],
  object_not_found: ["object", "There is no such object."],
  object_changed: ["object", "The object is not the one that was listed: its ETag differs."],
  object_archived: ["object", "The object is archived and must be restored first."],
  object_cut: ["object", "The object did not come completely."],
  object_slow: ["object", "The object took too long to come."],
  request_refused: ["object", "The request was not accepted."],
} as const satisfies Record<string, readonly [Whose, string]>;

export type BucketFaultCode = keyof typeof FAULTS;

export interface Fault {
  code: BucketFaultCode;
  whose: Whose;
  message: string;
}

/** @param detail a sentence that is added */
export const faultOf = (code: BucketFaultCode, detail?: string): Fault => ({
  code,
  whose: FAULTS[code][0],
  message: detail ? `${FAULTS[code][1]} ${detail}` : FAULTS[code][1],
});

/** By S3's error codes; MinIO, R2 and Google Cloud Storage use the same. */
const BY_CODE: Record<string, BucketFaultCode> = {
  SignatureDoesNotMatch: "secret_wrong",
  InvalidAccessKeyId: "access_key_unknown",
  InvalidSecurity: "access_key_unknown",
  RequestTimeTooSkewed: "clock_skewed",
  AccessDenied: "access_denied",
  AllAccessDisabled: "access_denied",
  NoSuchBucket: "bucket_missing",
  NoSuchKey: "object_not_found",
  PreconditionFailed: "object_changed",
  InvalidObjectState: "object_archived",
  AuthorizationHeaderMalformed: "bucket_elsewhere",
  PermanentRedirect: "bucket_elsewhere",
  TemporaryRedirect: "bucket_elsewhere",
  IllegalLocationConstraintException: "bucket_elsewhere",
  SlowDown: "bucket_busy",
  TooManyRequests: "bucket_busy",
  ServiceUnavailable: "bucket_busy",
  InternalError: "bucket_failed",
};

/**
 * @param status of an answer that is not a success
 * @param error the answer's body, if it is S3's XML; answers to HEAD have none
 */
export function answerFault(
  status: number,
  error: { code: string; region: string | null } | null,
): Fault {
  const detail = `(status ${status}${error ? `, ${error.code}` : ""})`;
  const known = error && BY_CODE[error.code];
  if (known === "bucket_elsewhere" && error?.region)
    return faultOf(known, `It says that the region is ${error.region} ${detail}.`);
  const code = known ?? byStatus(status, error !== null);
  return faultOf(code, detail);
}

function byStatus(status: number, isS3: boolean): BucketFaultCode {
  if (status === 401) return "access_key_unknown";
  if (status === 403) return "access_denied";
  if (status === 404) return isS3 ? "object_not_found" : "bucket_nonsense";
  if (status === 412) return "object_changed";
  if (status === 429 || status === 503) return "bucket_busy";
  if (status >= 500) return "bucket_failed";
  if (status >= 300 && status < 400) return "bucket_elsewhere";
  return isS3 ? "request_refused" : "bucket_nonsense";
}
