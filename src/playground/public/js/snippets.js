/** The current request as code. The snippets take the key from the environment variable `FOVEA_API_KEY`. */

/** @typedef {import("./api.js").OcrRequest} OcrRequest */

const shell = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`;

/** @type {Record<string, (origin: string, file: string, request: OcrRequest) => string>} */
export const SNIPPETS = {
  curl: (origin, file, request) => {
    const body = JSON.stringify({ file: "FILE", ...request });
    return `ID=$(curl -sS -X POST ${shell(`${origin}/v1/files`)} -H "Authorization: Bearer $FOVEA_API_KEY" \\
  -H "Content-Type: application/octet-stream" --data-binary @${shell(file)} | jq -r .id)

curl -sS -X POST ${shell(`${origin}/v1/ocr`)} -H "Authorization: Bearer $FOVEA_API_KEY" \\
  -H "Content-Type: application/json" -H "Prefer: wait=60" \\
  -d ${shell(body).replace('"FILE"', `"'$ID'"`)}`;
  },

  typescript: (origin, file, request) => `import { Fovea } from "fovea-client";

const fovea = new Fovea({ apiKey: process.env.FOVEA_API_KEY, baseUrl: ${JSON.stringify(origin)} });
const { markdown } = await fovea.read(${JSON.stringify(file)}, ${JSON.stringify(request)});
console.log(markdown);`,

  python: (origin, file, request) => `import json, os, urllib.request

def call(path, body, kind, **headers):
    headers |= {"Authorization": "Bearer " + os.environ["FOVEA_API_KEY"], "Content-Type": kind}
    request = urllib.request.Request(${JSON.stringify(origin)} + path, body, headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)

with open(${JSON.stringify(file)}, "rb") as document:
    file = call("/v1/files", document.read(), "application/octet-stream")
options = json.loads(${JSON.stringify(JSON.stringify(request))})
body = json.dumps({"file": file["id"], **options}).encode()
job = call("/v1/ocr", body, "application/json", Prefer="wait=60")
print("\\n\\n".join(page.get("markdown", "") for page in job["result"]["pages"]))`,
};
