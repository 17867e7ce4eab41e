/** W3C Trace Context, `traceparent` (https://www.w3.org/TR/trace-context/#traceparent-header), version 00. */
export interface Trace {
  traceId: string;
  /** Parent of the next span. */
  spanId: string;
  flags: string;
}

const PATTERN = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** @returns `null` if the header is invalid; the caller then starts a new trace */
export function parseTraceparent(header: string | null | undefined): Trace | null {
  const match = PATTERN.exec(header?.trim() ?? "");
  if (!match) return null;
  const [, version, traceId, spanId, flags, more] = match as unknown as string[];
  // A later version may have more fields; version 00 may not, and ff is forbidden.
  if (version === "ff" || (version === "00" && more !== undefined)) return null;
  if (/^0+$/.test(traceId as string) || /^0+$/.test(spanId as string)) return null;
  return { traceId, spanId, flags } as Trace;
}

export const formatTraceparent = ({ traceId, spanId, flags }: Trace) =>
  `00-${traceId}-${spanId}-${flags}`;

/** A new span: a child of `parent`, or the first span of a new trace. */
export function childSpan(parent: Trace | null): Trace {
  return {
    traceId: parent?.traceId ?? randomHex(16),
    spanId: randomHex(8),
    flags: parent?.flags ?? "00",
  };
}

const randomHex = (bytes: number) =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
