/** Which images of a document a request chooses: those of Mistral's OCR API that are large enough, up to a number. */
import type { PageResult } from "./page-result.ts";

type Block = PageResult["blocks"][number];

export interface FigureChoice {
  /** Most images of the document; `null`: all. */
  imageLimit: number | null;
  /** Least width and height of an image, in pixels of the page. */
  imageMinSize: number;
}

/** Chooses among the images of a document, page by page. */
export class ChosenFigures {
  readonly #choice: FigureChoice;
  #count = 0;

  constructor(choice: FigureChoice) {
    this.#choice = choice;
  }

  /** The chosen images of the next page, in reading order. */
  of({ blocks, width, height }: Pick<PageResult, "blocks" | "width" | "height">): Block[] {
    const { imageLimit, imageMinSize } = this.#choice;
    return blocks.filter(({ type, bbox: [x0, y0, x1, y1] }) => {
      if (type !== "image" || (imageLimit !== null && this.#count >= imageLimit)) return false;
      if (Math.min((x1 - x0) * width, (y1 - y0) * height) < imageMinSize) return false;
      this.#count++;
      return true;
    });
  }
}
