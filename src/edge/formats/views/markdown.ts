import type { View } from "./view.ts";

/** The pages in order. A comment before each gives its number, so that a missing page is visible. */
export const markdown: View = {
  mediaType: "text/markdown; charset=utf-8",
  head: () => "",
  page: ({ page, result, error }, first) => {
    const gap = first ? "" : "\n";
    if (error)
      return `${gap}<!-- page ${page}: ${comment(`${error.code}: ${error.message}`)} -->\n`;
    const note = result.verdict === "ok" ? "" : `: ${result.verdict}`;
    const body = result.markdown.trim();
    return `${gap}<!-- page ${page}${note} -->\n${body && `\n${body}\n`}`;
  },
  tail: () => "",
};

/** Text that cannot end an HTML comment. */
const comment = (text: string) => text.replaceAll(">", "").replaceAll(/\s+/g, " ");
