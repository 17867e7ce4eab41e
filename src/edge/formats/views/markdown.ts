import type { View } from "./view.ts";

/** Pages one after the other, each under a comment with its number, so that none can vanish unseen. */
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

/** Text that cannot end a comment. */
const comment = (text: string) => text.replaceAll("-->", "--").replaceAll("\n", " ");
