/** How much text a page of the renderer holds. */

/**
 * Pairs of [area ÷ size², text tokens of a full page of English prose], measured (docs/research/MEMORY.md): 512² at 12
 * pixels, 640² at 13, 1024² at 14, 1280² at 14. A text token takes about 3.8 square ems on all of them.
 */
const MEASURED = [
  [1820, 476],
  [2424, 644],
  [5350, 1404],
  [8359, 2160],
] as const;

const PER_EM =
  MEASURED.reduce((sum, [, tokens]) => sum + tokens, 0) /
  MEASURED.reduce((sum, [area]) => sum + area, 0);

/** Text tokens of a full page. @param page in pixels */
export const textHeld = ({
  width,
  height,
  size,
}: {
  width: number;
  height: number;
  size: number;
}): number => Math.floor(((width * height) / size ** 2) * PER_EM);
