/**
 * Cuts a part out of a text that is handed over piece by piece: at the end of a line if there is one in the second half,
 * and never inside a character.
 * @param offset UTF-16 code units to leave out, as the previous call returned it
 * @param room most code units of the part; at least 2, so that every part has a character
 * @returns the part, and the offset at which the next one begins; `null` after the last one
 */
export function cut(
  text: string,
  offset: number,
  room: number,
): { part: string; next: number | null } {
  if (text.length - offset <= room) return { part: text.slice(offset), next: null };
  const most = offset + room;
  const line = text.lastIndexOf("\n", most - 1) + 1;
  const next = line > offset + room / 2 ? line : isLowSurrogate(text, most) ? most - 1 : most;
  return { part: text.slice(offset, next), next };
}

const isLowSurrogate = (text: string, at: number) => (text.charCodeAt(at) & 0xfc00) === 0xdc00;
