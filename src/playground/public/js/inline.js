/** `code` within a line of text; the rest stays text. */
import { h } from "./dom.js";

/** @param {string} text @returns {(string | HTMLElement)[]} */
export const inline = (text) =>
  text
    .split(/(`[^`]+`)/)
    .map((part) =>
      part.length > 2 && part.startsWith("`") ? h("code", {}, part.slice(1, -1)) : part,
    );
