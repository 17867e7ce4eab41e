/** @returns what stands behind `Bearer`, or `null`. */
export const bearerToken = (header: string | null | undefined): string | null =>
  /^Bearer +(\S+)$/i.exec(header ?? "")?.[1] ?? null;

/** Bearer tokens against a secret, in time that does not depend on where they differ. */
export async function bearerMatches(header: string | null, secret: string): Promise<boolean> {
  const token = bearerToken(header);
  if (!token || secret === "") return false;
  return secretsEqual(token, secret);
}

/** Compares digests, so that lengths do not leak either. */
export async function secretsEqual(a: string, b: string): Promise<boolean> {
  const encoder = new TextEncoder();
  const [left, right] = await Promise.all(
    [a, b].map((text) => crypto.subtle.digest("SHA-256", encoder.encode(text))),
  );
  return crypto.subtle.timingSafeEqual(left as ArrayBuffer, right as ArrayBuffer);
}
