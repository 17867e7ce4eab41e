/** examples/webhooks: every language accepts signatures of the Standard Webhooks library and nothing else. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Webhook } from "standardwebhooks";

const root = join(import.meta.dirname, "../..");
const LANGUAGES = {
  ts: [process.execPath],
  py: [join(root, ".venv/bin/python")],
  go: ["go", "run"],
  rb: ["ruby"],
  php: ["php"],
} satisfies Record<string, [string, ...string[]]>;

const secret = `whsec_${btoa("a secret of twenty-four b")}`;
const other = `whsec_${btoa("another secret altogether")}`;
const body = JSON.stringify({
  type: "job.succeeded",
  data: { job_id: "job_1", text: "Zürich 東京" },
});

interface Sent {
  by?: string;
  at?: Date;
  id?: string;
  text?: string;
  signature?: (right: string) => string;
}

/** @returns exit status and output of the example for a webhook signed by `by` at `at`, and sent with these changes. */
function receive(command: string[], file: string, sent: Sent) {
  const {
    by = secret,
    at = new Date(),
    id = "msg_1",
    text = body,
    signature = (right) => right,
  } = sent;
  const [name, ...args] = command as [string, ...string[]];
  return spawnSync(name, [...args, join(root, "examples/webhooks", file)], {
    input: text,
    encoding: "utf8",
    env: {
      ...process.env,
      WEBHOOK_SECRET: secret,
      HTTP_WEBHOOK_ID: id,
      HTTP_WEBHOOK_TIMESTAMP: String(Math.floor(at.getTime() / 1000)),
      HTTP_WEBHOOK_SIGNATURE: signature(new Webhook(by).sign("msg_1", at, body)),
    },
  });
}

describe("webhook examples", () => {
  for (const [suffix, command] of Object.entries(LANGUAGES)) {
    const missing = spawnSync(command[0] as string, [
      suffix === "go" ? "version" : "--version",
    ]).error;
    const skip = missing ? `there is no ${command[0]} on this machine` : false;
    test(`verify.${suffix}`, { skip }, () => {
      const file = `verify.${suffix}`;
      const taken = (sent: Sent) => {
        const { status, stdout, stderr } = receive(command, file, sent);
        assert.equal(status, 0, stderr);
        assert.equal(stdout, "job_1\n");
      };
      taken({});
      const stranger = new Webhook(other).sign("msg_1", new Date(), body);
      taken({ signature: (right) => `${stranger} ${right}` });
      const refused: Record<string, Sent> = {
        forged: { by: other },
        changed: { text: `${body} ` },
        old: { at: new Date(Date.now() - 310_000) },
        "from the future": { at: new Date(Date.now() + 310_000) },
        "of another id": { id: "msg_2" },
        "of another version": { signature: (right) => right.replace("v1,", "v2,") },
        unsigned: { signature: () => "" },
      };
      for (const [what, sent] of Object.entries(refused)) {
        const { status, stdout } = receive(command, file, sent);
        assert.notEqual(status, 0, what);
        assert.equal(stdout, "", what);
      }
    });
  }
});
