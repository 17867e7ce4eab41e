/** A stub of a worker whose images contain their text, so that it can "read" them. */
import { DIGEST, type pageResult } from "./samples.ts";
import { CogStub, call } from "./support.ts";

const MAGIC = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const VALID: Record<string, number> = { gundam: 770, large: 266, base: 170, small: 100, tiny: 64 };

interface Said {
  number: number;
  text: string;
}

/** Type that is smaller is not read well: every `e` is missed. */
const LEGIBLE_PX = 13;

/** Messages one below the other, each in its own box. */
const stacked = (messages: Said[]) =>
  messages.map(({ number, text }, i) => ({
    id: i + 1,
    type: "text" as const,
    bbox: [0.1, i / messages.length, 0.9, (i + 1) / messages.length] as [
      number,
      number,
      number,
      number,
    ],
    text,
    message: number,
    confidence: null,
  }));

/**
 * A worker that renders each text as one page and reads images. In the mode `tiny`, and in small type, it misses every
 * `e`.
 */
export class Eyes {
  readonly cog = new CogStub().install();
  readonly seen: { model: string; mode: string; media: string }[] = [];
  /** Models that fail every page. */
  readonly broken = new Set<string>();
  #stopped = false;

  /** Begins, or goes on after `stop`, also with what came meanwhile. */
  start(): this {
    this.#stopped = false;
    (async () => {
      for (;;) {
        const prediction = await this.cog.next(() => this.#stopped);
        if (!prediction) return;
        await this.#work(prediction);
      }
    })();
    return this;
  }

  stop() {
    this.#stopped = true;
  }

  async #work(prediction: Prediction) {
    const { model, mode } = prediction.input as { model: string; mode: string };
    const document = await call(prediction.input.document as string);
    const media = document.headers.get("content-type") ?? "";
    this.seen.push({ model, mode, media });
    const bytes = new Uint8Array(await document.arrayBuffer());
    const isImage = media === "image/png";
    const [was, text] = isImage
      ? (new TextDecoder().decode(bytes.subarray(8)).split("\0") as [string, string])
      : ["", new TextDecoder().decode(bytes)];
    await this.cog.document(prediction, 1);
    const conversation = media.includes("conversation") ? JSON.parse(text) : null;
    if (this.broken.has(model)) {
      const error = { code: "page_unreadable", message: "It is broken." };
      const failed = { finish_reason: "error", verdict: "failed", error, blocks: [], markdown: "" };
      await this.cog.page(prediction, 1, failed as Parameters<typeof pageResult>[1]);
    } else if (model === "fovea-render" && conversation) {
      const { page, messages } = conversation as { page: Sheet; messages: Said[] };
      await this.#image(prediction, `conversation ${page.size}\0${JSON.stringify(messages)}`);
      await this.cog.page(prediction, 1, {
        markdown: messages.map((message) => message.text).join("\n\n"),
        blocks: stacked(messages),
        width: page.width,
        height: page.height,
      });
    } else if (model === "fovea-render") {
      await this.#image(prediction, `${mode}\0${text}`);
      const valid = VALID[mode] as number;
      await this.cog.page(prediction, 1, {
        mode,
        markdown: isImage ? "" : text,
        blocks: [],
        width: 1280,
        height: 1920,
        vision_tokens: { positions: valid, patches: valid, valid },
        text_tokens: isImage ? null : 900,
      });
    } else if (was.startsWith("conversation")) {
      const isSmall = Number(was.split(" ")[1]) < LEGIBLE_PX;
      const blocks = stacked(JSON.parse(text)).map(({ message: _, ...block }) => ({
        ...block,
        text: isSmall ? block.text.replaceAll("e", "") : block.text,
      }));
      const markdown = blocks.map((block) => block.text).join("\n\n");
      await this.cog.page(prediction, 1, { markdown, blocks });
    } else {
      const read = was === "tiny" ? text.replaceAll("e", "") : text;
      await this.cog.page(prediction, 1, { markdown: read, blocks: [] });
    }
    await this.cog.close(prediction);
  }

  async #image(prediction: Prediction, content: string) {
    const url = new URL(prediction.input.push_url as string);
    url.pathname += "/pages/1/image";
    const png = Uint8Array.from([...MAGIC, ...new TextEncoder().encode(content)]);
    const headers = { "content-type": "image/png", "x-model-digest": DIGEST };
    await call(url.href, { method: "PUT", body: png, headers });
  }
}

type Prediction = Awaited<ReturnType<CogStub["demand"]>>;

interface Sheet {
  width: number;
  height: number;
  size: number;
}
