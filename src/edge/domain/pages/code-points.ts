/** Places in a text that count code points, as the worker's do. */

/** @returns the index of a code point in the text; calls must ask for ascending places */
export function codeUnits(text: string): (place: number) => number {
  let point = 0;
  let index = 0;
  return (place) => {
    for (; point < place && index < text.length; point++)
      index += (text.codePointAt(index) as number) > 0xffff ? 2 : 1;
    return index;
  };
}

export function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
