import type { View } from "./view.ts";

/** Words without markup; pages divided by a form feed, as `pdftotext` does. A page without text is empty. */
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
