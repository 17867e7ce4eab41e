/**
 * Signed URLs of a context's images, from which a model's host can fetch them without an API key. They are
 * valid for at least an hour, and the same for six hours: a provider's prompt cache knows an image by its URL. Format: `…/images/{item}/{page}?expires&signature`.
 */
import { secretsEqual } from "./bearer.ts";
import { signText } from "./signed-url.ts";

const LEAST_S = 3600;
const SAME_S = 6 * 3600;

interface ImagePlace {
  contextId: string;
  itemId: string;
  page: number;
}

const path = ({ contextId, itemId, page }: ImagePlace) =>
  `/v1/contexts/${contextId}/images/${itemId}/${page}`;

const sign = (secret: string, place: ImagePlace, expires: number) =>
  signText(secret, `image:${path(place)}:${expires}`);

export async function imageUrl(
  origin: string,
  secret: string,
  place: ImagePlace,
  now: number,
): Promise<string> {
  const expires = (Math.floor(now / 1000 / SAME_S) + 1) * SAME_S + LEAST_S;
  const query = new URLSearchParams({
    expires: String(expires),
    signature: await sign(secret, place, expires),
  });
  return `${origin}${path(place)}?${query}`;
}

export async function isSignedImageUrl(
  secret: string,
  place: ImagePlace,
  query: { expires: number; signature: string },
  now: number,
): Promise<boolean> {
  const { expires, signature } = query;
  return (
    (await secretsEqual(signature, await sign(secret, place, expires))) && now / 1000 <= expires
  );
}
