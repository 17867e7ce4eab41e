/** How a document is cut for its way into R2, which wants parts of equal size, at least 5 MiB, the last one excepted. */
const MIB = 1024 * 1024;

/** Up to here a document is one part, sent by one PUT. */
export const SINGLE_PART_BYTES = 100 * MIB;
const PART_BYTES = 64 * MIB;

/** @returns the bytes of each part, in order. */
export function cutParts(bytes: number): number[] {
  if (bytes <= SINGLE_PART_BYTES) return [bytes];
  const whole = Math.floor(bytes / PART_BYTES);
  const parts = new Array<number>(whole).fill(PART_BYTES);
  return bytes % PART_BYTES === 0 ? parts : [...parts, bytes % PART_BYTES];
}
