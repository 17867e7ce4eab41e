/** What customers do. Each scenario is one short story with one document; all of them may run at the same time. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "../random.ts";
import type { AcceptedJob, Client, Document } from "./client.ts";
import type { Receiver } from "./receiver.ts";

export interface World {
  clients: Client[];
  receiver: Receiver;
  /** Makes a document that nobody has sent. */
  newDocument(owner: string, dice: Dice): Document;
  /** Fields of POST /v1/ocr that every request has. */
  options: Record<string, unknown>;
}

type Scenario = (world: World, client: Client, dice: Dice) => Promise<void>;

const webhookOf = ({ receiver }: World, client: Client) =>
  `${receiver.origin}/webhooks/${client.tenant}`;

/** Upload, read, perhaps with a webhook or a wait, and look at the end. */
async function read(world: World, client: Client, dice: Dice): Promise<void> {
  const document = world.newDocument(client.tenant, dice);
  const file = await client.upload(document);
  if (!file) return;
  const webhook = dice.chance(0.5) && { webhook_url: webhookOf(world, client) };
  const waitS = dice.chance(0.3) ? 5 : 0;
  const { job } = await client.start(document, { ...world.options, file, ...webhook }, { waitS });
  if (job) await client.ended(job.id);
}

async function byUrl(world: World, client: Client, dice: Dice): Promise<void> {
  const document = world.newDocument(client.tenant, dice);
  const path = `/documents/${client.tenant}/${document.id}`;
  world.receiver.documents.set(path, document);
  const url = world.receiver.origin + path;
  const { job } = await client.start(document, { ...world.options, url });
  if (job) await client.ended(job.id);
}

/** Two identical requests at once; the first may be canceled. The second must be answered and paid as usual. */
async function twins(world: World, client: Client, dice: Dice): Promise<void> {
  const document = world.newDocument(client.tenant, dice);
  const file = await client.upload(document);
  if (!file) return;
  const cancels = dice.chance(0.7);
  const pauseMs = dice.int(0, 30);
  const [first, second] = await Promise.all([
    client.start(document, { ...world.options, file }),
    client.start(document, { ...world.options, file }),
  ]);
  if (cancels && first.job) {
    await sleep(pauseMs);
    await client.cancel(first.job.id);
  }
  const end = second.job && (await client.ended(second.job.id));
  if (end?.state === "canceled")
    client.violate("a job is canceled with its twin", (second.job as AcceptedJob | null)?.id ?? "");
}

/** The same Idempotency-Key several times, at once and afterwards: one job. */
async function repeat(world: World, client: Client, dice: Dice): Promise<void> {
  const document = world.newDocument(client.tenant, dice);
  const file = await client.upload(document);
  if (!file) return;
  const key = client.newKey();
  const fields = { ...world.options, file, webhook_url: webhookOf(world, client) };
  const started = await Promise.all([
    client.start(document, fields, { key }),
    client.start(document, fields, { key }),
  ]);
  started.push(await client.start(document, fields, { key }));
  const ids = new Set(started.flatMap(({ job }) => job?.id ?? []));
  if (ids.size > 1)
    client.violate("an Idempotency-Key makes two jobs", `${key}: ${[...ids].join(" ")}`);
}

async function cancel(world: World, client: Client, dice: Dice): Promise<void> {
  const document = world.newDocument(client.tenant, dice);
  const file = await client.upload(document);
  if (!file) return;
  const webhook_url = webhookOf(world, client);
  const { job } = await client.start(document, { ...world.options, file, webhook_url });
  if (!job) return;
  await sleep(dice.int(0, 60));
  await client.cancel(job.id);
  if (dice.chance(0.5)) await client.deleteJob(job.id);
}

/** DELETE of the file while jobs on it are requested. */
async function deleteWhileReading(world: World, client: Client, dice: Dice): Promise<void> {
  const document = world.newDocument(client.tenant, dice);
  const file = await client.upload(document);
  if (!file) return;
  const fields = { ...world.options, file };
  const [before, between, pauseMs] = [dice.chance(0.5), dice.int(0, 10), dice.int(0, 10)];
  if (before) await client.start(document, fields);
  await Promise.all([
    sleep(between).then(() => client.start(document, { ...fields, dpi: 100 })),
    client.start(document, { ...fields, dpi: 110 }),
    sleep(pauseMs).then(() => client.deleteFile(file, document)),
  ]);
}

/** The same bytes are deleted and sent again at once. What was acknowledged last must be there. */
async function sendAgain(world: World, client: Client, dice: Dice): Promise<void> {
  const document = world.newDocument(client.tenant, dice);
  const file = await client.upload(document);
  if (!file) return;
  if (dice.chance(0.5)) await client.start(document, { ...world.options, file });
  const [, again] = await Promise.all([
    client.deleteFile(file, document),
    client.upload(document),
    client.upload(document),
  ]);
  const id = again === file ? await client.upload(document) : again;
  if (!id) return;
  const { job } = await client.start(document, { ...world.options, file: id });
  const end = job && (await client.ended(job.id));
  if (end && !document.broken && document.badPage === null && end.state !== "succeeded")
    client.violate(
      "a document that was sent again is not read",
      `${end.id} ${end.state} ${JSON.stringify(end.error)}`,
    );
}

async function refresh(world: World, client: Client, dice: Dice): Promise<void> {
  const document = world.newDocument(client.tenant, dice);
  const file = await client.upload(document);
  if (!file) return;
  const { job } = await client.start(document, { ...world.options, file }, { waitS: 5 });
  await client.start(document, { ...world.options, file, cache: "refresh" });
  await client.start(document, { ...world.options, file });
  if (job && dice.chance(0.5) && (await client.ended(job.id))) await client.deleteJob(job.id);
}

/** The two tenants send the same bytes, with the same Idempotency-Key: two files, two jobs. */
async function sameBytes(world: World, client: Client, dice: Dice): Promise<void> {
  const document = world.newDocument("both", dice);
  const key = client.newKey();
  const both = await Promise.all(
    world.clients.map(async (one) => {
      const file = await one.upload(document);
      return file && (await one.start(document, { ...world.options, file }, { key })).job;
    }),
  );
  const files = new Set(both.flatMap((job) => (job ? [job.file_id] : [])));
  const jobs = new Set(both.flatMap((job) => (job ? [job.id] : [])));
  const accepted = both.filter((job) => job).length;
  if (files.size < accepted || jobs.size < accepted)
    client.violate("two tenants share a file or a job", `${[...files, ...jobs].join(" ")}`);
}

export const SCENARIOS = {
  read,
  byUrl,
  twins,
  repeat,
  cancel,
  deleteWhileReading,
  sendAgain,
  refresh,
  sameBytes,
} satisfies Record<string, Scenario>;

/** Those that are themselves the fault: requests that race with each other. */
export const RACES = {
  "cancel one of twins": twins,
  "repeat a request": repeat,
  "cancel while read": cancel,
  "DELETE file vs POST ocr": deleteWhileReading,
  "DELETE and send again": sendAgain,
} satisfies Record<string, Scenario>;

/**
 * A key that may have two open jobs asks for six at once, while its pages are held back.
 * @param pagesOf a document whose pages are held back
 */
export async function quotaRace(
  world: World,
  client: Client,
  document: Document,
  limit: number,
): Promise<void> {
  const file = await client.upload(document);
  if (!file) return;
  const answers = await Promise.all(
    Array.from({ length: limit * 3 }, (_, i) =>
      fetch(`${client.origin}/v1/ocr`, {
        method: "POST",
        headers: { authorization: `Bearer ${client.key}`, "content-type": "application/json" },
        body: JSON.stringify({ ...world.options, file, dpi: 100 + i }),
      }).then(async (response) => ({ status: response.status, body: await response.json() })),
    ),
  );
  const accepted = answers.filter(({ status }) => status === 202);
  for (const { body } of accepted) {
    const job = body as { id: string; file_id: string };
    client.jobs.set(job.id, { id: job.id, fileId: job.file_id, document, webhook: false });
  }
  if (accepted.length > limit)
    client.violate("a quota is exceeded", `${accepted.length} open jobs, ${limit} allowed`);
}

/** `count` users of all clients act until `goOn` says no. Each user's stories depend on the seed only. */
export async function users(
  world: World,
  count: number,
  diceOf: (name: string) => Dice,
  goOn: () => boolean,
  names: (keyof typeof SCENARIOS)[] = Object.keys(SCENARIOS) as (keyof typeof SCENARIOS)[],
): Promise<number> {
  let stories = 0;
  await Promise.all(
    Array.from({ length: count }, async (_, user) => {
      const dice = diceOf(`user ${user}`);
      while (goOn()) {
        stories++;
        const client = world.clients[(user + stories) % world.clients.length] as Client;
        await SCENARIOS[dice.pick(names)](world, client, dice);
      }
    }),
  );
  return stories;
}
