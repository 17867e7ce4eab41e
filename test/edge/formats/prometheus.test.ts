import { expect, it } from "vitest";
import { prometheusText } from "../../../src/edge/formats/prometheus.ts";

it("writes the text format, and escapes label values", () => {
  const text = prometheusText([
    {
      name: "a_total",
      type: "counter",
      help: "All of it.",
      samples: [{ value: 3 }, { labels: { model: 'a"b\\c\nd', x: "" }, value: 0.5 }],
    },
    { name: "b", type: "gauge", help: "None.", samples: [] },
  ]);
  expect(text).toBe(
    [
      "# HELP a_total All of it.",
      "# TYPE a_total counter",
      "a_total 3",
      'a_total{model="a\\"b\\\\c\\nd",x=""} 0.5',
      "# HELP b None.",
      "# TYPE b gauge",
      "",
    ].join("\n"),
  );
});
