/** Sealing and planning together, as a conversation grows. */
import { describe, expect, it } from "vitest";
import {
  expectedCost,
  findProfile,
  type Profile,
  precisionCeiling,
} from "../../../../src/edge/domain/memory/profiles.ts";
import { planSegments, type Sealable } from "../../../../src/edge/domain/memory/segments.ts";
import { planView, type SegmentState } from "../../../../src/edge/domain/memory/view-plan.ts";

const INDEX_TOKENS = 70;
const profile = (id: string) => findProfile(id) as Profile;

class Session {
  segments: (SegmentState & { last: number })[] = [];
  open: Sealable[] = [];
  count = 0;
  readonly profile: Profile;
  readonly budget: number | null;

  readonly mayHide: boolean;

  constructor(profile: Profile, budget: number | null, mayHide = false) {
    this.profile = profile;
    this.budget = budget;
    this.mayHide = mayHide;
  }

  add(tokens: number, pinned = false): void {
    const number = ++this.count;
    this.open.push({ number, tokens, pinned, calls: [], results: [], at: 0, role: "user" });
  }

  /** @returns the plan, and how many old segments changed their form */
  view() {
    this.seal(false);
    let plan = this.plan();
    if (plan.overBudget !== null) {
      this.seal(true);
      plan = this.plan();
    }
    let changed = 0;
    this.segments.forEach((segment, i) => {
      if (segment.form !== "text" && segment.form !== plan.forms[i]) changed++;
      segment.form = plan.forms[i] as string;
    });
    return { ...plan, changed };
  }

  private plan() {
    const live = this.open.reduce((sum, { tokens }) => sum + tokens, 0);
    const states = this.segments.map((one) => ({ ...one, age: this.count - one.last }));
    return planView(states, live, { budget: this.budget, fade: null, mayHide: this.mayHide });
  }

  private seal(everything: boolean): void {
    for (const run of planSegments(this.open, { recent: 8, everything })) {
      const gone = new Set(run);
      const textTokens = this.open.reduce(
        (sum, { number, tokens }) => sum + (gone.has(number) ? tokens : 0),
        0,
      );
      this.open = this.open.filter(({ number }) => !gone.has(number));
      const candidates = this.profile.forms.map((form) => {
        const { imageTokens, tokens } = expectedCost(this.profile, form, textTokens);
        const precision = precisionCeiling(form, textTokens, imageTokens);
        return { form: form.id, tokens: tokens + INDEX_TOKENS, precision, ready: true };
      });
      this.segments.push({
        id: `seg_${run[0]}`,
        last: run.at(-1) as number,
        textTokens,
        indexTokens: INDEX_TOKENS,
        age: 0,
        importance: 0,
        form: "text",
        candidates,
      });
    }
  }
}

describe.each(["deepseek-ocr", "openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-opus-5"])(
  "a memory for %s",
  (id) => {
    it("never costs more than its text, however short the messages are", () => {
      for (const tokens of [1, 3, 40, 900, 5000]) {
        const session = new Session(profile(id), null);
        for (let i = 0; i < 96; i++) {
          session.add(tokens);
          if (session.view().tokens > (i + 1) * tokens) throw new Error(`after ${i + 1}`);
        }
      }
    });

    it("meets a budget with 800 messages, or says why not", () => {
      for (const mayHide of [false, true])
        for (const tokens of [3, 120]) {
          const session = new Session(profile(id), 4000, mayHide);
          let over = 0;
          for (let i = 0; i < 800; i++) {
            session.add(tokens);
            if (i % 5 > 0) continue;
            const plan = session.view();
            if (plan.tokens > 4000) over++;
            if ((plan.overBudget === null) !== plan.tokens <= 4000) throw new Error("silent");
          }
          // Only dozens of index lines can be too many, and they may be hidden.
          if (mayHide || tokens < 100) expect(over).toBe(0);
        }
    });

    it("says so if pinned messages alone are over the budget", () => {
      const session = new Session(profile(id), 4000);
      for (let i = 0; i < 50; i++) session.add(100, true);
      expect(session.view().overBudget).toMatch(/recent and pinned messages take 5000/);
    });

    it("changes old forms in few of 600 rounds, in batches", () => {
      const session = new Session(profile(id), 20_000);
      let batches = 0;
      for (let i = 0; i < 600; i++) {
        session.add(150);
        if (session.view().changed > 0) batches++;
      }
      expect(batches).toBeLessThan(15);
    });
  },
);

it("10,000 messages in 300 segments are planned again in bounded work", () => {
  const session = new Session(profile("deepseek-ocr"), 60_000);
  for (let i = 0; i < 10_000; i++) session.add(110);
  const plan = session.view();
  expect(session.segments.length).toBeGreaterThan(290);
  expect(plan.overBudget).toBeNull();
  expect(session.view().changed).toBe(0);
});
