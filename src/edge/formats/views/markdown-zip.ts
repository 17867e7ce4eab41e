/** The Markdown with its figures as files, in a ZIP archive: `document.md` and `figures/`. */
import type { FigureType, StoredPageResult } from "../../domain/pages/page-result.ts";
import { Zip } from "../zip.ts";
import { isShown } from "./figures.ts";
import { markdown } from "./markdown.ts";
import type { View } from "./view.ts";

interface Picture {
  page: number;
  block: number;
  name: string;
}

export const markdownZip = (): View => {
  const zip = new Zip();
  const pictures: Picture[] = [];

  /** The page's Markdown, whose figures are named by their files. */
  const withFiles = (result: StoredPageResult): StoredPageResult => {
    let text = result.markdown;
    for (const { id, figure } of result.blocks.filter(isShown)) {
      const name = `figures/page-${result.page}-${id}.${ENDINGS[figure.media_type]}`;
      pictures.push({ page: result.page, block: id, name });
      text = text.replaceAll(`](${figure.url})`, `](${name})`);
    }
    return { ...result, markdown: text };
  };

  return {
    mediaType: "application/zip",
    head: () => zip.begin("document.md"),
    page: (entry, first) =>
      zip.write(
        markdown.page(
          entry.result ? { ...entry, result: withFiles(entry.result) } : entry,
          first,
        ) as string,
      ),
    async *figures(load) {
      yield zip.end();
      for (const { page, block, name } of pictures) {
        const bytes = await load(page, block);
        if (bytes) yield zip.stored(name, bytes);
      }
    },
    tail: () => zip.directory(),
  };
};

const ENDINGS: Record<FigureType, string> = { "image/png": "png", "image/jpeg": "jpeg" };
