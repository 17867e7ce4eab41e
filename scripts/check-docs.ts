/**
 * Checks the documentation: every link leads to a file or heading that exists, the prose of README.md and docs/ is
 * wrapped at 120 columns, and docs/ERRORS.md has the code of every error of a page, document, batch or context.
 * (`test/edge/problem.test.ts` compares the problems.)
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const WIDTH = 120;
const root = join(import.meta.dirname, "..");
const pages = ["README.md", "docs/**/*.md", "examples/*.md", "src/client*/*.md"].flatMap(
  (pattern) => globSync(pattern, { cwd: root }),
);

const faults = pages.flatMap((page) => {
  const path = join(root, page);
  const wrapped = /^(README|docs)\b/.test(page);
  return [...links(path), ...(wrapped ? longLines(path) : [])].map((fault) => `${page}: ${fault}`);
});
faults.push(...errorCodes());
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exitCode = 1;
}

/** Compares the codes that edge and worker write in their sources with those that the docs have in code quotes. */
function errorCodes(): string[] {
  const made = (pattern: string, ...ways: RegExp[]) =>
    globSync(pattern, { cwd: root }).flatMap((file) => {
      const source = readFileSync(join(root, file), "utf8");
      return ways.flatMap((way) => [...source.matchAll(way)].map(([, code]) => code ?? ""));
    });
  const quoted = (page: string) =>
    [...readFileSync(join(root, page), "utf8").matchAll(/`([a-z_-]+)`/g)].map(([, code]) => code);
  const edge = made(
    "src/edge/**/*.ts",
    /\bcode: "([a-z]+(?:_[a-z]+)*)"/g,
    /\bfault\(\s*"(\w+)"/g,
    /\bBatchFault\(\s*"([\w-]+)"/g,
  ).filter((code) => code !== "custom"); // of zod
  const worker = made(
    "src/gpu-worker/fovea/**/*.py",
    /\b(?:Document|Page)Error\(\s*"(\w+)"/g,
    /"code": "(\w+)"/g,
  );
  const page = "docs/ERRORS.md";
  const known = new Set(quoted(page));
  const protocol = new Set(quoted("docs/WORKER-PROTOCOL.md"));
  const missing = [...new Set([...edge, ...worker])].filter((code) => !known.has(code));
  return [
    ...missing.map((code) => `${page}: no error code ${code}`),
    ...[...new Set(worker)]
      .filter((code) => !protocol.has(code))
      .map((code) => `docs/WORKER-PROTOCOL.md: no error code ${code}`),
  ];
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
