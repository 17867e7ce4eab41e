/** What every output format is. */
import type { PageEntry } from "../../domain/pages/page-result.ts";

/** What is written next: text, or pieces of a file that is none. */
export type Written = string | Uint8Array[];

export interface View {
  mediaType: string;
  /** Whether it shows the pages' pictures. */
  pictures?: true;
  head(job: { jobId: string; fileId: string }): Written;
  /** @param image the page's picture, a PNG, where the view shows `pictures` */
  page(entry: PageEntry, first: boolean, image?: Uint8Array | null): Written;
  tail(): Written;
}
