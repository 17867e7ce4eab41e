/**
 * Who may take the next free slot. Slots are shared evenly between the tenants that want any: nobody
 * takes more than their share while somebody else waits, and nobody is held back while nobody does.
 */
export interface Demand {
  tenantId: string;
  running: number;
  waiting: number;
}

/** @param slots of all workers together; with 0 (unknown) there is nothing to share out. */
export function mayTakeSlot(tenantId: string, demands: Demand[], slots: number): boolean {
  if (slots === 0) return true;
  const others = demands.filter((demand) => demand.tenantId !== tenantId);
  if (!others.some((demand) => demand.waiting > 0)) return true;
  const share = Math.max(1, Math.floor(slots / (others.length + 1)));
  const running = demands.find((demand) => demand.tenantId === tenantId)?.running ?? 0;
  return running < share;
}
