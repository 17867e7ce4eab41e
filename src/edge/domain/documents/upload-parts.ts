/** Cuts an upload into parts. R2 requires parts of equal size and at least 5 MiB, except the last. */
const MIB = 1024 * 1024;

/** A document up to this size is uploaded as one part. */
export const SINGLE_PART_BYTES = 100 * MIB;
const PART_BYTES = 64 * MIB;

/** @returns the size of each part, in order */
export function cutParts(bytes: number): number[] {
  if (bytes <= SINGLE_PART_BYTES) return [bytes];
  const whole = Math.floor(bytes / PART_BYTES);
  const parts = new Array<number>(whole).fill(PART_BYTES);
  return bytes % PART_BYTES === 0 ? parts : [...parts, bytes % PART_BYTES];
}
