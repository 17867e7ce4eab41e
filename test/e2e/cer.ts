/**
 * Character error rate: edits (insert, delete, replace) that turn what was read into the truth,
 * divided by the truth's length. Runs of white space count as one space, or with `spaces: false`,
 * for scripts that do not divide words, not at all.
 */
export function characterErrorRate(
  read: string,
  truth: string,
  { spaces = true }: { spaces?: boolean } = {},
): number {
  const normalise = (text: string) => Array.from(text.trim().replace(/\s+/g, spaces ? " " : ""));
  const [a, b] = [normalise(read), normalise(truth)];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[j] as number) + 1, (current[j - 1] as number) + 1));
    }
    previous = current;
  }
  return (previous[b.length] as number) / b.length;
}
