/** The guides' Markdown as elements: what they use of it, and no HTML. */
import { h } from "./dom.js";

/** @typedef {(target: string) => string | null} Resolve address of a link's target; `null`: it leads nowhere from here */

/** @param {string} text as GitHub makes them */
export const slug = (text) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

/**
 * @param {string} text one line
 * @param {Resolve} resolve
 * @returns {(string | HTMLElement)[]}
 */
export function inline(text, resolve = () => null) {
  const found =
    /(`+)(.+?)\1|\*\*(.+?)\*\*|(?<![\w*])\*(?!\s)(.+?)\*|!\[([^\]]*)\]\([^)]*\)|\[((?:[^[\]]|`[^`]*`)+)\]\(([^)\s]+)\)/;
  const match = found.exec(text);
  if (!match) return text ? [text] : [];
  const [whole, , code, bold, emphasis, , label, target] = match;
  const before = text.slice(0, match.index);
  const after = inline(text.slice(match.index + whole.length), resolve);
  const address = target === undefined ? null : resolve(target);
  const element =
    code !== undefined
      ? h("code", {}, code.trim())
      : bold !== undefined
        ? h("strong", {}, ...inline(bold, resolve))
        : emphasis !== undefined
          ? h("em", {}, ...inline(emphasis, resolve))
          : label === undefined
            ? ""
            : h(
                address ? "a" : "span",
                address ? { href: address } : {},
                ...inline(label, resolve),
              );
  return [...(before ? [before] : []), element, ...after];
}

/** Cells of a table's row; `\|` is no border, nor is one within code. @param {string} row */
const cells = (row) =>
  [
    ...row
      .trim()
      .replace(/^\||\|$/g, "")
      .matchAll(/((?:`[^`]*`|\\\||[^|])*)(?:\||$)/g),
  ]
    .map(([, cell]) => (cell ?? "").replaceAll("\\|", "|").trim())
    .slice(0, -1);

const ITEM = /^(\s*)(?:[-*]|(\d+)\.)\s+(.*)$/;
const STARTS = /^(#{1,6} |```|\||\s*(?:[-*]|\d+\.)\s)/;

/**
 * @param {string} source
 * @param {Resolve} resolve
 * @returns {HTMLElement[]}
 */
export function markdown(source, resolve) {
  const lines = source.split("\n");
  /** @type {HTMLElement[]} */
  const blocks = [];
  for (let i = 0; i < lines.length; ) {
    const line = /** @type {string} */ (lines[i]);
    const take = (/** @type {(line: string) => boolean} */ belongs) => {
      const from = i;
      while (i < lines.length && belongs(/** @type {string} */ (lines[i]))) i++;
      return lines.slice(from, i);
    };
    const heading = /^(#{1,6}) (.*)$/.exec(line);
    if (line.trim() === "") i++;
    else if (heading) {
      i++;
      const [, marks = "", text = ""] = heading;
      const level = /** @type {"h1"} */ (`h${marks.length}`);
      blocks.push(h(level, { id: slug(text) }, ...inline(text, resolve)));
    } else if (line.startsWith("```")) {
      i++;
      const code = take((one) => !one.startsWith("```"));
      i++;
      blocks.push(h("pre", {}, h("code", {}, code.join("\n"))));
    } else if (line.startsWith("|")) {
      const [head = "", , ...rows] = take((one) => one.startsWith("|"));
      const row = (/** @type {string} */ text, /** @type {"td" | "th"} */ kind) =>
        h("tr", {}, ...cells(text).map((cell) => h(kind, {}, ...inline(cell, resolve))));
      const titled = cells(head).some(Boolean);
      blocks.push(
        h(
          "div",
          { class: "scroll", tabIndex: 0, role: "group", ariaLabel: "Table" },
          h(
            "table",
            {},
            titled && h("thead", {}, row(head, "th")),
            h("tbody", {}, ...rows.map((one) => row(one, "td"))),
          ),
        ),
      );
    } else if (ITEM.test(line)) {
      const list = take((one) => ITEM.test(one) || /^\s+\S/.test(one));
      blocks.push(items(list, resolve));
    } else {
      const first = i;
      const text = take((one) => one.trim() !== "" && (i === first || !STARTS.test(one)));
      blocks.push(h("p", {}, ...inline(text.join(" "), resolve)));
    }
  }
  return blocks;
}

/** Lists of one level, which is all that the guides have. @param {string[]} lines @param {Resolve} resolve */
function items(lines, resolve) {
  /** @type {string[]} */
  const texts = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item) texts.push(item[3] ?? "");
    else texts.push(`${texts.pop() ?? ""} ${line.trim()}`);
  }
  const ordered = ITEM.exec(lines[0] ?? "")?.[2] !== undefined;
  return h(
    ordered ? "ol" : "ul",
    {},
    ...texts.map((text) => h("li", {}, ...inline(text, resolve))),
  );
}
