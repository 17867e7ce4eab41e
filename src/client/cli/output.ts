/** Output to stdout, stderr and files. */
import { once } from "node:events";
import { createWriteStream, renameSync, rmSync, statSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ConnectionError } from "../index.ts";
import type { Input } from "./command.ts";

export const say = (text: string) => process.stderr.write(`${text}\n`);
export const print = (text: string) => process.stdout.write(`${text}\n`);
export const printJson = (value: unknown) => print(JSON.stringify(value, null, 2));

/** Prints rows under their headings in aligned columns. */
export function printTable(headings: string[], rows: (string | number | null)[][]): void {
  const cells = [headings, ...rows.map((row) => row.map((cell) => String(cell ?? "–")))];
  const widths = headings.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  for (const row of cells)
    print(
      row
        .map((cell, i) => cell.padEnd(widths[i] as number))
        .join("  ")
        .trimEnd(),
    );
}

/** What `--output` names; `-` is stdout. */
export const outputOf = (input: Input) => {
  const path = input.value("output");
  return path === "-" ? undefined : path;
};

/** Copies a response body to a file, or to stdout without a path. @throws ConnectionError when the body breaks off */
export async function deliver(
  body: ReadableStream<Uint8Array>,
  path: string | undefined,
): Promise<void> {
  const source = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
  try {
    if (path !== undefined) return await writeWhole(path, source);
    for await (const chunk of source)
      if (!process.stdout.write(chunk)) await once(process.stdout, "drain");
  } catch (error) {
    if (error instanceof TypeError)
      throw new ConnectionError("The connection broke before the result was complete.");
    throw error;
  }
}

/** Writes a file that is there only when it is complete; what is no file, such as a pipe, as it comes. */
export async function writeWhole(path: string, content: Readable): Promise<void> {
  const stat = statSync(path, { throwIfNoEntry: false });
  const isFile = !stat || stat.isFile();
  const target = isFile ? `${path}.part` : path;
  try {
    await pipeline(content, createWriteStream(target));
    if (isFile) renameSync(target, path);
  } catch (error) {
    if (isFile) rmSync(target, { force: true });
    throw error;
  }
}
