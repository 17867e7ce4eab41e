/** Where a document comes from: an upload, an uploaded file, or a URL that the service fetches. */

/**
 * - bytes: a `Blob`, `File`, `ArrayBuffer` or `Uint8Array`
 * - `https:` and `data:` URLs, as a string or `URL`: the service fetches them
 * - the id of an uploaded file, `file_…`
 * - on Node, a path or a `file:` URL
 */
export type Source = Blob | ArrayBuffer | Uint8Array | URL | string;

export type Resolved =
  | { upload: Blob; name: string | undefined }
  | { file: string }
  | { url: string };

/** @throws TypeError for a path if there is no file system */
export async function resolveSource(source: Source): Promise<Resolved> {
  if (source instanceof Blob) {
    const { name } = source as { name?: unknown };
    return { upload: source, name: typeof name === "string" ? name : undefined };
  }
  if (source instanceof ArrayBuffer || source instanceof Uint8Array)
    return { upload: new Blob([source as Uint8Array<ArrayBuffer>]), name: undefined };
  const text = source instanceof URL ? source.href : source;
  if (/^file_[0-9a-z]{24}$/.test(text)) return { file: text };
  if (/^(https?|data):/i.test(text)) return { url: text };
  const { blob, name } = await openPath(text);
  return { upload: blob, name };
}

/** Files without a signature: the service believes what is declared. */
const TEXTS: Record<string, string> = {
  ".md": "text/markdown",
  ".markdown": "text/markdown",
  ".txt": "text/plain",
  ".csv": "text/csv",
  ".htm": "text/html",
  ".html": "text/html",
};

interface NodeModules {
  "node:crypto": {
    createHash(name: string): { update(bytes: Uint8Array): void; digest(form: "hex"): string };
  };
  "node:fs": {
    openAsBlob(path: string, options: { type: string }): Promise<Blob>;
    accessSync(path: string, mode: number): void;
    constants: { R_OK: number };
    statSync(path: string): { isFile(): boolean };
  };
  "node:path": { basename(path: string): string };
  "node:url": { fileURLToPath(url: string): string };
}

type GetBuiltin = <Name extends keyof NodeModules>(name: Name) => NodeModules[Name];

/**
 * Opens the file at a path or `file:` URL; its bytes are read on demand. `process.getBuiltinModule`
 * replaces imports of `node:` modules, so that this file also loads in a browser.
 * @throws TypeError without a file system, or if the path is that of a folder; the error of the file system
 */
export async function openPath(path: string): Promise<{ blob: Blob; name: string }> {
  const builtin = getBuiltin();
  if (!builtin) throw new TypeError(`Reading a path needs Node 20.16 or newer: ${path}`);
  const local = /^file:/i.test(path) ? builtin("node:url").fileURLToPath(path) : path;
  // `openAsBlob` opens folders too, and does not say which file is missing.
  const { accessSync, constants, openAsBlob, statSync } = builtin("node:fs");
  accessSync(local, constants.R_OK);
  if (!statSync(local).isFile()) throw new TypeError(`${path} is not a file.`);
  const name = builtin("node:path").basename(local);
  const type = TEXTS[/\.\w+$/.exec(name.toLowerCase())?.[0] ?? ""] ?? "";
  return { blob: await openAsBlob(local, { type }), name };
}

function getBuiltin(): GetBuiltin | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: GetBuiltin } };
  return process?.getBuiltinModule;
}

/** In hexadecimal digits. Web Crypto hashes no streams: outside of Node, all bytes are held in memory. */
export async function sha256(blob: Blob): Promise<string> {
  const node = getBuiltin()?.("node:crypto");
  if (!node) return hex(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  const hash = node.createHash("sha256");
  const reader = blob.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return hash.digest("hex");
    hash.update(value);
  }
}

export const hex = (bytes: ArrayBuffer | Uint8Array) =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
