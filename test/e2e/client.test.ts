/** The client's package as users get it: packed, installed in an empty folder and run against the real service. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Job } from "../../scripts/api.ts";
import { Files } from "../../src/client/files.ts";
import { Transport } from "../../src/client/transport.ts";
import { ACCESS_KEY, startS3 } from "../s3.ts";
import { api, data as dataFolder, stack, unseen } from "./support.ts";

const root = join(import.meta.dirname, "../..");
const examples = join(root, "examples");
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "fovea-client-"));
const bin = join(folder, "node_modules/.bin/fovea");
const s3 = await startS3();
for (const bucket of ["cli-scans", "python-scans"])
  await fetch(`${s3.origin}/${bucket}/a`, { method: "PUT", headers: { "x-test": "1" }, body: "x" });

interface Ended {
  status: number;
  stdout: string;
  stderr: string;
}

function fovea(
  args: string[],
  {
    stdin,
    env = {},
    interrupt = false,
  }: { stdin?: Buffer; env?: Record<string, string>; interrupt?: boolean } = {},
): Promise<Ended> {
  const child = spawn(bin, args, {
    cwd: folder,
    env: { ...process.env, FOVEA_URL: stack.origin, FOVEA_API_KEY: stack.key, ...env },
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text) => {
      said[name] += text;
    });
  child.stdin.end(stdin);
  if (interrupt) interruptWhenReading(child);
  return new Promise((resolve) =>
    child.on("close", (code) => resolve({ status: code ?? -1, ...said })),
  );
}

/** Sends Ctrl-C as soon as a job is running. */
async function interruptWhenReading(child: ChildProcess): Promise<void> {
  for (;;) {
    await sleep(200);
    const response = await api.call("/v1/jobs?state=running");
    if (((await response.json()) as { data: unknown[] }).data.length > 0) break;
  }
  child.kill("SIGINT");
}

before(async () => {
  const packed = await run("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: join(root, "src/client"),
  });
  // The output of the build precedes the JSON.
  const [{ filename }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf("[\n")));
  writeFileSync(join(folder, "package.json"), '{"type": "module", "private": true}');
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", join(folder, filename)], {
    cwd: folder,
  });
});
after(() => {
  s3.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("the package", () => {
  test("includes its types and license, and has no dependencies", async () => {
    const installed = globSync("**/*", { cwd: join(folder, "node_modules/fovea-client") });
    const top = installed.filter((path) => !path.startsWith("dist"));
    assert.deepEqual(top.sort(), ["LICENSE", "README.md", "package.json"]);
    assert.ok(installed.every((path) => !/dist.*(?<!\.d)\.ts$|test|tsconfig/.test(path)));
    assert.ok(existsSync(join(folder, "node_modules/fovea-client/dist/index.d.ts")));
    assert.ok(!existsSync(join(folder, "node_modules/fovea-client/index.ts")));
    const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
    assert.deepEqual(Object.keys(lock.packages), ["", "node_modules/fovea-client"]);
  });

  test("runs the first code of its README", async () => {
    writeFileSync(join(folder, "readme.ts"), readmeCode(join(root, "src/client"), "ts"));
    const { stdout } = await run(process.execPath, [join(folder, "readme.ts")], {
      cwd: examples,
      env: { ...process.env, FOVEA_URL: stack.origin, FOVEA_API_KEY: stack.key },
    });
    assert.match(stdout, /LED copy light, 5000 K/);
    assert.match(stdout, /^1 ok 1$[\s\S]*^succeeded$/m);
  });

  test("reads a file by its path in a script of three lines", async () => {
    const script = `import { Fovea } from "fovea-client";
      const fovea = new Fovea({ apiKey: process.env.KEY, baseUrl: process.env.URL });
      console.log((await fovea.read(process.argv[2])).markdown);`;
    writeFileSync(join(folder, "read.js"), script);
    const { stdout } = await run(process.execPath, ["read.js", join(examples, "invoice.pdf")], {
      cwd: folder,
      env: { ...process.env, KEY: stack.key, URL: stack.origin },
    });
    assert.match(stdout, /LED copy light, 5000 K/);
  });
});

test("a large document is uploaded in parts, without the key", async () => {
  const uploads: (string | undefined)[] = [];
  const http = new Transport({
    apiKey: stack.key,
    baseUrl: stack.origin,
    fetch: (url, init) => {
      const { authorization } = init.headers as Record<string, string>;
      if (init.method === "PUT") uploads.push(authorization);
      return fetch(url, init);
    },
  });
  const bytes = unseen("invoice.pdf");
  const file = await new Files(http, 1000).upload(bytes, { name: "parts.pdf" });
  assert.deepEqual([file.name, file.bytes], ["parts.pdf", bytes.length]);
  assert.equal(file.sha256, createHash("sha256").update(bytes).digest("hex"));
  assert.deepEqual(uploads, [undefined]);
});

describe("fovea read", () => {
  test("prints the Markdown of a file", async () => {
    const { status, stdout } = await fovea(["read", join(examples, "invoice.pdf")]);
    assert.equal(status, 0);
    assert.match(stdout, /^<!-- page 1 -->[\s\S]*LED copy light, 5000 K/);
  });

  test("reads standard input and writes JSON", async () => {
    const stdin = readFileSync(join(examples, "report-12.pdf"));
    const { status, stdout, stderr } = await fovea(["read", "--json", "-p", "2-3"], { stdin });
    assert.deepEqual([status, stderr], [0, ""]);
    assert.deepEqual(
      JSON.parse(stdout).pages.map(({ page }: { page: number }) => page),
      [2, 3],
    );
  });

  test("writes the form of the result that was asked for", async () => {
    const form = ["--granularity", "word", "--table-format", "markdown", "--text-layer", "auto"];
    const read = await fovea(["read", join(examples, "invoice.pdf"), "--json", ...form]);
    const [page] = JSON.parse(read.stdout).pages;
    assert.match(page.markdown, /\| LED copy light, 5000 K \| 2 \|/);
    assert.ok(
      page.blocks.some((block: { lines?: { words?: object[] }[] }) => block.lines?.[0]?.words),
    );
  });

  test("writes the tables as CSV, and a Word document", async () => {
    const invoice = join(examples, "invoice.pdf");
    const { stdout } = await fovea(["read", invoice, "-f", "csv"]);
    assert.match(stdout, /^4,"LED copy light, 5000 K",2,139\.00,278\.00\r$/m);
    assert.equal((await fovea(["read", invoice, "-f", "docx", "-o", "invoice.docx"])).status, 0);
    const script =
      "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(z.read('word/document.xml').decode())";
    const docx = join(folder, "invoice.docx");
    assert.match((await run("python3", ["-c", script, docx])).stdout, /LED copy light, 5000 K/);
  });

  test("writes hOCR and ALTO, a workbook and an archive", async () => {
    const invoice = join(examples, "invoice.pdf");
    assert.match((await fovea(["read", invoice, "-f", "hocr"])).stdout, /class=.ocr_page/);
    assert.match((await fovea(["read", invoice, "-f", "alto"])).stdout, /<alto [\s\S]*<\/alto>/);
    for (const [format, name] of [
      ["xlsx", "tables.xlsx"],
      ["mdzip", "invoice.zip"],
    ] as const) {
      assert.equal((await fovea(["read", invoice, "-f", format, "-o", name])).status, 0);
      assert.equal(readFileSync(join(folder, name)).subarray(0, 2).toString(), "PK");
    }
  });

  test("writes the data of a schema, with their places", async () => {
    const args = ["read", join(examples, "invoice.pdf"), "--zero-retention", "--schema"];
    const { status, stdout } = await fovea([...args, join(examples, "invoice.schema.json")]);
    const { source, data, citations } = JSON.parse(stdout);
    assert.deepEqual([status, source, data.amount_due], [0, args[1], 4399.49]);
    assert.equal(citations.amount_due.page, 1);
  });

  test("writes a searchable PDF: the image of the page over its text", async () => {
    const invoice = join(examples, "invoice.pdf");
    const made = await fovea(["read", invoice, "-f", "pdf", "-o", "searchable.pdf"]);
    assert.deepEqual([made.status, made.stdout], [0, ""]);
    const script = `
import json, sys
import numpy, pypdfium2
document, original = (pypdfium2.PdfDocument(path)[0] for path in sys.argv[1:])
pixels = [numpy.asarray(page.render(scale=2).to_pil().convert("RGB")).astype(int) for page in (document, original)]
visible = [item for item in document.get_objects() if item.type == pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]
print(json.dumps({
  "text": document.get_textpage().get_text_bounded(),
  "images": len(visible),
  "difference": int(abs(pixels[0] - pixels[1]).max()),
}))`;
    const paths = [join(folder, "searchable.pdf"), invoice];
    const { stdout } = await run(join(root, ".venv/bin/python"), ["-c", script, ...paths]);
    const { text, images, difference } = JSON.parse(stdout);
    assert.deepEqual([images, difference], [1, 0]);
    const plain = await fovea(["read", invoice, "--json"]);
    const { blocks } = JSON.parse(plain.stdout).pages[0];
    const words = (one: string) => one.split(/\s+/).filter(Boolean).join(" ");
    assert.equal(words(text), words(blocks.map((one: { text: string }) => one.text).join(" ")));
  });

  test("writes several documents into a folder, which it creates", async () => {
    const files = ["blank.pdf", "invoice.pdf"].map((name) => join(examples, name));
    const { status, stdout } = await fovea(["read", ...files, "-o", "out", "-f", "txt"]);
    assert.deepEqual([status, stdout], [0, ""]);
    assert.equal(readFileSync(join(folder, "out/blank.txt"), "utf8").trim(), "");
    assert.ok(readFileSync(join(folder, "out/invoice.txt"), "utf8").length > 100);
  });

  test("reads folders and patterns, and keeps places and names apart", async () => {
    mkdirSync(join(folder, "in/deep/.hidden"), { recursive: true });
    mkdirSync(join(folder, "empty"));
    for (const name of ["a.pdf", "deep/b.pdf", "deep/.hidden/c.pdf", "deep/notes.xyz"])
      copyFileSync(join(examples, "blank.pdf"), join(folder, "in", name));
    writeFileSync(join(folder, "in/a.md"), "# A text");
    writeFileSync(join(folder, "in/deep/table.csv"), "a,b\n1,2\n");
    assert.deepEqual(await fovea(["read", "in", "-o", "made/new/"]), {
      status: 0,
      stdout: "",
      stderr: "",
    });
    const made = globSync("**/*.md", { cwd: join(folder, "made/new") }).sort();
    assert.deepEqual(made, ["a.md.md", "a.pdf.md", join("deep", "b.md"), join("deep", "table.md")]);
    const pattern = [bin, "read", "in/**/b.*", "-o", "pattern"];
    const env = { ...process.env, FOVEA_URL: stack.origin, FOVEA_API_KEY: stack.key };
    await run(process.execPath, pattern, { cwd: folder, env }); // Node 24: 20 has no patterns
    assert.deepEqual(readdirSync(join(folder, "pattern")), ["b.md"]);
    for (const [args, words] of [
      [["in/deep/.hidden/*.png"], /No file matches|need Node 22/],
      [["empty"], /The folder empty has no \.pdf, .* file/],
      [["in", "-o", "in/a.pdf"], /is a file: several documents need a folder/],
      [["https://a.test/a.pdf", "https://b.test/a.pdf", "-o", "out"], /would both be written to/],
      [["in", "--skip-existing"], /--skip-existing needs --output/],
      [["in", "--parallel", "0"], /--parallel is a number from 1 to 64/],
      [["in/a.md", "-o", "in"], /would be overwritten/],
      [["in", "-f", "docx"], /--format docx needs --output/],
      [["in", "-f", "alto"], /--format alto needs --output/],
    ] as const) {
      const { status, stderr } = await fovea(["read", ...args]);
      assert.deepEqual([args, status], [args, 2]);
      assert.match(stderr, words);
    }
  });

  test("keeps the folders of documents with one name, and leaves out what is there", async () => {
    for (const name of ["2024/q1", "2025/q1"]) {
      mkdirSync(join(folder, "years", name), { recursive: true });
      copyFileSync(join(examples, "invoice.pdf"), join(folder, "years", name, "a.pdf"));
    }
    const files = ["years/2024/q1/a.pdf", "./years/2025/q1/a.pdf", "years/2024/../2025/q1/a.pdf"];
    assert.equal((await fovea(["read", ...files, "-o", "apart"])).status, 0);
    const made = globSync("**/*.*", { cwd: join(folder, "apart") }).sort();
    assert.deepEqual(made, ["2024/q1/a.md", "2025/q1/a.md"]);
    writeFileSync(join(folder, "apart/2024/q1/a.md"), "mine");
    rmSync(join(folder, "apart/2025/q1/a.md"));
    await fovea(["read", ...files, "-o", "apart", "--skip-existing"]);
    assert.equal(readFileSync(join(folder, "apart/2024/q1/a.md"), "utf8"), "mine");
    assert.match(readFileSync(join(folder, "apart/2025/q1/a.md"), "utf8"), /LED copy light/);
  });

  test("reads several documents at the same time and writes them in order", async () => {
    const files = ["report-12.pdf", "invoice.pdf", "blank.pdf", "photo.jpg"];
    const words = files.map((name) => join(examples, name));
    const { status, stdout } = await fovea(["read", ...words, "--json", "--parallel", "3"]);
    assert.equal(status, 0);
    const lines = stdout.trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).source),
      words,
    );
    const refused = await fovea(["read", ...words, "--pages", "x"]);
    assert.deepEqual([refused.status, refused.stdout], [2, ""]);
    assert.equal(refused.stderr.trim().split("\n").length, 1);
  });

  test("takes stdout and the format from --output, and names the command for a document", async () => {
    const invoice = join(examples, "invoice.pdf");
    assert.match((await fovea(["read", invoice, "-o", "-"])).stdout, /LED copy light/);
    await fovea(["read", invoice, "-o", "by-ending.CSV"]);
    assert.match(readFileSync(join(folder, "by-ending.CSV"), "utf8"), /^No\.,Description/);
    const { status, stderr } = await fovea([invoice]);
    assert.deepEqual([status, /Use fovea read .*invoice\.pdf/.test(stderr)], [2, true]);
  });

  test("separates documents on stdout, and goes on after one that is refused", async () => {
    copyFileSync(join(examples, "read.py"), join(folder, "script.pdf"));
    const files = ["script.pdf", join(examples, "invoice.pdf"), join(examples, "blank.pdf")];
    const text = await fovea(["read", ...files.slice(1), "-f", "txt"]);
    assert.equal(text.status, 0);
    assert.match(text.stdout, /^==> .*invoice\.pdf <==\n[\s\S]+\n\n==> .*blank\.pdf <==\n/);
    const markdown = await fovea(["read", ...files.slice(1)]);
    assert.match(
      markdown.stdout,
      /^<!-- .*invoice\.pdf -->\n<!-- page 1 -->[\s\S]+\n<!-- .*blank/m,
    );
    const { status, stdout, stderr } = await fovea(["read", ...files, "--json"]);
    assert.equal(status, 1);
    assert.match(stderr, /^script\.pdf: The file type is not supported/);
    const [refused, invoice, blank, ...more] = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      [refused.source, refused.error.code],
      ["script.pdf", "unsupported-media-type"],
    );
    assert.deepEqual([invoice.source, invoice.pages[0].error], [files[1], null]);
    assert.deepEqual([blank.pages[0].verdict, more], ["blank", []]);
  });

  test("has an option for every field of a request", async () => {
    const { stdout } = await fovea(["read", "--help"]);
    const document = (await (await api.call("/openapi.json")).json()) as {
      components: { schemas: { OcrRequest: { properties: object } } };
    };
    const {
      file: _,
      url: __,
      ...fields
    } = document.components.schemas.OcrRequest.properties as Record<string, object>;
    for (const name of Object.keys(fields))
      assert.match(stdout, new RegExp(`--${name.replaceAll("_", "-")}\\b`));
    const metadata = ["--metadata", "a=1", "--metadata", "b=x=y", "--tokens", "none"];
    const read = await fovea(["read", join(examples, "invoice.pdf"), "--json", ...metadata]);
    const job = await api.job(JSON.parse(read.stdout).job_id);
    assert.deepEqual((job as Job & { metadata: object }).metadata, { a: "1", b: "x=y" });
    assert.equal((await fovea(["read", "-", "--metadata", "a"])).status, 2);
  });

  test("uses the service that runs on this machine, and its key nowhere else", async () => {
    const here = { FOVEA_URL: "", FOVEA_API_KEY: "", FOVEA_DATA: dataFolder };
    const invoice = join(examples, "invoice.pdf");
    assert.match((await fovea(["read", invoice], { env: here })).stdout, /LED copy light/);
    const elsewhere = { ...here, FOVEA_URL: "http://127.0.0.1:9" };
    assert.equal((await fovea(["read", invoice], { env: elsewhere })).status, 3);
  });

  test("cancels the job on Ctrl-C", async () => {
    const name = join(folder, "long.pdf");
    writeFileSync(name, unseen("report-12.pdf"));
    const { status, stderr } = await fovea(["read", name], { interrupt: true });
    assert.equal(status, 130);
    const [, id = ""] = /canceling (job_\w+)/.exec(stderr) ?? [];
    assert.equal((await api.job(id)).state, "canceled");
  });

  test("exits with 1 and the reason if pages cannot be read", async () => {
    const encrypted = join(root, "test/e2e/fixtures/encrypted.pdf");
    const failed = await fovea(["read", encrypted]);
    assert.equal(failed.status, 1);
    assert.match(failed.stderr, /encrypted\.pdf: document_encrypted: /);
    const partial = await fovea(["read", join(examples, "invoice.pdf"), "-p", "1,9"]);
    assert.equal(partial.status, 1);
    assert.match(partial.stderr, /page 9: page_out_of_range/);
    assert.match(partial.stdout, /LED copy light/);
  });

  test("shows the help of commands and of groups", async () => {
    for (const [args, words] of [
      [["help", "read"], /^Usage: fovea read .*[\s\S]*--languages LIST/],
      [
        ["batch", "--help"],
        /^Usage: fovea batch COMMAND[\s\S]*batch run [\s\S]*fovea help batch run/,
      ],
      [["help", "batch", "run"], /^Usage: fovea batch run [\s\S]*--training-data/],
      [["help"], /^Usage: fovea COMMAND/],
    ] as const) {
      const { status, stdout } = await fovea([...args]);
      assert.equal(status, 0);
      assert.match(stdout, words);
    }
    assert.equal((await fovea(["help", "reed"])).status, 2);
  });

  test("exits with 2 for invalid input, 3 for a bad key or none, 4 without a response", async () => {
    const invoice = join(examples, "invoice.pdf");
    for (const [args, words] of [
      [["reed"], /no command reed/],
      [["jobs"], /fovea jobs list/],
      [["read", "nothing.pdf"], /no file nothing\.pdf/],
      [["read", invoice, "--format", "doc"], /--format is one of/],
      [["read", invoice, "--colour"], /--colour/],
      [["read", invoice, "--schema", invoice], /invoice\.pdf: /],
      [["read", invoice, "--instructions", "a"], /--instructions needs --schema/],
      [["read", invoice, "--dpi", "high"], /--dpi is a whole number/],
      [["read", invoice, "--model", "gpt"], /Choose one of pp-ocr/],
      [["jobs", "get", "job_x"], /No such/i],
    ] as const) {
      const { status, stderr } = await fovea([...args]);
      assert.deepEqual([args, status], [args, 2]);
      assert.match(stderr, words);
    }
    assert.equal((await fovea(["jobs", "list", "--key", "fov_live_wrong"])).status, 3);
    const none = await fovea(["read", invoice], { env: { FOVEA_API_KEY: "" } });
    assert.equal(none.status, 3);
    assert.match(none.stderr, /Set FOVEA_API_KEY/);
    const nobody = await fovea(["jobs", "list", "--url", "http://127.0.0.1:9"]);
    assert.deepEqual([nobody.status, nobody.stdout], [4, ""]);
    assert.match(nobody.stderr, /127\.0\.0\.1:9 could not be reached/);
  });
});

test("fovea jobs lists, shows, follows and deletes jobs and prints results", async () => {
  const file = await api.upload(new Uint8Array(readFileSync(join(examples, "invoice.pdf"))), "i");
  const { id } = await api.start({ file });
  const followed = await fovea(["jobs", "follow", id, "--json"]);
  assert.equal(followed.status, 0);
  const events = followed.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).type);
  assert.deepEqual([events[0], events.at(-1)], ["queued", "succeeded"]);
  assert.match((await fovea(["jobs", "list", "--file", file])).stdout, new RegExp(id));
  assert.match((await fovea(["jobs", "get", id])).stdout, /succeeded +1\/1[\s\S]*page 1: ok/);
  assert.ok((await fovea(["jobs", "result", id, "-f", "txt"])).stdout.length > 200);
  assert.equal((await fovea(["jobs", "cancel", id])).status, 2);
  assert.equal((await fovea(["jobs", "delete", id])).status, 0);
  assert.match((await fovea(["jobs", "get", id])).stderr, /No such job/);
});

test("fovea batch reads documents and manifests, keeps complete files and lists failures", async () => {
  const documents = ["invoice.pdf", "chinese.png"].map((name) => join(examples, name));
  const form = ["--granularity", "line", "--table-format", "markdown", "--figures", "none"];
  const made = await fovea(["batch", "run", ...documents, ...form, "-o", "batch", "--json"]);
  assert.equal(made.status, 0, made.stderr);
  const { id, lines, pages } = JSON.parse(made.stdout);
  assert.deepEqual([lines.succeeded, pages.done], [2, 2]);
  const shard = join(folder, "batch/000001.jsonl");
  const records = readFileSync(shard, "utf8").trim().split("\n");
  assert.deepEqual(
    records.map((record) => JSON.parse(record).custom_id),
    documents.flatMap((name) => [name, name]),
  );
  const [line, page] = records.map((record) => JSON.parse(record));
  assert.deepEqual([line.granularity, line.table_format], ["line", "markdown"]);
  assert.match(page.result.markdown, /\| LED copy light, 5000 K \|/);
  assert.equal((await fovea(["batch", "start", "--figures", "link", ...documents])).status, 2);

  // A complete shard is not downloaded again, a corrupted one is.
  const kept = statSync(shard).mtimeMs;
  assert.equal((await fovea(["batch", "output", id, "-o", "batch"])).status, 0);
  assert.equal(statSync(shard).mtimeMs, kept);
  writeFileSync(shard, "x".repeat(statSync(shard).size));
  await fovea(["batch", "output", id, "-o", "batch"]);
  assert.deepEqual(readFileSync(shard, "utf8").trim().split("\n"), records);
  const training = await fovea(["batch", "output", id, "--training-data"]);
  assert.match(training.stdout, /"text":"[^"]*LED copy light, 5000 K/);

  const file = JSON.parse(records[0] as string).file_id;
  const stdin = Buffer.from(`{"file": "${file}"}\n{"file": "${file}", "pages": "one"}\n`);
  const started = await fovea(["batch", "start", "--dpi", "100"], { stdin });
  const second = started.stdout.trim();
  const watched = await fovea(["batch", "watch", second]);
  assert.equal(watched.status, 1);
  assert.match(watched.stdout, /completed +2\/2 +1 +1/);
  assert.match(watched.stderr, /wholly or in part: 1$/m);
  const failures = await fovea(["batch", "failures", second]);
  assert.match(failures.stdout, /^line 2: invalid_page_selection: /);
  assert.match((await fovea(["batch", "retry", second])).stdout, /running +1\/2/);
  assert.equal((await fovea(["batch", "watch", second, "-q"])).status, 1);
  const listed = JSON.parse((await fovea(["batch", "list", "--json"])).stdout);
  assert.deepEqual(
    listed.slice(0, 2).map((batch: { id: string }) => batch.id),
    [second, id],
  );
  assert.equal((await fovea(["batch", "pause", second])).status, 2);
  assert.equal((await fovea(["batch", "run", "nothing.jsonl"])).status, 2);
  assert.equal((await fovea(["batch", "delete", id])).status, 0);
  assert.match((await fovea(["batch", "status", id])).stderr, /No such batch/);
});

test("fovea bucket connects, checks, lists, rotates and deletes", async () => {
  const env = { AWS_ACCESS_KEY_ID: ACCESS_KEY.id, AWS_SECRET_ACCESS_KEY: ACCESS_KEY.secret };
  const said = async (args: string[], more = {}) => fovea(args, { env: { ...env, ...more } });
  const place = ["--endpoint", s3.origin, "--region", "eu-test-1", "--prefix", "in/"];
  const connected = await said(["bucket", "connect", "cli-scans", ...place]);
  assert.equal(connected.status, 0, connected.stderr);
  const id = connected.stdout.trim();
  assert.match(id, /^bkt_\w+$/);
  const listed = await said(["bucket", "list"]);
  assert.match(listed.stdout, new RegExp(`${id} +cli-scans +in/ +${s3.origin} +ESTS`));
  const checked = await said(["bucket", "check", id]);
  assert.equal(checked.stdout, "list: ok\nwrite: ok\nread: ok\ndelete: ok\n");
  assert.equal(checked.status, 0);

  const rotated = await said(["bucket", "rotate", id, "--json"], {
    AWS_SECRET_ACCESS_KEY: "wrong-secret",
  });
  assert.equal(JSON.parse(rotated.stdout).id, id);
  const failed = await said(["bucket", "check", id, "--json"]);
  const { ok, steps } = JSON.parse(failed.stdout);
  assert.deepEqual([failed.status, ok, steps[0].error.code], [1, false, "secret_wrong"]);

  assert.equal((await said(["bucket", "delete", id])).status, 0);
  const left = JSON.parse((await said(["bucket", "list", "--json"])).stdout);
  assert.ok(!left.some((bucket: { id: string }) => bucket.id === id));
  const keyless = await said(["bucket", "connect", "x", ...place], { AWS_ACCESS_KEY_ID: "" });
  assert.deepEqual([keyless.status, keyless.stdout], [2, ""]);
  assert.match(keyless.stderr, /Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/);
  const nowhere = await said(["bucket", "connect", "x"]);
  assert.equal(nowhere.status, 2);
  assert.match(nowhere.stderr, /--endpoint is needed/);
});

test("fovea keys creates, rotates and revokes keys; fovea usage counts pages", async () => {
  const bootstrap = { env: { FOVEA_API_KEY: stack.bootstrapSecret } };
  const made = await fovea(["keys", "create", "--tenant", "cli"], bootstrap);
  const admin = { env: { FOVEA_API_KEY: made.stdout.trim() } };
  assert.match(made.stdout, /^fov_live_\w{30}\n$/);
  const json = ["keys", "create", "--scopes", "read,write", "--rate", "60", "--json"];
  const reader = JSON.parse((await fovea(json, admin)).stdout);
  assert.deepEqual([reader.scopes, reader.rate_per_minute], [["read", "write"], 60]);
  const rotated = await fovea(["keys", "rotate", reader.id, "--overlap", "0"], admin);
  assert.match(rotated.stdout, /^fov_live_/);
  const read = await fovea(["read", join(examples, "blank.pdf")], {
    env: { FOVEA_API_KEY: rotated.stdout.trim() },
  });
  assert.equal(read.status, 0);
  assert.match((await fovea(["usage"], admin)).stdout, /pp-ocr +1 +0 +0/);
  const { data } = (await (await api.fetch("/v1/keys", keyed(admin))).json()) as {
    data: { id: string; name: string }[];
  };
  assert.equal(data.length, 3);
  for (const { id } of data) await fovea(["keys", "revoke", id], admin);
  assert.equal((await fovea(["keys", "list"], admin)).status, 3);
});

test("fovea context remembers a conversation; fovea compress renders a text", async () => {
  const made = await fovea(["context", "create", "talk", "--recent", "0", "--budget", "500"]);
  const id = made.stdout.trim();
  assert.match(id, /^ctx_/);
  const text = readFileSync(join(examples, "truth/paper.txt"));
  for (const role of ["user", "assistant"])
    assert.equal((await fovea(["context", "add", id, "--role", role], { stdin: text })).status, 0);
  const aged = await fovea(["context", "age", id]);
  assert.match(aged.stdout, /done: \d+ tokens/);
  const view = await fovea(["context", "view", id, "-o", "memory"]);
  assert.match(view.stdout, /^\[1–2, .*\] \S+-\d+ \(\d+\): \d+ pages?$/m);
  const [image = ""] = globSync("memory/1-2-*-1.png", { cwd: folder });
  assert.equal(readFileSync(join(folder, image)).subarray(1, 4).toString(), "PNG");
  assert.ok((await fovea(["context", "recall", id, "1", "--image"])).stdout.length > 50);
  assert.match((await fovea(["context", "segments", id])).stdout, /^seg_\S+ +\S+-\d+ .* %/m);
  assert.match((await fovea(["context", "costs", id])).stdout, /^openai\/gpt-4o +\d+ +\d+ /m);
  const found = await fovea(["context", "search", id, "Halloran"]);
  assert.match(found.stdout, /^[12] (user|assistant): .*Halloran/m);
  const forOpenAI = await fovea(["context", "view", id, "--for", "openai"]);
  assert.ok(Array.isArray(JSON.parse(forOpenAI.stdout)));
  const lines = Buffer.from((await fovea(["context", "export", id])).stdout);
  const copy = await fovea(["context", "import", "-"], { stdin: lines });
  assert.match(copy.stdout, /^ctx_/);
  assert.equal((await fovea(["context", "recall", id, "x"])).status, 2);
  for (const one of [id, copy.stdout.trim()])
    assert.equal((await fovea(["context", "delete", one])).status, 0);
  assert.equal((await fovea(["context", "view", id])).status, 2);
  const compressed = await fovea(["compress", join(examples, "truth/photo.txt"), "--mode", "base"]);
  assert.match(compressed.stdout, /^base: \d+ → \d+ tokens/m);
});

const keyed = ({ env }: { env: { FOVEA_API_KEY: string } }) => ({
  headers: { authorization: `Bearer ${env.FOVEA_API_KEY}` },
});

describe("the Python package", () => {
  const python = join(root, ".venv/bin/python");
  const site = join(folder, "site-packages");
  const source = join(root, "src/client-python");
  const environment = () => ({
    PATH: process.env.PATH,
    PYTHONPATH: site,
    FOVEA_URL: stack.origin,
    FOVEA_API_KEY: stack.key,
  });
  const runPython = (args: string[], cwd = folder) =>
    run(python, args, { cwd, env: environment() });

  before(async () => {
    await run(python, ["-m", "hatchling", "build", "-t", "wheel", "-d", folder], { cwd: source });
    const [wheel = ""] = globSync("*.whl", { cwd: folder });
    await run(python, ["-m", "zipfile", "-e", join(folder, wheel), site]);
  });

  test("has its types and license, and nothing of the repository", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "src/client/package.json"), "utf8"));
    const dist = `fovea_client-${version}.dist-info`;
    assert.deepEqual(readdirSync(site).sort(), ["fovea_client", dist]);
    assert.ok(existsSync(join(site, "fovea_client/py.typed")));
    assert.ok(existsSync(join(site, dist, "licenses/LICENSE")));
    const { stdout } = await runPython(["-c", "import fovea_client as f; print(f.__file__)"]);
    assert.equal(stdout.trim(), join(site, "fovea_client/__init__.py"));
  });

  test("reads, waits, follows, batches, remembers, and repeats nothing", async () => {
    const script = join(root, "test/e2e/python_client.py");
    const encrypted = join(root, "test/e2e/fixtures/encrypted.pdf");
    await runPython([script, examples, encrypted, s3.origin]);
  });

  test("runs the first code of its README", async () => {
    const { stdout } = await runPython(["-c", readmeCode(source, "python")], examples);
    assert.match(stdout, /LED copy light, 5000 K/);
    assert.match(stdout, /^1 ok \[\(0\.\d+/m);
    assert.match(stdout, /^succeeded\n[\s\S]*^completed 1\nWhere is my parcel\?$/m);
  });
});

/** The first block of code in a package's README. */
function readmeCode(folder: string, language: string): string {
  const readme = readFileSync(join(folder, "README.md"), "utf8");
  return new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1] ?? "";
}

test("the Python example reads a document over plain HTTP and ends with the problem's message", async () => {
  const script = join(examples, "read.py");
  const env = { ...process.env, FOVEA_URL: stack.origin, FOVEA_API_KEY: stack.key };
  const { stdout, stderr } = await run("python3", [script, join(examples, "invoice.pdf")], { env });
  assert.match(stdout, /LED copy light, 5000 K/);
  assert.equal(stderr, "page 1: ok\n");
  const refused = run("python3", [script, script], { env });
  await assert.rejects(refused, { code: 1, stderr: /The file type is not supported: .+ \(req_/ });
  await assert.rejects(run("python3", [script], { env }), { code: 1, stderr: /^usage: / });
});

test("fovea completion completes commands, options and values in a real bash", async () => {
  const script = `source <(${bin} completion bash)
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fovea; echo "\${COMPREPLY[*]}"`;
  const complete = async (...words: string[]) =>
    (await run("bash", ["-c", script, "bash", "fovea", ...words], { cwd: folder })).stdout.trim();
  assert.equal(await complete("k"), "keys");
  assert.equal(await complete("jobs", "c"), "cancel");
  assert.equal(await complete("jobs", "list", "--st"), "--state");
  assert.equal(await complete("batch", "re"), "resume retry");
  assert.equal(await complete("batch", "run", "--mode", "ba"), "base");
  assert.equal(await complete("read", "--cache", ""), "use refresh only");
  assert.equal(await complete("read", "read."), "read.js");
});
