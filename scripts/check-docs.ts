/**
 * Checks the documentation: every link leads to a file or heading that exists, and the prose of README.md
 * and docs/ is wrapped at 120 columns.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const WIDTH = 120;
const root = join(import.meta.dirname, "..");
const pages = ["README.md", "docs/**/*.md", "examples/*.md", "src/client/*.md"].flatMap((pattern) =>
  globSync(pattern, { cwd: root }),
);

const faults = pages.flatMap((page) => {
  const path = join(root, page);
  const wrapped = /^(README|docs)\b/.test(page);
  return [...links(path), ...(wrapped ? longLines(path) : [])].map((fault) => `${page}: ${fault}`);
});
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exitCode = 1;
}

function links(page: string): string[] {
  const targets = [
    ...prose(page)
      .join("\n")
      .matchAll(/\]\(([^)\s]+)\)/g),
  ].map(([, to]) => to ?? "");
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .flatMap((target) => {
      const [file = "", heading] = target.split("#");
      const path = file ? join(dirname(page), file) : page;
      if (!existsSync(path)) return [`no file ${target}`];
      if (heading === undefined || headings(path).includes(heading)) return [];
      return [`no heading ${target}`];
    });
}

/** Anchors as GitHub makes them. */
function headings(page: string): string[] {
  return prose(page)
    .filter((line) => line.startsWith("#"))
    .map((line) =>
      line
        .replace(/^#+ /, "")
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .trim()
        .replaceAll(" ", "-"),
    );
}

/** Tables, images and links that take a line of their own may be longer. */
function longLines(page: string): string[] {
  return prose(page)
    .filter((line) => line.length > WIDTH && !/^(\||!\[|#)/.test(line) && /\s\S/.test(line.trim()))
    .map((line) => `${line.length} columns: ${line.slice(0, 60)}…`);
}

/** A page's lines without those of code blocks. */
function prose(page: string): string[] {
  let code = false;
  return readFileSync(page, "utf8")
    .split("\n")
    .filter((line) => {
      if (!line.trimStart().startsWith("```")) return !code;
      code = !code;
      return false;
    });
}
