/** Notifies subscribed webhook endpoints of changes of API keys. */
import type { Env } from "../bindings.ts";
import { deliverNotice } from "../signals/wake-receiver.ts";

type Change = "key.created" | "key.changed" | "key.rotated" | "key.revoked";

/**
 * @param keyId the key that was created, changed, rotated or revoked
 * @param by the key that made the change; `null` for the bootstrap secret
 */
export async function noteKeyChange(
  env: Env,
  tenantId: string,
  change: Change,
  keyId: string,
  by: string | null,
): Promise<void> {
  await deliverNotice(env, tenantId, change, { key_id: keyId, by_key_id: by });
}
