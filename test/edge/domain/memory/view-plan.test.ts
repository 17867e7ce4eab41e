import { describe, expect, it } from "vitest";
import {
  type Candidate,
  LOW_WATER,
  planView,
  type SegmentState,
  type ViewPolicy,
} from "../../../../src/edge/domain/memory/view-plan.ts";
import { Noise } from "./noise.ts";

const candidate = (form: string, tokens: number, precision: number | null = null): Candidate => ({
  form,
  tokens,
  precision,
  ready: true,
  images: 4,
});
const segment = (age: number, more: Partial<SegmentState> = {}): SegmentState => ({
  id: `seg_${age}`,
  textTokens: 3600,
  indexTokens: 80,
  age,
  importance: 0,
  form: "text",
  candidates: [
    candidate("base-14", 740),
    candidate("tiny-12", 640),
    candidate("tiny-9", 430, 0.95),
  ],
  ...more,
});
const free: ViewPolicy = { budget: null, fade: null };
const within = (budget: number): ViewPolicy => ({ budget, fade: null });
const formsOf = (segments: SegmentState[], policy: ViewPolicy, live = 0) =>
  planView(segments, live, policy).forms;

describe("a view without a budget", () => {
  it("has the cheapest image that is precise enough, and text if no image is cheaper", () => {
    expect(formsOf([segment(1)], free)).toEqual(["tiny-12"]);
    const dear = segment(1, { candidates: [candidate("low-12", 9000)] });
    const misread = segment(2, { candidates: [candidate("low-12", 400, 0.9)] });
    expect(formsOf([dear, misread], free)).toEqual(["text", "text"]);
    const same = [candidate("high-12", 400), candidate("high-10", 400)];
    expect(formsOf([segment(1, { candidates: same })], free)).toEqual(["high-12"]);
  });

  it("counts the tokens of everything", () =>
    expect(planView([segment(1), segment(2)], 500, free)).toEqual({
      forms: ["tiny-12", "tiny-12"],
      tokens: 1780,
      overBudget: null,
    }));

  it("never goes back up", () => {
    for (const form of ["tiny-9", "index"])
      expect(formsOf([segment(1, { form })], free)).toEqual([form]);
    // A profile that has lost a form begins anew.
    expect(formsOf([segment(1, { form: "gundam-14" })], free)).toEqual(["tiny-12"]);
  });
});

describe("a fade", () => {
  const fade = {
    by: "time" as const,
    rungs: [
      { form: "text", after: 0 },
      { form: "base-14", after: 100 },
      { form: "tiny-9", after: 1000 },
      { form: "index", after: 5000 },
    ],
  };
  const at = (age: number, more?: Partial<SegmentState>) =>
    formsOf([segment(age, more)], { budget: null, fade })[0];

  it("gives each age its form, whatever its precision", () =>
    expect([0, 99, 100, 1000, 5000].map((age) => at(age))).toEqual([
      "text",
      "text",
      "base-14",
      "tiny-9",
      "index",
    ]));

  it("is slowed down by importance, and skips forms that do not save", () => {
    expect(at(1000, { importance: 1 })).toBe("base-14");
    expect(at(100, { candidates: [candidate("base-14", 4000)] })).toBe("text");
    expect(at(100, { candidates: [] })).toBe("text");
  });

  it("does not go back up, and what is due first may be later than 0", () => {
    expect(at(100, { form: "tiny-9" })).toBe("tiny-9");
    const late = { by: "rounds" as const, rungs: [{ form: "index", after: 10 }] };
    expect(formsOf([segment(9), segment(10)], { budget: null, fade: late })).toEqual([
      "tiny-12",
      "index",
    ]);
  });
});

describe("a budget", () => {
  const history = (count: number) => Array.from({ length: count }, (_, i) => segment(count - i));

  it("changes nothing while it is met", () =>
    expect(formsOf(history(3), within(1920))).toEqual(["tiny-12", "tiny-12", "tiny-12"]));

  it("makes the oldest fainter, then index lines, in one batch down to the low water", () => {
    const plan = planView(history(10), 0, within(6000));
    expect(plan.forms).toEqual([...Array(10)].map((_, i) => (i < 10 ? plan.forms[i] : "")));
    expect(plan.tokens).toBeLessThanOrEqual(LOW_WATER * 6000);
    expect(plan.forms[0]).toBe("tiny-9");
    const hard = planView(history(10), 0, within(3000));
    expect(hard.forms.slice(0, 6)).toEqual(Array(6).fill("index"));
    expect(hard.forms.at(-1)).toBe("tiny-9");
    expect(hard.tokens).toBeLessThanOrEqual(LOW_WATER * 3000);
    expect(hard.overBudget).toBeNull();
  });

  it("prefers the index line to an image that cannot be read", () => {
    const candidates = [candidate("tiny-12", 640), candidate("tiny-9", 430, 0.5)];
    const plan = planView([segment(2, { candidates }), segment(1)], 0, within(1000));
    expect(plan.forms).toEqual(["index", "tiny-9"]);
  });

  it("prefers a summary to an index line, where there is one and it is cheaper", () => {
    const list = [
      segment(3, { summaryTokens: 220 }),
      segment(2),
      segment(1, { summaryTokens: 220, candidates: [candidate("tiny-12", 200)] }),
    ];
    expect(planView(list, 0, within(1150)).forms).toEqual(["summary", "tiny-9", "tiny-12"]);
    const tight = planView(list, 0, within(400));
    expect(tight.forms).toEqual(["index", "index", "index"]);
    // Not back up.
    expect(formsOf([segment(3, { summaryTokens: 220, form: "index" })], free)).toEqual(["index"]);
    expect(formsOf([segment(3, { summaryTokens: 220, form: "summary" })], free)).toEqual([
      "summary",
    ]);
  });

  it("shows no summary without need", () =>
    expect(formsOf([segment(3, { summaryTokens: 1 })], within(5000))).toEqual(["tiny-12"]));

  it("spares the important", () => {
    const list = [segment(10, { importance: 1 }), segment(5), segment(4)];
    expect(planView(list, 0, within(1000)).forms).toEqual(["tiny-9", "index", "index"]);
  });

  it("says why it is not met", () => {
    const plan = planView([segment(1)], 950, within(1000));
    expect(plan.forms).toEqual(["index"]);
    expect(plan.tokens).toBe(1030);
    expect(plan.overBudget).toBe(
      "The view has 1030 tokens, the budget is 1000: recent and pinned messages take 950, and 1 segments take 80 even in their smallest form.",
    );
    expect(planView([], 5000, within(4000)).overBudget).toContain("no older messages");
  });

  it("leaves text that is smaller than its index line", () => {
    const small = segment(9, { textTokens: 50, candidates: [] });
    expect(planView([small], 1000, within(500)).forms).toEqual(["text"]);
  });
});

it("hides the oldest if it may and index lines are too many", () => {
  const list = [segment(3), segment(2), segment(1)];
  expect(planView(list, 0, { ...within(220), mayHide: true })).toEqual({
    forms: ["none", "index", "index"],
    tokens: 160,
    overBudget: null,
  });
  expect(planView(list, 0, within(220)).overBudget).not.toBeNull();
  // What has left does not come back.
  const hidden = [segment(3, { form: "none" }), segment(2)];
  expect(planView(hidden, 0, free).forms).toEqual(["none", "tiny-12"]);
});

it("a limit of images makes the oldest images index lines", () => {
  const list = [segment(4, { candidates: [] }), segment(3), segment(2), segment(1)];
  const plan = planView(list, 0, { ...free, maxImages: 10 });
  expect(plan.forms).toEqual(["text", "index", "index", "tiny-12"]);
});

describe("random views", () => {
  const random = (noise: Noise, count: number): SegmentState[] =>
    Array.from({ length: count }, (_, i) => {
      const textTokens = noise.whole(20, 4000);
      let tokens = noise.whole(10, 5000);
      const candidates = ["a", "b", "c"].slice(0, noise.whole(0, 3)).map((form) => {
        tokens = Math.ceil(tokens * (0.5 + noise.next() * 0.7));
        return candidate(form, tokens, noise.pick([null, 0.99, 0.9, 0.3]));
      });
      return segment(count - i, {
        id: `s${i}`,
        textTokens,
        candidates,
        importance: noise.next(),
        indexTokens: noise.whole(20, 90),
        form: noise.pick(["text", "a", "b", "c", "index"]),
      });
    });
  const rank = (segment: SegmentState, form: string) =>
    ["text", ...segment.candidates.map((one) => one.form), "index"].indexOf(form);
  const tokensOf = (one: SegmentState, form: string) => {
    if (form === "text") return one.textTokens;
    if (form === "index") return one.indexTokens;
    return one.candidates.find((it) => it.form === form)?.tokens as number;
  };

  it("meet the budget or say why, never go up, and add up", () => {
    for (let seed = 1; seed <= 500; seed++) {
      const noise = new Noise(seed);
      const list = random(noise, noise.whole(0, 30));
      const live = noise.whole(0, 3000);
      const budget = noise.chance(0.2) ? null : noise.whole(1, 20_000);
      const plan = planView(list, live, within(budget as number));
      const sum = list.reduce((all, one, i) => all + tokensOf(one, plan.forms[i] as string), live);
      expect(plan.tokens).toBe(sum);
      if (budget !== null && plan.overBudget === null)
        expect(plan.tokens).toBeLessThanOrEqual(budget);
      list.forEach((one, i) => {
        const was = Math.max(0, rank(one, one.form));
        expect(rank(one, plan.forms[i] as string)).toBeGreaterThanOrEqual(was);
      });
      if (plan.overBudget !== null) {
        const least = list.reduce(
          (all, one, i) => all + Math.min(one.indexTokens, tokensOf(one, plan.forms[i] as string)),
          live,
        );
        expect(plan.tokens).toBe(least);
      }
      const again = list.map((one, i) => ({ ...one, form: plan.forms[i] as string }));
      expect(planView(again, live, within(budget as number)).forms).toEqual(plan.forms);
    }
  });

  it("of a growing conversation change old forms in rare batches only", () => {
    const budget = 12_000;
    let list: SegmentState[] = [];
    let batches = 0;
    const rounds = 300;
    for (let round = 1; round <= rounds; round++) {
      list = [
        ...list.map((one) => ({ ...one, age: one.age + 1 })),
        segment(0, { id: `s${round}` }),
      ];
      const plan = planView(list, 2000, within(budget));
      expect(plan.overBudget === null || plan.tokens <= budget || round > 100).toBe(true);
      const changed = list.slice(0, -1).some((one, i) => one.form !== plan.forms[i]);
      if (changed) batches++;
      list = list.map((one, i) => ({ ...one, form: plan.forms[i] as string }));
    }
    expect(batches).toBeLessThan(rounds / 3);
  });

  it("need no quadratic work: 3,000 segments", () => {
    let looked = 0;
    const list = Array.from(
      { length: 3000 },
      (_, i) =>
        new Proxy(segment(3000 - i), {
          get: (target, key) => {
            looked++;
            return target[key as keyof SegmentState];
          },
        }),
    );
    planView(list, 0, within(100_000));
    expect(looked).toBeLessThan(list.length * 20);
  });
});
