import { expect, it } from "vitest";
import { webhookBackoff } from "../../../../src/edge/domain/webhooks/webhook-backoff.ts";

it("webhooks back off by a factor of four, up to the maximum delay of a queue", () => {
  expect([1, 2, 3, 8, 20].map((n) => webhookBackoff(n, 5))).toEqual([5, 20, 80, 43_200, 43_200]);
});
