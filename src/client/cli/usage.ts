import { type Command, noArgs } from "./command.ts";
import { UsageError } from "./errors.ts";
import { printJson, printTable } from "./output.ts";

/** `fovea usage` */
export const usage: Command = {
  name: "usage",
  summary: "Show pages and tokens by day (UTC), key and model",
  options: {
    from: { value: "DATE", help: "first day, such as 2030-01-01 (30 days ago)" },
    to: { value: "DATE", help: "last day (today)" },
  },
  async run(input) {
    noArgs(input);
    const [from, to] = ["from", "to"].map((name) => {
      const date = input.value(name);
      if (date !== undefined && !/^\d{4}-\d\d-\d\d$/.test(date))
        throw new UsageError(`--${name} is a date such as 2030-01-31.`);
      return date;
    });
    const rows = await input.fovea().usage({ from, to });
    if (input.has("json")) printJson(rows);
    else
      printTable(
        [
          "DAY",
          "KEY",
          "MODEL",
          "READ",
          "SHARED",
          "CACHED",
          "VISION TOKENS",
          "TEXT TOKENS",
          "EXTRACTIONS",
          "TOKENS IN",
          "OUT",
        ],
        rows.map((row) => [
          row.day,
          row.key_id,
          row.model,
          row.pages_read,
          row.pages_shared,
          row.pages_cached,
          row.vision_tokens,
          row.text_tokens,
          row.extractions,
          row.extraction_input_tokens,
          row.extraction_output_tokens,
        ]),
      );
    return 0;
  },
};
