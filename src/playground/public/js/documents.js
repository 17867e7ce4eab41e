/** Choosing documents: a file field, dropping, pasting and samples. What the service does not read is refused in words. */
import { ProblemError } from "./api.js";
import { byId, h } from "./dom.js";
import { size } from "./plain.js";
import { Preview } from "./preview.js";

/** @typedef {{name: string, blob: Blob}} Chosen */

const READABLE =
  "pdf png jpg jpeg jfif webp tif tiff gif bmp heic heif avif docx pptx xlsx epub html htm csv md txt".split(
    " ",
  );
const IMAGES = /^image\/(png|jpeg|webp|tiff|gif|bmp|heic|heif|avif)$/;
/** What to do with well-known formats that are not read. @type {Record<string, string>} */
const ADVICE = {
  doc: "Save it as .docx.",
  xls: "Save it as .xlsx.",
  ppt: "Save it as .pptx.",
  odt: "Save it as .docx or PDF.",
  ods: "Save it as .xlsx or PDF.",
  odp: "Save it as .pptx or PDF.",
  rtf: "Save it as .docx or PDF.",
  pages: "Export it as PDF.",
  svg: "Save it as PNG or PDF.",
  zip: "Unpack it, and choose the files in it.",
};
const FORMATS = "PDF, pictures, Word, PowerPoint, Excel, EPUB, HTML, CSV, Markdown and text";

/** @param {File} file @returns {string | null} why it is refused. The service has the last word, by the content */
export function refusal({ name, type, size: bytes }) {
  if (bytes === 0) return `${name} is empty.`;
  const ending = /\.([a-z0-9]{1,5})$/i.exec(name)?.[1]?.toLowerCase();
  if (ending ? READABLE.includes(ending) : type === "" || IMAGES.test(type)) return null;
  if (IMAGES.test(type) || type === "application/pdf") return null;
  return `${name} is of a type that is not read. ${ADVICE[ending ?? ""] ?? `Readable are ${FORMATS}.`}`;
}

export class Documents {
  /** @type {Chosen[]} */
  chosen = [];
  /** @type {Preview | null} of the only document */
  preview = null;
  #form = byId("ask");
  #drop = byId("drop");
  #password = byId("password", HTMLInputElement);
  #passwordField = byId("password-field");

  /**
   * @param {() => void} onChange other documents, or another password
   * @param {(problem: unknown) => void} onProblem
   */
  constructor(onChange, onProblem) {
    this.onChange = onChange;
    this.onProblem = onProblem;
    const file = byId("file", HTMLInputElement);
    file.addEventListener("change", () => {
      this.#take([...(file.files ?? [])]);
      // The same file can be chosen again.
      file.value = "";
    });
    for (const button of this.#samples)
      button.addEventListener("click", () => this.#sample(button));
    this.#password.addEventListener("change", () => this.#unlock());
    this.#listen();
  }

  /** The password that was typed for this document. */
  get password() {
    return (!this.#passwordField.hidden && this.#password.value) || undefined;
  }

  /** @param {string} words why a password is needed */
  askPassword(words) {
    byId("password-note").textContent = words;
    this.#passwordField.hidden = false;
  }

  focusPassword() {
    this.#password.focus();
  }

  /** @param {Chosen[]} chosen @param {HTMLElement} [sample] the sample's button */
  choose(chosen, sample) {
    this.chosen = chosen;
    this.#passwordField.hidden = true;
    this.#password.value = "";
    for (const button of this.#samples) button.ariaPressed = String(button === sample);
    this.draw();
    this.onChange();
  }

  get #samples() {
    return /** @type {NodeListOf<HTMLElement>} */ (this.#form.querySelectorAll("[data-sample]"));
  }

  /** Draws the first page of the only document beside its name. */
  draw() {
    const [first, ...more] = this.chosen;
    this.preview?.close();
    this.preview = first && more.length === 0 ? new Preview(first.blob, this.password) : null;
    const { preview } = this;
    const names = this.chosen.map(({ name, blob }) =>
      h("span", { class: "chosen-name" }, h("strong", {}, name), ` ${size(blob.size)}`),
    );
    byId("chosen").replaceChildren(...(names.length > 0 ? names : ["No document yet."]));
    byId("thumb").replaceChildren();
    preview?.page(1).then((picture) => {
      if (preview !== this.preview) return;
      if (picture) byId("thumb").replaceChildren(h("img", { src: picture.url, alt: "First page" }));
      if (preview.locked)
        this.askPassword(
          preview.password ? "This password does not open it." : "This PDF is protected.",
        );
    });
  }

  #unlock() {
    this.draw();
    this.onChange();
  }

  /** @param {File[]} files */
  #take(files) {
    if (files.length === 0) return;
    const refused = files.flatMap((file) => refusal(file) ?? []);
    const fault = { title: "Not readable", detail: refused.join(" ") };
    const readable = files.filter((file) => refusal(file) === null);
    if (readable.length > 0) this.choose(readable.map((file) => ({ name: file.name, blob: file })));
    this.onProblem(refused.length > 0 ? new ProblemError(fault) : null);
  }

  /** @param {HTMLElement} button */
  async #sample(button) {
    const name = button.dataset.sample ?? "";
    const answer = await fetch(`/samples/${name}`).catch(() => null);
    if (answer?.ok) this.choose([{ blob: await answer.blob(), name }], button);
    else
      this.onProblem(
        new ProblemError({
          title: "Sample not available",
          detail: `${name} could not be fetched.`,
        }),
      );
  }

  #listen() {
    // By default the browser would open a file that is dropped outside the field.
    for (const type of ["dragover", "drop"])
      addEventListener(type, (event) => event.preventDefault());
    addEventListener("dragover", () => this.#drop.classList.add("over"));
    addEventListener("dragleave", () => this.#drop.classList.remove("over"));
    addEventListener("drop", (event) => {
      this.#drop.classList.remove("over");
      this.#take([...(event.dataTransfer?.files ?? [])]);
    });
    addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.#take(files);
    });
  }
}
