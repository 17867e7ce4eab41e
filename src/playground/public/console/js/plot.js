/** Stacked bars by day, as SVG that this module builds. Every number is also in a table next to it. */
import { h, rove } from "../../js/dom.js";

/** @typedef {{name: string, values: number[]}} Series a value for each day */

const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 260;
const LEFT = 56;
const BOTTOM = 26;
const TOP = 10;

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...Node} children
 */
function svg(tag, attributes, ...children) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** @param {string} content @param {Record<string, string | number>} attributes */
function label(content, attributes) {
  const element = svg("text", attributes);
  element.textContent = content;
  return element;
}

/**
 * Round steps for an axis, from 0 to at least `most`.
 * @param {number} most
 * @param {boolean} whole only whole numbers
 * @returns {number[]}
 */
export function ticks(most, whole) {
  if (most <= 0) return [0, 1];
  const raw = most / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = /** @type {number} */ (
    [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw)
  );
  const size = whole ? Math.max(1, Math.ceil(step)) : step;
  return Array.from({ length: Math.ceil(most / size) + 1 }, (_, i) => i * size);
}

/** @param {string} day */
const short = (day) =>
  new Date(day).toLocaleDateString("en", { day: "numeric", month: "short", timeZone: "UTC" });

/**
 * @param {string} title
 * @param {string[]} days ISO dates
 * @param {Series[]} series drawn from the bottom up
 * @param {(value: number) => string} format with the unit
 * @param {boolean} whole whether values are whole numbers
 */
export function bars(title, days, series, format, whole) {
  // On a narrow screen the drawing is narrower, so that its words are not smaller.
  const right = matchMedia("(max-width: 52rem)").matches ? 420 : 800;
  const totals = days.map((_, i) => series.reduce((sum, { values }) => sum + (values[i] ?? 0), 0));
  const steps = ticks(Math.max(...totals, 0), whole);
  const top = /** @type {number} */ (steps.at(-1));
  const y = (/** @type {number} */ value) =>
    HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  const slot = (right - LEFT) / days.length;
  const width = Math.max(1, Math.min(slot * 0.72, 40));
  const every = Math.ceil(days.length / (right / 100));

  const said = h("p", { class: "plot-said note" });
  const tell = (/** @type {number} */ i) => {
    said.textContent = inWords(i);
  };
  const inWords = (/** @type {number} */ i) => {
    const parts = series
      .filter(({ values }) => (values[i] ?? 0) > 0)
      .map(({ name, values }) => `${name} ${format(values[i] ?? 0)}`);
    const of =
      parts.length > 1
        ? ` (${parts.join(", ")})`
        : parts.length === 1
          ? `, ${series.find(({ values }) => (values[i] ?? 0) > 0)?.name}`
          : "";
    return `${short(days[i] ?? "")}: ${format(totals[i] ?? 0)}${of}`;
  };

  const grid = steps.map((value) =>
    svg(
      "g",
      { "aria-hidden": "true" },
      svg("line", { x1: LEFT, x2: right, y1: y(value), y2: y(value), class: "grid" }),
      label(format(value), { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end", class: "axis" }),
    ),
  );
  const columns = days.map((day, i) => {
    const x = LEFT + slot * i + (slot - width) / 2;
    let from = 0;
    const pieces = series.flatMap(({ values }, at) => {
      const value = values[i] ?? 0;
      if (value <= 0) return [];
      const piece = svg("rect", {
        x,
        width,
        y: y(from + value),
        // A gap between the pieces of a bar.
        height: Math.max(1, y(from) - y(from + value) - (from > 0 ? 1 : 0)),
        class: `series-${at + 1}`,
      });
      from += value;
      return [piece];
    });
    const column = svg(
      "g",
      { role: "img", "aria-label": inWords(i), class: "day" },
      svg("rect", {
        x: LEFT + slot * i,
        width: slot,
        y: TOP,
        height: HEIGHT - BOTTOM - TOP,
        class: "hit",
      }),
      ...pieces,
      ...(i % every === 0
        ? [
            label(short(day), {
              x: LEFT + slot * (i + 0.5),
              y: HEIGHT - 8,
              "text-anchor": "middle",
              class: "axis",
              "aria-hidden": "true",
            }),
          ]
        : []),
    );
    column.addEventListener("pointerenter", () => tell(i));
    column.addEventListener("focus", () => tell(i));
    return column;
  });
  const drawing = svg(
    "svg",
    {
      viewBox: `0 0 ${right} ${HEIGHT}`,
      role: "group",
      "aria-label": `${title}. With the arrow keys from day to day.`,
    },
    ...grid,
    svg("line", { x1: LEFT, x2: right, y1: y(0), y2: y(0), class: "base", "aria-hidden": "true" }),
    ...columns,
  );
  rove(/** @type {any} */ (drawing), ".day");
  said.textContent = "Point at a day, or go from day to day with the arrow keys.";
  return h(
    "figure",
    { class: "plot" },
    h("figcaption", {}, title),
    drawing,
    said,
    h(
      "ul",
      { class: "legend", "aria-label": "Colours" },
      ...series.map(({ name }, i) =>
        h("li", {}, h("span", { class: `swatch series-${i + 1}`, "aria-hidden": "true" }), name),
      ),
    ),
  );
}
