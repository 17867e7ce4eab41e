import { describe, expect, it } from "vitest";
import {
  accepted,
  admits,
  type Breaker,
  CLOSED,
  coolOff,
  failed,
  phase,
  recovered,
  THRESHOLD,
  tried,
  undecided,
} from "../../../../src/edge/domain/pools/breaker.ts";

const T = 1_000_000;

/** Opened at T. */
const opened = Array.from({ length: THRESHOLD }, (_, i) => `s${i}`).reduce(
  (breaker, by) => failed(breaker, by, T - 1, T),
  CLOSED,
);
const halfOpen = T + coolOff(0);

describe("closed", () => {
  it("admits, and opens with the third strike", () => {
    let breaker: Breaker = CLOSED;
    for (let i = 0; i < THRESHOLD; i++) {
      expect([phase(breaker, T), admits(breaker, T)]).toEqual(["closed", true]);
      breaker = failed(breaker, `s${i}`, T, T);
    }
    expect([phase(breaker, T), admits(breaker, T)]).toEqual(["open", false]);
  });
  it("counts a shard once: a document that kills workers does not close the pool for others", () => {
    let breaker: Breaker = CLOSED;
    for (let i = 0; i < 20; i++) breaker = failed(breaker, "poison", T, T);
    expect(phase(breaker, T)).toBe("closed");
  });
  it("is not changed by what only concerns the other phases", () => {
    for (const same of [
      tried(CLOSED, T),
      undecided(CLOSED),
      accepted(CLOSED),
      recovered(CLOSED, T),
    ])
      expect(same).toBe(CLOSED);
  });
});

describe("open", () => {
  it("admits nothing until it has cooled off", () => {
    expect(admits(opened, halfOpen - 1)).toBe(false);
    expect(phase(opened, halfOpen)).toBe("half-open");
  });
  it("is half-open at once when a look finds the pool healthy", () => {
    expect(admits(recovered(opened, T + 1), T + 1)).toBe(true);
  });
  it("learns nothing from shards that were out when it opened", () => {
    expect(failed(opened, "late", T - 1, T + 100)).toBe(opened);
  });
});

describe("half-open", () => {
  const probing = tried(opened, halfOpen);
  it("lets one shard try", () => {
    expect([admits(opened, halfOpen), admits(probing, halfOpen)]).toEqual([true, false]);
  });
  it("lets another one try when nothing is known by the first", () => {
    expect(admits(undecided(probing), halfOpen)).toBe(true);
  });
  it("opens for longer when it fails, up to a limit", () => {
    const again = failed(probing, "probe", halfOpen, halfOpen + 10);
    expect(phase(again, halfOpen + 10)).toBe("open");
    expect(again.openUntil - (halfOpen + 10)).toBe(coolOff(1));
    expect([0, 1, 2, 5, 6, 7, 40].map(coolOff)).toEqual([
      5000, 10_000, 20_000, 160_000, 300_000, 300_000, 300_000,
    ]);
  });
  it("closes on probation when the pool takes a shard: one strike opens it, for longer", () => {
    const probation = accepted(probing);
    expect([phase(probation, halfOpen), admits(probation, halfOpen)]).toEqual(["closed", true]);
    const again = failed(probation, "s9", halfOpen, halfOpen + 60_000);
    expect([phase(again, halfOpen + 60_000), again.trips]).toEqual(["open", 2]);
  });
});
