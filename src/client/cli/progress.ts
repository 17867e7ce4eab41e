/** How far a job is: a bar on stderr where that is a terminal, else a line for each page that is worth one. */
import type { JobEvent, PageEvent } from "../index.ts";

const WIDTH = 24;

export class Progress {
  readonly #label: string;
  readonly #quiet: boolean;
  readonly #began = Date.now();
  readonly #terminal = process.stderr.isTTY === true;
  #done = 0;
  #drawn = false;

  constructor(label: string, quiet: boolean) {
    this.#label = label;
    this.#quiet = quiet;
  }

  /** @param total pages of the job, as far as that is known */
  show(event: JobEvent, total: number | null): void {
    if (this.#quiet) return;
    if (isPage(event)) {
      this.#done++;
      if (event.verdict !== "ok" && event.verdict !== "blank") this.#line(remark(event));
    }
    if (this.#terminal) this.#draw(total);
  }

  /** Leaves the terminal's line free for what comes next. */
  end(): void {
    if (this.#drawn) process.stderr.write("\r\x1b[K");
    this.#drawn = false;
  }

  #line(text: string): void {
    this.end();
    process.stderr.write(`${this.#label}: ${text}\n`);
  }

  #draw(total: number | null): void {
    const filled = total ? Math.round((this.#done / total) * WIDTH) : 0;
    const bar = "#".repeat(filled).padEnd(WIDTH, "-");
    const seconds = ((Date.now() - this.#began) / 1000).toFixed(0);
    const pages = total === null ? `${this.#done} pages` : `${this.#done}/${total} pages`;
    process.stderr.write(`\r\x1b[K${this.#label} [${bar}] ${pages} ${seconds} s`);
    this.#drawn = true;
  }
}

const isPage = (event: JobEvent): event is PageEvent => event.type === "page";

const remark = ({ page, verdict, error }: PageEvent) =>
  `page ${page}: ${error ? `${error.code}: ${error.message}` : verdict}`;
