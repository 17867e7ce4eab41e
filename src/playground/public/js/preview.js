/**
 * A document as the browser itself can draw it, so that it is seen before the service has made its page images. pdf.js
 * draws PDFs. Of other formats than PDF and the browser's own images there is no preview.
 */

/** @typedef {import("pdfjs-dist").PDFDocumentProxy} Pdf */
/** @typedef {{url: string, ratio: number}} Picture a URL for `img`; width by height */

/** Width of a drawn page in pixels. */
const WIDTH = 1400;
/** Larger documents are not loaded into the tab a second time. */
const MAX_BYTES = 64 * 1024 ** 2;

/** @type {Promise<typeof import("pdfjs-dist")> | null} */
let library = null;

/** pdf.js with its worker. Trusted Types let one policy through, for this one address (`_headers`). */
function pdfjs() {
  library ??= import("/vendor/pdf.js").then((pdf) => {
    const address = "/vendor/pdf.worker.js";
    const { trustedTypes } = /** @type {any} */ (globalThis);
    const policy = trustedTypes?.createPolicy("pdf-worker", { createScriptURL: () => address });
    const worker = new Worker(policy?.createScriptURL("") ?? address, { type: "module" });
    pdf.GlobalWorkerOptions.workerPort = worker;
    return pdf;
  });
  return library;
}

export class Preview {
  /** @type {number | null} */
  pageCount = null;
  /** Whether the document needs a password, or another one than it got. */
  locked = false;
  #blob;
  /** @type {Promise<Pdf | null> | null} */
  #pdf = null;
  /** @type {Map<number, Promise<Picture | null>>} */
  #pages = new Map();
  /** @type {Map<number, Picture>} */
  #drawn = new Map();
  #closed = false;

  /** @param {Blob} blob @param {string} [password] */
  constructor(blob, password) {
    this.#blob = blob;
    this.password = password;
  }

  /** The page if it is drawn already. @param {number} number */
  drawn(number) {
    return this.#drawn.get(number) ?? null;
  }

  /**
   * @param {number} number from 1
   * @returns {Promise<Picture | null>} `null` if the browser cannot draw it
   */
  page(number) {
    const known = this.#pages.get(number);
    if (known) return known;
    const drawing = this.#draw(number)
      .catch(() => null)
      .then((picture) => {
        if (picture && this.#closed) URL.revokeObjectURL(picture.url);
        else if (picture) this.#drawn.set(number, picture);
        return this.#closed ? null : picture;
      });
    this.#pages.set(number, drawing);
    return drawing;
  }

  /** Releases the pictures. */
  close() {
    this.#closed = true;
    for (const { url } of this.#drawn.values()) URL.revokeObjectURL(url);
    this.#pdf?.then((pdf) => pdf?.loadingTask.destroy()).catch(() => {});
  }

  /** @param {number} number @returns {Promise<Picture | null>} */
  async #draw(number) {
    if (this.#blob.size > MAX_BYTES) return null;
    const head = new TextDecoder("latin1").decode(await this.#blob.slice(0, 1024).arrayBuffer());
    if (head.includes("%PDF-")) return this.#drawPdf(number);
    return number === 1 ? drawImage(this.#blob) : null;
  }

  /** @param {number} number */
  async #drawPdf(number) {
    this.#pdf ??= this.#open();
    const pdf = await this.#pdf;
    if (!pdf || number > pdf.numPages) return null;
    const page = await pdf.getPage(number);
    const { width } = page.getViewport({ scale: 1 });
    const viewport = page.getViewport({ scale: WIDTH / width });
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(viewport.width);
    canvas.height = Math.round(viewport.height);
    await page.render({ canvas, viewport }).promise;
    page.cleanup();
    return pictureOf(canvas);
  }

  /** @returns {Promise<Pdf | null>} */
  async #open() {
    const { getDocument, PasswordException } = await pdfjs();
    const data = await this.#blob.arrayBuffer();
    const { password } = this;
    try {
      // The policy of the page allows no WebAssembly. Decoders of scans are there as scripts, too.
      const decoders = { useWasm: false, wasmUrl: "/vendor/" };
      const task = getDocument({ data, ...decoders, ...(password && { password }) });
      const pdf = await task.promise;
      this.pageCount = pdf.numPages;
      return pdf;
    } catch (error) {
      this.locked = error instanceof PasswordException;
      return null;
    }
  }
}

/** @param {Blob} blob @returns {Promise<Picture | null>} `null` for formats that the browser does not know */
async function drawImage(blob) {
  const url = URL.createObjectURL(blob);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return { url, ratio: image.naturalWidth / image.naturalHeight };
  } catch {
    URL.revokeObjectURL(url);
    return null;
  }
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Picture | null>} */
const pictureOf = (canvas) =>
  new Promise((resolve) =>
    canvas.toBlob((blob) =>
      resolve(blob && { url: URL.createObjectURL(blob), ratio: canvas.width / canvas.height }),
    ),
  );
