/** The documents that a command line names: files, folders, patterns, URLs and standard input. */
import fs, { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, extname, join, relative, resolve, sep } from "node:path";
import type { Source } from "../index.ts";
import { UsageError } from "./errors.ts";

export interface Document {
  /** A path, URL, `file_…` id, or `-` for standard input. */
  source: string;
  /** For messages and the output. */
  label: string;
  /** Where its result lies in an output folder, without an extension: documents of folders keep their place. */
  place: string;
}

/** The files of a folder that are read. A file that is named is read whatever its name. */
const EXTENSIONS = new Set(
  [
    ".pdf .png .jpg .jpeg .webp .tif .tiff .gif .bmp .heic .heif .avif",
    ".docx .pptx .xlsx .epub .html .htm .csv .md .markdown .txt",
  ].flatMap((names) => names.split(" ")),
);

const isReference = (argument: string) =>
  /^(https?|data|file):|^file_[0-9a-z]{24}$/i.test(argument);
const isPattern = (argument: string) => /[*?[{]/.test(argument);

/**
 * Folders are searched with all folders in them; patterns are expanded, for shells that do not.
 * @throws UsageError for an argument that names nothing
 */
export function documentsOf(args: string[]): Document[] {
  const documents = (args.length > 0 ? args : ["-"]).flatMap((argument) => {
    if (argument === "-") return [{ source: "-", label: "stdin", place: "stdin" }];
    if (isReference(argument)) return [named(argument)];
    const stat = statSync(argument, { throwIfNoEntry: false });
    if (stat?.isFile()) return [named(argument)];
    if (stat?.isDirectory()) return inFolder(argument);
    if (stat) throw new UsageError(`${argument} is neither a file nor a folder.`);
    return isPattern(argument) ? matching(argument) : missing(argument);
  });
  const known = new Set<string>();
  return documents.filter(({ source }) => {
    const name = isReference(source) ? source : resolve(source);
    const isNew = !known.has(name);
    known.add(name);
    return isNew;
  });
}

function missing(argument: string): never {
  throw new UsageError(`There is no file ${argument}.`);
}

function named(source: string): Document {
  const name = shortName(source);
  const label = /^data:/i.test(source) ? name : source;
  return { source, label, place: withoutExtension(name) };
}

/** The last part of a path or URL. */
function shortName(source: string): string {
  if (/^data:/i.test(source)) return "data URL";
  return basename(URL.canParse(source) ? new URL(source).pathname : source) || source;
}

const withoutExtension = (path: string) => path.slice(0, path.length - extname(path).length);

function inFolder(folder: string): Document[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && EXTENSIONS.has(extname(entry.name).toLowerCase()))
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter(
      (path) =>
        !relative(folder, path)
          .split(sep)
          .some((part) => part.startsWith(".")),
    )
    .sort();
  if (files.length === 0)
    throw new UsageError(`The folder ${folder} has no ${[...EXTENSIONS].join(", ")} file.`);
  return files.map((path) => ({
    source: path,
    label: path,
    place: withoutExtension(relative(folder, path)),
  }));
}

function matching(pattern: string): Document[] {
  // Older versions of Node lack it.
  const { globSync } = fs as Partial<typeof fs>;
  if (!globSync) throw new UsageError(`Patterns such as ${pattern} need Node 22.`);
  const paths = globSync(pattern).filter((path) => statSync(path).isFile());
  if (paths.length === 0) throw new UsageError(`No file matches ${pattern}.`);
  return paths.sort().map(named);
}

/**
 * The file of each document in an output folder. Documents whose names differ only in their extension keep it:
 * `a.pdf.md`, `a.png.md`. Documents of one name from several folders keep their folders: `2024/a.md`, `2025/a.md`.
 * @throws UsageError if two documents would have one file, or a document would be overwritten
 */
export function targetsIn(folder: string, documents: Document[], extension: string): string[] {
  const places = apart(documents);
  const isShared = (place: string) => places.indexOf(place) !== places.lastIndexOf(place);
  const targets = documents.map(({ source }, i) => {
    const place = places[i] as string;
    return join(folder, `${place}${isShared(place) ? extname(source) : ""}.${extension}`);
  });
  for (const [i, target] of targets.entries()) {
    if (targets.indexOf(target) !== i)
      throw new UsageError(
        `${documents[targets.indexOf(target)]?.source} and ${documents[i]?.source} would both be written to ${target}.`,
      );
    demandNoDocument(target, documents);
  }
  return targets;
}

/** The places of the documents; for files of one name, from the folder down that they have in common. */
function apart(documents: Document[]): string[] {
  const nameOf = ({ source, place }: Document) => place + extname(source);
  const files = documents.filter(({ source }) => source !== "-" && !isReference(source));
  const groups = new Map<string, Document[]>();
  for (const file of files) groups.set(nameOf(file), [...(groups.get(nameOf(file)) ?? []), file]);
  return documents.map((document) => {
    const group = files.includes(document) ? (groups.get(nameOf(document)) as Document[]) : [];
    if (group.length < 2) return document.place;
    const common = commonFolder(group.map(({ source }) => resolve(source)));
    return withoutExtension(relative(common, resolve(document.source)));
  });
}

/** @param paths at least one, absolute */
function commonFolder(paths: string[]): string {
  const [first = [], ...others] = paths.map((path) => path.split(sep));
  const isShared = (i: number) => others.every((parts) => parts[i] === first[i]);
  const end = first.findIndex((_, i) => !isShared(i));
  return first.slice(0, end).join(sep) || sep;
}

/** @throws UsageError if the file is one of the documents */
export function demandNoDocument(target: string, documents: Document[]): void {
  if (documents.some(({ source }) => resolve(source) === resolve(target)))
    throw new UsageError(`${target} is a document that is read: it would be overwritten.`);
}

/** @throws UsageError if standard input is a terminal */
export async function contentOf({ source }: Pick<Document, "source">): Promise<Source> {
  if (source !== "-") return source;
  if (process.stdin.isTTY) throw new UsageError("Name a document, or pipe one to standard input.");
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return new Uint8Array(Buffer.concat(chunks));
}

/** @throws UsageError if the file is not there or not JSON */
export function jsonOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`);
  }
}
