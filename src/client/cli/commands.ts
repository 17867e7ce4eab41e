/** All commands. A new command needs a file in this folder and a line in this list. */
import { batch } from "./batch.ts";
import { bucket } from "./bucket.ts";
import type { Command } from "./command.ts";
import { completion } from "./completion.ts";
import { compress, context } from "./context.ts";
import { jobs } from "./jobs.ts";
import { keys } from "./keys.ts";
import { read } from "./read.ts";
import { serve } from "./serve.ts";
import { usage } from "./usage.ts";

export const COMMANDS: Command[] = [
  read,
  ...jobs,
  ...batch,
  ...bucket,
  ...context,
  compress,
  ...keys,
  usage,
  serve,
  completion(() => COMMANDS),
];
