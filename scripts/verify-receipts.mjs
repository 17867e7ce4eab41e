/**
 * Verifies the receipts of a JSON result, and the hash of the document if it is given:
 * `node scripts/verify-receipts.mjs RESULT.json ORIGIN [DOCUMENT]`. Runs on Node ≥ 20 without packages.
 */
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const [resultPath, origin, documentPath] = process.argv.slice(2);
if (!resultPath || !origin) {
  console.error("usage: node scripts/verify-receipts.mjs RESULT.json ORIGIN [DOCUMENT]");
  process.exit(2);
}
const sha256 = (/** @type {string | Buffer} */ data) =>
  createHash("sha256").update(data).digest("hex");
const document = documentPath && sha256(readFileSync(documentPath));
const { keys } = await (await fetch(new URL("/.well-known/fovea-receipt-keys", origin))).json();
const { pages } = JSON.parse(readFileSync(resultPath, "utf8"));

let bad = 0;
for (const { page, receipt, markdown, error } of pages) {
  const fault = error ? null : findFault(receipt, page, markdown);
  if (fault) bad++;
  console.log(`page ${page}: ${error ? `no reading (${error.code})` : (fault ?? "ok")}`);
}
process.exit(bad > 0 ? 1 : 0);

/** @returns {string | null} */
function findFault(
  /** @type {{payload: string, signature: string, key_id: string} | undefined} */ receipt,
  /** @type {number} */ page,
  /** @type {string} */ markdown,
) {
  if (!receipt) return "has no receipt";
  const jwk = keys.find((/** @type {{kid: string}} */ { kid }) => kid === receipt.key_id);
  if (!jwk) return `signed with an unknown key ${receipt.key_id}`;
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const signature = Buffer.from(receipt.signature, "base64url");
  if (!verify(null, Buffer.from(receipt.payload), key, signature)) return "the signature is wrong";
  const payload = JSON.parse(receipt.payload);
  if (payload.page !== page) return `the receipt is for page ${payload.page}`;
  if (payload.markdown_sha256 !== sha256(markdown)) return "the text was changed";
  if (document && payload.document_sha256 !== document)
    return "the receipt is for another document";
  return null;
}
