/** The driver of a batch. */
import type { BatchDriverRpc } from "../bindings.ts";
import { Driver } from "../signals/driver.ts";
import { advanceBatch } from "./advance.ts";

/** Wake-ups come in bursts, when shards end together. */
const DEBOUNCE_MS = 50;

export class BatchDriver extends Driver implements BatchDriverRpc {
  protected readonly kind = "batch";
  protected readonly afterErrorMs = 5000;

  protected delayMs(): number {
    return DEBOUNCE_MS;
  }

  protected turn(batchId: string): Promise<number | "over" | null> {
    return advanceBatch(this.env, batchId);
  }
}
