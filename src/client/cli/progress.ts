/** Progress on stderr: a bar on a terminal, and a line for each problem. */
import type { Batch, JobEvent, PageEvent } from "../index.ts";

const WIDTH = 24;

class Bar {
  readonly #label: string;
  readonly #quiet: boolean;
  readonly #began = Date.now();
  readonly #terminal = process.stderr.isTTY === true;
  #drawn = false;

  constructor(label: string, quiet: boolean) {
    this.#label = label;
    this.#quiet = quiet;
  }

  draw(done: number, total: number | null, what: string): void {
    if (this.#quiet || !this.#terminal) return;
    const filled = total ? Math.round((done / total) * WIDTH) : 0;
    const bar = "#".repeat(filled).padEnd(WIDTH, "-");
    const seconds = ((Date.now() - this.#began) / 1000).toFixed(0);
    const count = total === null ? `${done}` : `${done}/${total}`;
    process.stderr.write(`\r\x1b[K${this.#label} [${bar}] ${count} ${what} ${seconds} s`);
    this.#drawn = true;
  }

  line(text: string, label = this.#label): void {
    if (this.#quiet) return;
    this.end();
    process.stderr.write(`${label}: ${text}\n`);
  }

  /** Erases the bar. */
  end(): void {
    if (this.#drawn) process.stderr.write("\r\x1b[K");
    this.#drawn = false;
  }
}

/** A job that is shown while it runs. */
export interface JobProgress {
  /** @param total pages of the job, if known */
  show(event: JobEvent, total: number | null): void;
  end(): void;
}

export class Progress implements JobProgress {
  readonly #bar: Bar;
  #done = 0;

  constructor(label: string, quiet: boolean) {
    this.#bar = new Bar(label, quiet);
  }

  show(event: JobEvent, total: number | null): void {
    if (isPage(event)) {
      this.#done++;
      if (event.verdict !== "ok" && event.verdict !== "blank") this.#bar.line(remark(event));
    }
    this.#bar.draw(this.#done, total, "pages");
  }

  end(): void {
    this.#bar.end();
  }
}

/** Documents that are read at the same time: one bar for all, and a line for each problem. */
export class Documents {
  readonly #bar: Bar;
  readonly #total: number;
  #done = 0;

  constructor(total: number, quiet: boolean) {
    this.#bar = new Bar("reading", quiet);
    this.#total = total;
    this.#draw();
  }

  of(label: string): JobProgress {
    return {
      show: (event) => {
        if (isPage(event) && event.verdict !== "ok" && event.verdict !== "blank")
          this.#bar.line(remark(event), label);
        this.#draw();
      },
      end: () => {},
    };
  }

  /** One more has ended. */
  ended(): void {
    this.#done++;
    this.#draw();
  }

  end(): void {
    this.#bar.end();
  }

  #draw(): void {
    this.#bar.draw(this.#done, this.#total, "documents");
  }
}

const isPage = (event: JobEvent): event is PageEvent => event.type === "page";

const remark = ({ page, verdict, error }: PageEvent) =>
  `page ${page}: ${error ? `${error.code}: ${error.message}` : verdict}`;

export class BatchProgress {
  readonly #bar: Bar;
  #failed = 0;

  constructor(label: string, quiet: boolean) {
    this.#bar = new Bar(label, quiet);
  }

  show({ lines, pages }: Batch): void {
    const { total, succeeded, partial, failed, canceled } = lines;
    const notRead = partial + failed;
    if (notRead > this.#failed) this.#bar.line(`lines that failed, wholly or in part: ${notRead}`);
    this.#failed = notRead;
    const done = succeeded + notRead + canceled;
    this.#bar.draw(done, total, `lines, ${pages.done} pages, ${notRead} failed,`);
  }

  end(): void {
    this.#bar.end();
  }
}
