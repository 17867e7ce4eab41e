/**
 * The canonical result of one page, `schema: 1` (docs/WORKER-PROTOCOL.md): every output format is a view of it.
 * `npm run contract` hands these schemas to the worker.
 */
import { z } from "zod";

const unit = z.number().min(0).max(1);
const milliseconds = z.number().min(0);
const text = (max: number) => z.string().max(max);

/** Largest body of a page result, in bytes. */
export const MAX_PAGE_BYTES = 4 * 1024 ** 2;
/** Largest page image, in bytes. */
export const MAX_IMAGE_BYTES = 8 * 1024 ** 2;
/** Figures of a page: how many, and the largest size of one and of all together, in bytes. */
export const FIGURES = {
  max_count: 32,
  max_bytes: 2 * 1024 ** 2,
  max_page_bytes: 4 * 1024 ** 2,
} as const;
/** Links of a page: how many; characters of an address and of the words of a link. */
export const LINKS = { max_count: 500, max_url: 2048, max_text: 2000 } as const;
export const FIGURE_TYPES = ["image/png", "image/jpeg"] as const;
export type FigureType = (typeof FIGURE_TYPES)[number];

export const BLOCK_TYPES = [
  "title",
  "sub_title",
  "text",
  "list",
  "table",
  "table_caption",
  "image",
  "image_caption",
  "equation",
  "code",
  "footnote",
  "header",
  "footer",
  "page_number",
] as const;
/** Blocks at the edges of a page that are not part of its text. */
export const FURNITURE: ReadonlySet<(typeof BLOCK_TYPES)[number]> = new Set([
  "footnote",
  "header",
  "footer",
  "page_number",
]);
export const TEXT_SOURCES = ["text_layer", "recognition", "mixed", "file"] as const;
const FINISH_REASONS = ["stop", "length", "loop", "blank", "error"] as const;
export const VERDICTS = ["ok", "blank", "suspect", "unreadable", "failed"] as const;

export const PageError = z.object({ code: text(64), message: text(1000) }).meta({
  id: "PageError",
  example: { code: "page_too_large", message: "The page has 200 megapixels; the limit is 50." },
});

/** A union, since `.nullable()` on a named schema is lost in the spec. */
export const NullablePageError = z.union([PageError, z.null()]);

const box = z.tuple([unit, unit, unit, unit]);

export const Word = z
  .object({ text: text(100_000), bbox: box, confidence: unit.nullable() })
  .meta({ id: "Word" });

export const Line = z
  .object({
    ...Word.shape,
    words: z.array(Word).max(20_000).optional().meta({
      description: "Only with `granularity: word`, if the places of the words are known",
    }),
  })
  .meta({ id: "Line" });

export const TableCell = z
  .object({
    row: z.int().min(0),
    column: z.int().min(0),
    rowspan: z.int().min(1),
    colspan: z.int().min(1),
    text: text(1_000_000),
    bbox: box.nullable().meta({
      description:
        "The box of its text, not of the cell between its ruling lines; `null` if it is empty or its place is not known",
    }),
  })
  .meta({ id: "TableCell" });

/** The picture of an `image` block. */
const Figure = z
  .object({
    media_type: z.enum(FIGURE_TYPES),
    width: z.int().min(1),
    height: z.int().min(1),
    bytes: z.int().min(1),
  })
  .meta({ id: "Figure" });

export const Block = z
  .object({
    id: z.int().min(1),
    type: z.enum(BLOCK_TYPES),
    bbox: box.meta({ description: "x0, y0, x1, y1 in 0..1" }),
    text: text(1_000_000),
    html: text(2_000_000).optional(),
    latex: text(100_000).optional(),
    confidence: unit.nullable(),
    lines: z.array(Line).max(20_000).optional().meta({
      description: "Only with `granularity: line` or `word`",
    }),
    cells: z.array(TableCell).max(100_000).optional().meta({
      description: "Of a table; rows and columns count from 0",
    }),
    figure: Figure.extend({
      url: z.string().optional().meta({
        description: "With `figures: link` the address, with `figures: inline` a `data:` URL",
      }),
    })
      .optional()
      .meta({ description: "Of an image: its picture, at `/v1/jobs/{id}/pages/{n}/figures/{id}`" }),
  })
  .meta({ id: "Block" });

export const Link = z
  .object({
    url: text(LINKS.max_url)
      .regex(/^(?:https?:\/\/|mailto:|tel:)[!#-;=?-~]+$/)
      .meta({
        description: "An address of the kinds `https`, `http`, `mailto` and `tel`, in ASCII",
      }),
    text: text(LINKS.max_text).meta({
      description: "The words of the link; empty if it has none, such as one over a picture",
    }),
    bbox: box,
    block: z.int().min(1).nullable().meta({
      description: "The id of the block in which it stands; `null` if it stands in none",
    }),
    start: z.int().min(0).optional().meta({
      description:
        "Where `text` begins in the block's `text`, in code points. Left out if it was not found there",
    }),
  })
  .meta({
    id: "Hyperlink",
    example: {
      url: "https://example.com/terms",
      text: "terms of payment",
      bbox: [0.1, 0.2, 0.3, 0.22],
      block: 4,
      start: 17,
    },
  });

const span = z.tuple([z.int().min(0), z.int().min(0)]);

/** A link as workers push it. Code points. */
const PushedLink = Link.extend({
  place: span.optional().meta({ description: "Where its words stand in the page's Markdown" }),
  table_place: span.optional().meta({
    description: "Where its words stand in the `markdown` of its block, a table",
  }),
}).meta({ id: "PushedHyperlink" });

/** A block as workers push it: with what the edge needs to answer it in several forms. */
const PushedBlock = Block.extend({
  figure: Figure.optional(),
  markdown: text(2_000_000).optional().meta({
    description: "Of a table without spans: the table in GitHub's Markdown",
  }),
  place: z
    .tuple([z.int().min(0), z.int().min(0)])
    .optional()
    .meta({
      description: "Of a table or an image: where it stands in the page's Markdown, in code points",
    }),
  message: z.int().min(1).optional().meta({
    description: "Of a conversation: number of the message",
  }),
}).meta({ id: "PushedBlock" });

export const PageResult = z
  .object({
    schema: z.literal(1),
    page: z.int().min(1),
    width: z.int().min(0),
    height: z.int().min(0),
    dpi: z.number().positive().nullable(),
    model: text(64),
    model_digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
    mode: text(32),
    task: text(32),
    prompt: text(4000).nullable(),
    vision_tokens: z
      .object({ positions: z.int().min(0), patches: z.int().min(0), valid: z.int().min(0) })
      .extend({
        tiles: z
          .tuple([z.int().min(1), z.int().min(1)])
          .optional()
          .meta({ description: "columns, rows" }),
        max_tiles: z.int().min(1).optional(),
      })
      .nullable(),
    text_tokens: z.int().min(0).nullable(),
    compression: z.number().min(0).nullable(),
    expected_precision: z.tuple([unit, unit]).nullable(),
    blocks: z.array(PushedBlock).max(20_000),
    hyperlinks: z.array(PushedLink).max(LINKS.max_count).optional().meta({
      description: "Links of the document, in the order of the text. Left out if it is not known",
    }),
    markdown: text(4_000_000),
    finish_reason: z.enum(FINISH_REASONS),
    verdict: z.enum(VERDICTS),
    warnings: z.array(text(500)).max(200),
    attempts: z
      .array(
        z.object({
          mode: text(32),
          tokens: z.int().min(0).nullable(),
          finish_reason: z.enum(FINISH_REASONS),
          encoded: z.literal("stored").optional().meta({
            description:
              "`stored`: the page was not encoded, because its vision tokens were kept from an earlier reading",
          }),
        }),
      )
      .max(50),
    timings_ms: z.object({
      raster: milliseconds,
      encode: milliseconds,
      prefill: milliseconds,
      decode: milliseconds,
    }),
    error: NullablePageError,
    text_source: z.enum(TEXT_SOURCES).optional().meta({
      description:
        "Where the characters come from: the text layer of the PDF, recognition, or both; `file`: an Office document, web page, book or CSV file has its text itself. Only from readers that use text layers",
    }),
    witness: z
      .object({
        model: text(64),
        model_digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
        agreement: unit.nullable(),
      })
      .optional()
      .meta({
        description:
          "Check by a second reader: the share of words that both read; `null` if there are too few words",
      }),
  })
  .meta({ id: "PageResult" });

/** A result as a worker pushes it. JSON Schema cannot express the rule; the worker has it as `failure_fault`. */
export const PushedPage = PageResult.refine(
  ({ verdict, error }) => (verdict === "failed") === (error !== null),
  "A failed page has an error, and only a failed page.",
);

/**
 * A result as it is answered: in the form that the request chooses, with the receipt that is made when it lands. A page
 * that failed is answered as a `FailedPage`.
 */
export const StoredPageResult = PageResult.extend({
  blocks: z.array(Block),
  hyperlinks: z.array(Link).max(LINKS.max_count).optional().meta({
    description:
      "Links of the document, in the order of the text. Left out with `hyperlinks: none`, and by readings from before links were read",
  }),
  error: z.null(),
  receipt: z.object({ payload: text(20_000), signature: text(100), key_id: text(32) }).meta({
    description:
      "Signed statement of which model read which page, and the result; keys at `/.well-known/fovea-receipt-keys`",
  }),
}).meta({ id: "StoredPageResult" });

/** A page without a result, as it is answered. */
export const FailedPage = z
  .object({ page: z.int().min(1), error: PageError })
  .meta({ id: "FailedPage" });

export type PageResult = z.infer<typeof PageResult>;
export type StoredPageResult = z.infer<typeof StoredPageResult>;
/** A result as it is stored. */
export type StoredReading = PageResult & Pick<StoredPageResult, "receipt">;
export type PageError = z.infer<typeof PageError>;

/** What a job holds for one page: its result, or why there is none. */
export type PageEntry =
  | { page: number; result: StoredPageResult; error: null }
  | { page: number; result: null; error: PageError };

export const DocumentReport = z
  .union([
    z.object({
      schema: z.literal(1),
      model: text(64),
      model_digest: PageResult.shape.model_digest,
      page_count: z.int().min(1),
      media_type: text(100),
      /** BCP-47 tags of the languages that the reader has; empty or left out if it does not say. */
      languages: z.array(text(20)).max(200).optional(),
    }),
    z.object({
      schema: z.literal(1),
      model: text(64),
      model_digest: PageResult.shape.model_digest.nullable().optional(),
      error: PageError,
    }),
  ])
  .meta({ id: "DocumentReport" });

/** Document faults that another attempt may cure; all others are the document's own. */
export const TRANSIENT_DOCUMENT_ERRORS = new Set(["document_unreachable", "process_killed"]);
