/** The interface of an output format. */
import type { PageEntry } from "../../domain/pages/page-result.ts";

/** Text, or byte chunks for binary formats. */
export type Written = string | Uint8Array[];

/** Loads the picture of a block; `null` if it was deleted meanwhile. */
export type LoadFigure = (page: number, block: number) => Promise<Uint8Array | null>;

export interface View {
  mediaType: string;
  /** Whether the format contains the pictures of the pages. */
  pictures?: true;
  /** Takes a page into account before the first one is written, if the format depends on the whole document. */
  survey?(entry: PageEntry): void;
  head(job: { jobId: string; fileId: string }): Written;
  /** @param image the picture of the page as PNG, if `pictures` is set */
  page(entry: PageEntry, first: boolean, image?: Uint8Array | null): Written;
  /** Writes the figures to which the pages refer, one at a time, after the last page. */
  figures?(load: LoadFigure): AsyncIterable<Written>;
  tail(): Written;
}
