/** Builds elements without HTML strings: text only ever becomes text nodes. */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown>} [props] `class`, `on…` handlers, DOM properties; everything else becomes an attribute
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function")
      element.addEventListener(name.slice(2), /** @type {any} */ (value));
    else if (name in element && name !== "role") Object.assign(element, { [name]: value });
    else
      element.setAttribute(name === "class" ? "class" : name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

/**
 * Text of the service: what stands between backticks is code.
 * @param {string} text
 * @returns {(string | HTMLElement)[]}
 */
export const prose = (text) =>
  text
    .split(/`([^`]+)`/)
    .map((part, i) => (i % 2 === 1 ? h("code", {}, part) : part.replaceAll("`", "’")))
    .filter((part) => part !== "");

/**
 * The element with this id.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} [type]
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!element || (type && !(element instanceof type))) throw new Error(`no element ${id}`);
  return /** @type {T} */ (element);
}

/** Arrow keys, as steps in a list with a roving tabindex (WAI-ARIA). */
const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

/**
 * Moves the focus between the list's elements with arrow keys, Home and End.
 * @param {HTMLElement} list
 * @param {string} selector
 */
export function rove(list, selector) {
  const all = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll(selector)]);
  for (const [i, element] of all().entries()) element.tabIndex = i === 0 ? 0 : -1;
  list.addEventListener("focusin", ({ target }) => {
    const elements = all();
    if (!elements.includes(/** @type {HTMLElement} */ (target))) return;
    for (const element of elements) element.tabIndex = element === target ? 0 : -1;
  });
  list.addEventListener("keydown", (event) => {
    const elements = all();
    const at = elements.indexOf(/** @type {HTMLElement} */ (event.target));
    if (at < 0) return;
    const step = STEPS[/** @type {keyof typeof STEPS} */ (event.key)];
    const next =
      event.key === "Home" ? 0 : event.key === "End" ? elements.length - 1 : step && at + step;
    if (next === undefined) return;
    event.preventDefault();
    elements[Math.max(0, Math.min(next, elements.length - 1))]?.focus();
  });
}

/**
 * Tabs (WAI-ARIA pattern): a tab's `aria-controls` names its panel.
 * @param {HTMLElement} list
 * @param {(tab: HTMLElement) => void} [onChange]
 */
export function tabs(list, onChange) {
  const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=tab]")]);
  const select = (/** @type {HTMLElement} */ chosen) => {
    const panelOf = (/** @type {HTMLElement} */ tab) =>
      byId(tab.getAttribute("aria-controls") ?? "");
    for (const tab of all) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      panelOf(tab).hidden = true;
    }
    panelOf(chosen).hidden = false;
    onChange?.(chosen);
  };
  list.addEventListener("keydown", (event) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const at = all.indexOf(/** @type {HTMLElement} */ (event.target));
    if (!step || at < 0) return;
    event.preventDefault();
    const next = /** @type {HTMLElement} */ (all[(at + step + all.length) % all.length]);
    next.focus();
    select(next);
  });
  for (const tab of all) tab.addEventListener("click", () => select(tab));
  return select;
}
