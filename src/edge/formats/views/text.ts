import type { View } from "./view.ts";

/** Plain text. A form feed separates the pages, as in `pdftotext`. */
export const text: View = {
  mediaType: "text/plain; charset=utf-8",
  head: () => "",
  page: ({ result }, first) => {
    const blocks = result?.blocks ?? [];
    const body =
      blocks.length > 0 ? blocks.map((block) => block.text).join("\n\n") : (result?.markdown ?? "");
    return `${first ? "" : "\f"}${body.trim()}\n`;
  },
  tail: () => "",
};
