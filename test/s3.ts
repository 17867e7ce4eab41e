/**
 * A stand-in for S3, on a real HTTP server. It checks signatures (AWS Signature Version 4, without aws4fetch) and the
 * SHA-256 of what is written, lists by ListObjectsV2, and knows `If-Match`. Objects are in memory. Some buckets do what
 * their names say: see `TRICKS`. `npm run test:clients` runs against Moto, which others have written.
 */
import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const ACCESS_KEY = { id: "AKIDOFTHETESTS", secret: "secret-key-of-the-tests" };
const REGION = "eu-test-1";

interface Stored {
  body: Buffer;
  etag: string;
}

interface Asked {
  request: IncomingMessage;
  response: ServerResponse;
  bucket: string;
  key: string;
  query: URLSearchParams;
  body: Buffer;
}

type Trick = (asked: Asked, times: number) => boolean;

const xml = (response: ServerResponse, status: number, body: string, headers = {}) => {
  response.writeHead(status, { "content-type": "application/xml", ...headers });
  response.end(body);
  return true;
};
const error = (response: ServerResponse, status: number, code: string, more = "") =>
  xml(response, status, `<?xml version="1.0"?>\n<Error><Code>${code}</Code>${more}</Error>`);

/** By the name of the bucket: what to do instead of answering. Each gets how often that was asked before. */
const TRICKS: Record<string, Trick> = {
  "html-bucket": ({ response }) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<html><body>Sign in</body></html>");
    return true;
  },
  "html-404": ({ response }) => {
    response.writeHead(404, { "content-type": "text/html" });
    response.end("<h1>Not Found</h1>");
    return true;
  },
  "cut-xml": ({ response }) => xml(response, 200, "<ListBucketResult><Contents><Key>a.pdf</Key>"),
  "silent-bucket": () => true,
  "moved-bucket": ({ response }) => {
    response.setHeader("location", "http://127.0.0.1:1/elsewhere");
    return error(response, 301, "PermanentRedirect", "<Region>us-west-2</Region>");
  },
  "read-only": ({ request, response }) =>
    request.method === "PUT" && error(response, 403, "AccessDenied"),
  "busy-once": ({ response }, times) => times === 0 && error(response, 503, "SlowDown"),
  "refuses-first-puts": ({ request, response }, times) =>
    request.method === "PUT" && times === 0 && error(response, 403, "AccessDenied"),
  "endless-list": ({ response, query }) =>
    query.has("list-type") && xml(response, 200, listing([["same.pdf", stored("x")]], true)),
  "cuts-objects": ({ request, response }) => {
    if (request.method !== "GET" || request.url?.includes("list-type")) return false;
    response.writeHead(200, { "content-length": "1000", etag: '"cut"' });
    response.write("%PDF-1.7", () => response.destroy());
    return true;
  },
};

const stored = (text: string | Uint8Array): Stored => {
  const body = Buffer.from(text);
  return { body, etag: createHash("md5").update(body).digest("hex") };
};

export interface StandInS3 {
  origin: string;
  close(): void;
}

/**
 * Objects can also be put and read without a signature, by tests, with the header `x-test: 1`. A bucket is there once it
 * has an object, and each bucket of `TRICKS`.
 */
export async function startS3(): Promise<StandInS3> {
  const buckets = new Map<string, Map<string, Stored>>();
  for (const name of Object.keys(TRICKS)) buckets.set(name, new Map());
  const times = new Map<string, number>();
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", "http://s3");
    const host = String(request.headers["x-forwarded-host"] ?? request.headers.host);
    const virtual = /^(.+)\.virtual\./.exec(host)?.[1];
    const path = url.pathname.slice(1);
    const [first = "", ...rest] = path.split("/");
    const bucket = virtual ?? first;
    const key = decodeURIComponent(virtual ? path : rest.join("/"));
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked = {
      request,
      response,
      bucket,
      key,
      query: url.searchParams,
      body: Buffer.concat(chunks),
    };
    if (request.headers["x-test"]) {
      if (!buckets.has(bucket)) buckets.set(bucket, new Map());
    } else {
      const before = times.get(`${request.method} ${bucket}`) ?? 0;
      times.set(`${request.method} ${bucket}`, before + 1);
      if (TRICKS[bucket]?.(asked, before)) return;
      const fault = signatureFault(asked, url, host);
      if (fault) return void error(response, 403, fault);
    }
    answer(buckets.get(bucket), asked);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // Runs as long as the tests do.
  server.unref();
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(objects: Map<string, Stored> | undefined, asked: Asked): void {
  const { request, response, key, query, body } = asked;
  if (!objects) return void error(response, 404, "NoSuchBucket");
  if (request.method === "PUT") {
    if (request.headers["content-length"] === undefined)
      return void error(response, 411, "MissingContentLength");
    objects.set(key, stored(body));
    response.writeHead(200, { etag: `"${stored(body).etag}"` });
    return void response.end();
  }
  if (request.method === "DELETE") {
    objects.delete(key);
    response.writeHead(204);
    return void response.end();
  }
  if (query.get("list-type") === "2") {
    const after = query.get("start-after") ?? "";
    const found = [...objects]
      .filter(([name]) => name.startsWith(query.get("prefix") ?? "") && name > after)
      .sort(([one], [other]) => (one < other ? -1 : 1));
    const most = Number(query.get("max-keys"));
    return void xml(response, 200, listing(found.slice(0, most), found.length > most));
  }
  const object = objects.get(key);
  if (!object) return void error(response, 404, "NoSuchKey");
  const match = request.headers["if-match"];
  if (match && match !== `"${object.etag}"`) return void error(response, 412, "PreconditionFailed");
  response.writeHead(200, {
    etag: `"${object.etag}"`,
    "content-length": object.body.byteLength,
    "content-type": "application/octet-stream",
  });
  response.end(object.body);
}

const listing = (objects: [string, Stored][], isTruncated: boolean) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
  `<EncodingType>url</EncodingType><IsTruncated>${isTruncated}</IsTruncated>${objects
    .map(
      ([key, { body, etag }]) =>
        `<Contents><Key>${encodeURIComponent(key).replaceAll("%20", "+")}</Key><Size>${body.byteLength}</Size><ETag>&quot;${etag}&quot;</ETag></Contents>`,
    )
    .join("")}</ListBucketResult>`;

/** The code of S3's error if the request is not signed as it must be, or `null`. */
function signatureFault({ request, query, body }: Asked, url: URL, host: string): string | null {
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? "",
    );
  if (!parts) return "AccessDenied";
  const [, keyId, day, region, signed, signature] = parts as unknown as string[];
  if (keyId !== ACCESS_KEY.id) return "InvalidAccessKeyId";
  if (region !== REGION) return "AuthorizationHeaderMalformed";
  const hash = request.headers["x-amz-content-sha256"];
  if (hash !== "UNSIGNED-PAYLOAD" && hash !== createHash("sha256").update(body).digest("hex"))
    return "XAmzContentSHA256Mismatch";
  const names = (signed as string).split(";");
  const headers = names.map(
    (name) => `${name}:${name === "host" ? host : request.headers[name]}\n`,
  );
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  const search = [...query].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort();
  const path = url.pathname.replace(/%[0-9a-f]{2}/gi, (code) => code.toUpperCase());
  const canonical = [request.method, path, search.join("&"), headers.join(""), signed, hash];
  const digest = createHash("sha256").update(canonical.join("\n")).digest("hex");
  const date = request.headers["x-amz-date"];
  const text = `AWS4-HMAC-SHA256\n${date}\n${day}/${region}/s3/aws4_request\n${digest}`;
  const hmac = (key: string | Buffer, message: string) =>
    createHmac("sha256", key).update(message).digest();
  const dayKey = hmac(
    hmac(hmac(`AWS4${ACCESS_KEY.secret}`, day as string), region as string),
    "s3",
  );
  const expected = hmac(hmac(dayKey, "aws4_request"), text).toString("hex");
  return expected === signature ? null : "SignatureDoesNotMatch";
}
