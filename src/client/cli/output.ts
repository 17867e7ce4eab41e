/** Output to stdout, stderr and files. */
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ConnectionError } from "../index.ts";

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

/** Copies a response body to a file, or to stdout without a path. @throws ConnectionError when the body breaks off */
export async function deliver(
  body: ReadableStream<Uint8Array>,
  path: string | undefined,
): Promise<void> {
  const source = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
  try {
    if (path === undefined) await pipeline(source, process.stdout, { end: false });
    else await pipeline(source, createWriteStream(path));
  } catch (error) {
    if (error instanceof TypeError)
      throw new ConnectionError("The connection broke before the result was complete.");
    throw error;
  }
}
