/** `fovea.batches` inside workerd against the real edge; only the Cog server is a stub. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type Batch,
  ConnectionError,
  Fovea,
  isBatchOver,
  type ManifestLine,
  NotFoundError,
} from "../../src/client/index.ts";
import { pdf } from "../edge/samples.ts";
import { CogStub, edge, newKey, ORIGIN } from "../edge/support.ts";

vi.setConfig({ testTimeout: 60_000 });

let cog: CogStub;
let fovea: Fovea;
/** Sits between client and edge, so that a test can corrupt responses. */
let wire: (request: Request, n: number) => Promise<Response>;
let sent: Request[];
let stop = () => {};

beforeEach(async () => {
  cog = new CogStub().install();
  sent = [];
  wire = edge;
  fovea = new Fovea({
    apiKey: await newKey(),
    baseUrl: ORIGIN,
    fetch: (url, init) => {
      const request = new Request(url, init);
      sent.push(request);
      return wire(request, sent.length);
    },
  });
});
afterEach(() => {
  stop();
  vi.restoreAllMocks();
});

const upload = async () => (await fovea.files.upload(pdf())).id;

async function toTheEnd(id: string): Promise<Batch[]> {
  const seen = [];
  for await (const batch of fovea.batches.watch(id, { everyMs: 50 })) seen.push(batch);
  return seen;
}

async function records(id: string) {
  const { shards } = await fovea.batches.output(id);
  const blobs = await Promise.all(shards.map((shard) => fovea.batches.shard(id, shard)));
  const text = await new Blob(blobs).text();
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("a batch", () => {
  it("starts with an array of lines, is watched until it ends, and returns its records", async () => {
    stop = cog.work(2);
    const lines = [
      { file: await upload(), custom_id: "a" },
      { file: await upload(), custom_id: "b", pages: "2" },
    ];
    const { id } = await fovea.batches.start(lines, { metadata: { set: "x" } });
    const seen = await toTheEnd(id);
    expect(seen.at(-1)).toMatchObject({ state: "completed", lines: { succeeded: 2 } });
    expect(seen.slice(0, -1).some(({ state }) => isBatchOver(state))).toBe(false);
    expect(new Set(seen.map((batch) => JSON.stringify(batch))).size).toBe(seen.length);
    expect((await records(id)).map(({ type, custom_id }) => [type, custom_id]).sort()).toEqual([
      ["line", "a"],
      ["line", "b"],
      ["page", "a"],
      ["page", "a"],
      ["page", "b"],
    ]);
    const training = await new Response(await fovea.batches.trainingData(id, 1)).text();
    expect(JSON.parse(training.split("\n")[0] as string)).toMatchObject({ custom_id: "a" });
    expect((await fovea.batches.list()).data.map((batch) => batch.id)).toEqual([id]);
    await fovea.batches.delete(id);
    await expect(fovea.batches.get(id)).rejects.toBeInstanceOf(NotFoundError);
  });

  it("accepts a manifest as an async iterable, a stream and a blob", async () => {
    const line: ManifestLine = { file: await upload() };
    async function* some() {
      for (let i = 0; i < 3; i++) yield line;
    }
    const jsonl = new Blob(Array(3).fill(`${JSON.stringify(line)}\n`));
    const made = [
      await fovea.batches.upload(some()),
      await fovea.batches.upload(jsonl.stream()),
      await fovea.batches.upload(jsonl),
      await fovea.batches.upload(new Set([line, { ...line }, { ...line }])),
    ];
    expect(new Set(made.map(({ sha256 }) => sha256)).size).toBe(1);
    expect(made[0]?.bytes).toBe(jsonl.size);
  });

  it("does not retry the upload of a stream", async () => {
    wire = async () => {
      throw new TypeError("connection reset");
    };
    const stream = new Blob(["{}\n"]).stream();
    await expect(fovea.batches.upload(stream)).rejects.toBeInstanceOf(ConnectionError);
    expect(sent).toHaveLength(1);
  });

  it("can be paused, resumed and canceled", async () => {
    const { id } = await fovea.batches.start([{ file: await upload() }]);
    expect((await fovea.batches.pause(id)).state).toBe("paused");
    expect((await fovea.batches.resume(id)).state).toBe("running");
    await fovea.batches.cancel(id);
    expect((await toTheEnd(id)).at(-1)).toMatchObject({ state: "canceled" });
  });

  it("lists failed lines and retries them", async () => {
    const lines = Array.from({ length: 3 }, () => ({ url: "https://docs.io/late.pdf" }));
    const { id } = await fovea.batches.start(lines as ManifestLine[]);
    await toTheEnd(id);
    const failures = [];
    for await (const { line, outcome } of fovea.batches.failures(id))
      failures.push([line, outcome]);
    expect(failures).toEqual([1, 2, 3].map((line) => [line, "failed"]));
    cog.elsewhere.set("https://docs.io/late.pdf", () => new Response(pdf()));
    stop = cog.work(1);
    expect(await fovea.batches.retry(id)).toMatchObject({ run: 2 });
    expect((await toTheEnd(id)).at(-1)).toMatchObject({ lines: { succeeded: 3, failed: 0 } });
  });
});

describe("a shard", () => {
  /** The first `n` downloads of a shard lose their last byte. */
  const spoil = (n: number) => async (request: Request) => {
    const response = await edge(request);
    if (!/\/output\/\d+$/.test(request.url) || n-- <= 0) return response;
    const bytes = await response.arrayBuffer();
    return new Response(bytes.slice(0, -1), { headers: response.headers });
  };

  it("that arrives corrupted is downloaded again and never returned", async () => {
    stop = cog.work(1);
    const { id } = await fovea.batches.start([{ file: await upload() }]);
    await toTheEnd(id);
    wire = spoil(1);
    expect(await records(id)).toHaveLength(2);
    wire = spoil(100);
    await expect(records(id)).rejects.toThrow(/SHA-256/);
  });
});
