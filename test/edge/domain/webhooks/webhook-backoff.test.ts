import { expect, it } from "vitest";
import {
  MAX_ATTEMPTS,
  webhookBackoff,
} from "../../../../src/edge/domain/webhooks/webhook-backoff.ts";

it("webhooks back off by a factor of four, up to twelve hours, until the ninth attempt", () => {
  expect([1, 2, 3, 8].map((n) => webhookBackoff(n, 5))).toEqual([5, 20, 80, 43_200]);
  expect(webhookBackoff(MAX_ATTEMPTS - 1, 5)).not.toBeNull();
  expect([MAX_ATTEMPTS, 20].map((n) => webhookBackoff(n, 5))).toEqual([null, null]);
});
