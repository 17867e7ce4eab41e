/** Languages of documents, as BCP-47 tags (RFC 5646). */

/** @returns the tags in canonical form, each once; `null` if one is not well-formed */
export function canonicalTags(tags: string[]): string[] | null {
  try {
    return Intl.getCanonicalLocales(tags);
  } catch {
    return null;
  }
}

/** The wanted tags that name none of the offered ones. `pt-BR` finds `pt` (RFC 4647, section 3.4), `zh` finds `zh-Hans`. */
export const missingTags = (wanted: string[], offered: string[]): string[] =>
  wanted.filter((tag) => {
    const parts = tag.toLowerCase().split("-");
    return !parts.some((_, i) => {
      const name = parts.slice(0, parts.length - i).join("-");
      return offered.some((one) => `${one.toLowerCase()}-`.startsWith(`${name}-`));
    });
  });
