/** The Markdown of a page as the words that it shows. */
const ENTITIES: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

/** Markdown, or HTML, as plain text, and where each of its characters stands there. A tag is a space. */
export function unescaped(text: string): { plain: string; at: number[] } {
  let plain = "";
  const at: number[] = [];
  const pattern = /\\([!-/:-@[-`{-~])|&(?:lt|gt|amp);|(<\/?[a-z][^<>]*>)|[\s\S]/gu;
  for (const { 0: written, 1: escaped, 2: tag, index } of text.matchAll(pattern)) {
    const character = escaped ?? ENTITIES[written] ?? (tag ? " " : written);
    for (let i = 0; i < character.length; i++) at.push(index);
    plain += character;
  }
  return { plain, at };
}

/** The Markdown without the paragraph that says this, if there is one. */
export function withoutParagraph(markdown: string, text: string, isLast: boolean): string {
  const words = (written: string) => written.split(/\s+/).filter(Boolean).join(" ");
  const wanted = words(text);
  const says = (part: string) =>
    part.length < 4 * text.length + 100 && words(unescaped(part).plain) === wanted;
  const parts = markdown.split("\n\n");
  const index = isLast ? parts.findLastIndex(says) : parts.findIndex(says);
  return index < 0 ? markdown : parts.toSpliced(index, 1).join("\n\n");
}
