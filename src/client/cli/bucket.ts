/** `fovea bucket`: connections to S3-compatible buckets. Needs a key with the scope `buckets`. */
import type { Bucket, NewBucket } from "../index.ts";
import { type Command, type Input, noArgs, onlyArg } from "./command.ts";
import { EXIT, UsageError } from "./errors.ts";
import { print, printJson, printTable } from "./output.ts";

const HEADINGS = ["BUCKET", "NAME", "PREFIX", "ENDPOINT", "KEY ENDS IN", "CREATED"];
const row = (bucket: Bucket) => [
  bucket.id,
  bucket.bucket,
  bucket.prefix,
  bucket.endpoint,
  bucket.access_key_hint,
  bucket.created_at,
];

/** The access key comes from the environment, so that it is in no history of a shell. @throws UsageError */
function accessKey() {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY)
    throw new UsageError("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.");
  return { access_key_id: AWS_ACCESS_KEY_ID, secret_access_key: AWS_SECRET_ACCESS_KEY };
}

function show(input: Input, bucket: Bucket): number {
  if (input.has("json")) printJson(bucket);
  else print(bucket.id);
  return 0;
}

export const bucket: Command[] = [
  {
    name: "bucket connect",
    args: "NAME",
    summary: "Connect a bucket with the key in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    options: {
      endpoint: { value: "URL", help: "address of the S3 service" },
      region: { value: "NAME", help: "region of the bucket (us-east-1)" },
      prefix: { value: "TEXT", help: "what all keys begin with" },
      addressing: {
        value: "STYLE",
        help: "whether the bucket is in the path or in the host: path or virtual (path)",
        choices: ["path", "virtual"],
      },
    },
    async run(input) {
      const name = onlyArg(input, "bucket's name");
      const endpoint = input.value("endpoint");
      if (endpoint === undefined) throw new UsageError("--endpoint is needed.");
      const created = await input.fovea().buckets.create({
        endpoint,
        region: input.value("region"),
        bucket: name,
        prefix: input.value("prefix"),
        addressing: input.value("addressing") as NewBucket["addressing"],
        ...accessKey(),
      });
      return show(input, created);
    },
  },
  {
    name: "bucket list",
    summary: "List the connected buckets",
    async run(input) {
      noArgs(input);
      const all = [];
      for await (const one of input.fovea().buckets.all()) all.push(one);
      if (input.has("json")) printJson(all);
      else printTable(HEADINGS, all.map(row));
      return 0;
    },
  },
  {
    name: "bucket check",
    args: "BUCKET-ID",
    summary: "Try a connection: list, write, read, delete",
    async run(input) {
      const { ok, steps } = await input.fovea().buckets.check(onlyArg(input, "bucket id"));
      if (input.has("json")) printJson({ ok, steps });
      else
        for (const { step, outcome, error } of steps)
          print(`${step}: ${error?.message ?? outcome}`);
      return ok ? 0 : EXIT.unread;
    },
  },
  {
    name: "bucket rotate",
    args: "BUCKET-ID",
    summary: "Replace the access key by the one in the environment",
    async run(input) {
      const id = onlyArg(input, "bucket id");
      return show(input, await input.fovea().buckets.rotate(id, accessKey()));
    },
  },
  {
    name: "bucket delete",
    args: "BUCKET-ID",
    summary: "Delete a connection and its access key",
    async run(input) {
      await input.fovea().buckets.delete(onlyArg(input, "bucket id"));
      return 0;
    },
  },
];
