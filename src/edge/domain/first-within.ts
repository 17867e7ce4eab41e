/** The first items whose sizes together are at most a limit, but at least one. */
export function firstWithin<T>(items: T[], limit: number, sizeOf: (item: T) => number): T[] {
  let sum = 0;
  return items.filter((item, i) => {
    sum += sizeOf(item);
    return i === 0 || sum <= limit;
  });
}
