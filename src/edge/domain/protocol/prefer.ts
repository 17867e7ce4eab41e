/**
 * Parses `Prefer` (RFC 7240): the seconds of `wait=N`, or 0 if `respond-async` is present.
 * @param otherwise without a `wait`; other preferences and malformed ones are ignored (section 2)
 */
export function preferredWait(
  header: string | undefined,
  maxSeconds: number,
  otherwise = 0,
): number {
  let wait = otherwise;
  for (const part of (header ?? "").split(",")) {
    const [name, value] =
      part
        .split(";")[0]
        ?.split("=")
        .map((text) => text.trim()) ?? [];
    if (name?.toLowerCase() === "respond-async") return 0;
    const seconds = value?.replace(/^"(.*)"$/, "$1") ?? "";
    if (name?.toLowerCase() === "wait" && /^\d+$/.test(seconds))
      wait = Math.min(Number(seconds), maxSeconds);
  }
  return wait;
}
