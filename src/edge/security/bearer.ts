/** @returns the token of a bearer `Authorization` header, or `null` */
export const bearerToken = (header: string | null | undefined): string | null =>
  /^Bearer +(\S+)$/i.exec(header ?? "")?.[1] ?? null;

/** Compares a bearer token with a secret in constant time. An empty secret matches nothing. */
export async function bearerMatches(header: string | null, secret: string): Promise<boolean> {
  const token = bearerToken(header);
  if (!token || secret === "") return false;
  return secretsEqual(token, secret);
}

/** Compares digests, so that the time does not reveal the length either. */
export async function secretsEqual(a: string, b: string): Promise<boolean> {
  const encoder = new TextEncoder();
  const [left, right] = await Promise.all(
    [a, b].map((text) => crypto.subtle.digest("SHA-256", encoder.encode(text))),
  );
  return crypto.subtle.timingSafeEqual(left as ArrayBuffer, right as ArrayBuffer);
}
