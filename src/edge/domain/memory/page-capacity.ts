/** How much text a page of the renderer holds. */

interface Page {
  /** In pixels. */
  width: number;
  height: number;
  /** Of the type, in pixels. */
  size: number;
}

/**
 * Text tokens of full pages of short chat messages, measured with the renderer of conversations. Prose is within 7 %
 * of it; a page of JSON, tables and code holds 0.7 to 1 times as much.
 */
const MEASURED: (Page & { tokens: number })[] = [
  { width: 512, height: 512, size: 12, tokens: 426 },
  { width: 512, height: 512, size: 9, tokens: 753 },
  { width: 512, height: 2048, size: 12, tokens: 1842 },
  { width: 640, height: 640, size: 13, tokens: 580 },
  { width: 768, height: 768, size: 14, tokens: 722 },
  { width: 768, height: 768, size: 11, tokens: 1241 },
  { width: 1024, height: 1024, size: 14, tokens: 1394 },
  { width: 1092, height: 1092, size: 12, tokens: 2095 },
  { width: 1092, height: 1092, size: 9, tokens: 3561 },
  { width: 1280, height: 1280, size: 14, tokens: 2199 },
];

/** Square ems. */
const area = ({ width, height, size }: Page) => (width * height) / size ** 2;

/** Text tokens of a full page: measured, or as dense as the measured page whose area is nearest. */
export function textHeld(page: Page): number {
  const distance = (other: Page) => Math.abs(Math.log(area(other) / area(page)));
  const nearest = MEASURED.reduce((best, other) =>
    distance(other) < distance(best) ? other : best,
  );
  return Math.floor((nearest.tokens * area(page)) / area(nearest));
}
