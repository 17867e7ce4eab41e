/** Errors in words. */
import { ProblemError } from "./api.js";
import { h, prose } from "./dom.js";

/** @param {unknown} problem @returns {(Node | string)[]} */
export function problemWords(problem) {
  const { title, message, requestId } =
    problem instanceof ProblemError
      ? problem
      : { title: "Unexpected error", message: String(problem), requestId: "" };
  return [
    h("strong", {}, title),
    " ",
    ...prose(message),
    ...(requestId ? [h("span", { class: "note" }, ` ${requestId}`)] : []),
  ];
}
