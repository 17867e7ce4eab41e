/** Parses `Prefer` (RFC 7240): the seconds of `wait=N`, or 0 if it is absent or `respond-async` is present. */
export function preferredWait(header: string | undefined, maxSeconds: number): number {
  let wait = 0;
  for (const part of (header ?? "").split(",")) {
    const [name, value] =
      part
        .split(";")[0]
        ?.split("=")
        .map((text) => text.trim()) ?? [];
    if (name?.toLowerCase() === "respond-async") return 0;
    const seconds = Number(value?.replace(/^"(.*)"$/, "$1"));
    if (name?.toLowerCase() === "wait" && Number.isInteger(seconds) && seconds > 0)
      wait = Math.min(seconds, maxSeconds);
  }
  return wait;
}
