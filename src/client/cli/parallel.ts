/** Work on many documents, a few at a time. */

/**
 * Calls `work` for each item, in order, at most `most` at a time. After an error no further item is begun.
 * @param work gets a promise that all items before its own are done, for what has to stay in order
 * @throws the first error, when the items in progress have ended
 */
export async function inParallel<T>(
  items: readonly T[],
  most: number,
  work: (item: T, before: Promise<void>) => Promise<void>,
): Promise<void> {
  let next = 0;
  let before = Promise.resolve();
  const errors: unknown[] = [];
  const worker = async () => {
    while (next < items.length && errors.length === 0) {
      const item = items[next++] as T;
      const done = work(item, before).catch((error) => {
        errors.push(error);
      });
      before = Promise.all([before, done]).then(() => {});
      await done;
    }
  };
  await Promise.all(Array.from({ length: most }, worker));
  if (errors.length > 0) throw errors[0];
}
