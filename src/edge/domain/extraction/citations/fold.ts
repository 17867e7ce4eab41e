/**
 * Texts in a form in which those are equal that mean the same on a page: without case, accents, ligatures, kinds of
 * dashes, quotes and spaces. Each character knows where it comes from.
 */

export interface Folded {
  text: string;
  /** For each character, and for the end, its index in the original. */
  at: number[];
}

const DASH = /[\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d]/;
const QUOTE = /[\u2018-\u201b\u2032\u00b4`]/;
const DOUBLE_QUOTE = /[\u201c-\u201f\u2033\u00ab\u00bb]/;
/** Soft hyphens, marks of direction, joiners: nothing of them is seen. */
const INVISIBLE = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/;
const PLAIN = /^[a-z0-9]$/;

export function fold(original: string): Folded {
  let text = "";
  const at: number[] = [];
  let index = 0;
  for (const character of original) {
    for (const unit of folded(character)) {
      if (unit === " " && (text === "" || text.endsWith(" "))) continue;
      text += unit;
      at.push(index);
    }
    index += character.length;
  }
  at.push(index);
  return { text, at };
}

function folded(character: string): string {
  if (PLAIN.test(character)) return character;
  if (/\s/.test(character)) return " ";
  if (INVISIBLE.test(character)) return "";
  if (DASH.test(character)) return "-";
  if (QUOTE.test(character)) return "'";
  if (DOUBLE_QUOTE.test(character)) return '"';
  if (character === "ß" || character === "ẞ") return "ss";
  const plain = character.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return /\p{Nd}/u.test(plain) ? plain.replace(/\p{Nd}/gu, digit) : plain;
}

/** The ASCII digit for a digit of any script: their ten digits follow each other from a zero. */
function digit(character: string): string {
  const code = character.codePointAt(0) as number;
  if (code < 128) return character;
  let zero = code;
  while (code - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
  return String(code - zero);
}

/** Only the letters and digits of a folded text. */
export function compact({ text, at }: Folded): Folded {
  let kept = "";
  const from: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const unit = text[i] as string;
    if (!isWordUnit(unit)) continue;
    kept += unit;
    from.push(at[i] as number);
  }
  from.push(at[text.length] as number);
  return { text: kept, at: from };
}

/** Whether a UTF-16 unit is of a letter or digit. Halves of surrogate pairs count: no punctuation of pages is beyond the BMP. */
export const isWordUnit = (unit: string | undefined): boolean =>
  unit !== undefined && /[\p{L}\p{N}\ud800-\udfff]/u.test(unit);

/** The words of a folded text. */
export const wordsOf = (text: string): string[] => text.match(/[\p{L}\p{N}]+/gu) ?? [];
