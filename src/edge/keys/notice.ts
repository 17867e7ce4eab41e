/** Writes changes of API keys to the audit log and notifies subscribed webhook endpoints. */
import type { Env } from "../bindings.ts";
import { deliverNotice } from "../signals/wake-receiver.ts";
import { audit } from "../storage/audit.ts";

type Change = "key.created" | "key.rotated" | "key.revoked";

/**
 * @param keyId the key that was created, rotated or revoked
 * @param by the key that made the change; `null` for the bootstrap secret
 */
export async function noteKeyChange(
  env: Env,
  tenantId: string,
  change: Change,
  keyId: string,
  by: string | null,
): Promise<void> {
  await audit(env.DB, tenantId, by, change, keyId);
  await deliverNotice(env, tenantId, change, { key_id: keyId, by_key_id: by });
}
