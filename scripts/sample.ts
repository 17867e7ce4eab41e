/**
 * sample.ts ORIGIN KEY: what a running service answers for the sample invoice, for src/playground/public/samples/invoice.json.
 * The playground shows it to those who have no key.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const [origin, key] = process.argv.slice(2);
const response = await fetch(`${origin}/v1/ocr?name=invoice.pdf&cache=refresh`, {
  method: "POST",
  headers: {
    authorization: `Bearer ${key}`,
    "content-type": "application/pdf",
    prefer: "wait=60",
  },
  body: readFileSync(join(root, "examples/invoice.pdf")),
});
const { links: _, ...job } = (await response.json()) as Record<string, unknown> & {
  result: object;
};
const sample = {
  ...job,
  id: "sample",
  file_id: "sample",
  result: { ...job.result, job_id: "sample", file_id: "sample" },
};
const path = join(root, "src/playground/public/samples/invoice.json");
// Receipts are signed with the key of the service that was asked.
const withoutReceipts = (name: string, value: unknown) => (name === "receipt" ? undefined : value);
writeFileSync(path, `${JSON.stringify(sample, withoutReceipts, 2)}\n`);
