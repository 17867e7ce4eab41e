/**
 * The **page key** hashes everything that makes two readings of a page the same, as far as the edge knows it
 * before the page is read. Only the worker knows which weights it runs. So the page key alone identifies a
 * flight, and the page key with the model's digest identifies a cached result.
 *
 * The tenant is part of the key, because a hit across tenants would reveal that another tenant has the document.
 */
import { sha256 } from "../encoding.ts";
import type { Mode, Task, TextLayer } from "./models.ts";

export interface ReadOptions {
  model: string;
  mode: Mode;
  task: Task;
  prompt: string | null;
  dpi: number;
  /** Token budget for a selection of pages. Old records have neither `budget` nor `witness`. */
  budget?: { tokens: number; pages: string } | null;
  /** Whether the witness checks the words. */
  witness?: boolean;
  /** Absent: `auto`. Readers that know no text layers have only `auto`. */
  text_layer?: TextLayer;
  /** Whether the selected pages are read together. Absent: each page in a sequence of its own. */
  sequence?: "document";
  /** BCP-47 tags of the document's languages; only if they can change the reader's answer. */
  languages?: string[];
  /** Mark of the document's password (`passwordMark`): a reading is found only by those who give the same one. */
  password?: string;
}

/** A page that a job selects, with its page key. */
export interface WantedPage {
  page: number;
  pageKey: string;
}

/**
 * @param together the pages that are read in one sequence with `page`, in order and including it. A reading depends on
 *   all of them and on the page's place among them
 * @returns 64 hex digits of SHA-256
 */
export async function pageKey(
  tenantId: string,
  documentSha256: string,
  options: ReadOptions,
  page: number,
  together: readonly number[] = [page],
): Promise<string> {
  const { model, mode, task, prompt, dpi, budget, witness, languages } = options;
  const { text_layer = "auto", password } = options;
  // The modes depend on the budget and on the pages that share it, so both are in the key.
  const more = budget || witness ? [budget?.tokens ?? null, budget?.pages ?? null, !!witness] : [];
  const layer = text_layer === "auto" ? [] : ["text_layer", text_layer];
  // A JSON array, because a prompt could imitate any plain separator.
  const text = JSON.stringify([
    1,
    tenantId,
    documentSha256,
    model,
    mode,
    task,
    prompt,
    dpi,
    page,
    ...more,
    ...layer,
    ...(languages?.length ? [{ languages }] : []),
    ...(together.length > 1 ? [{ sequence: together }] : []),
    ...(password === undefined ? [] : [{ password }]),
  ]);
  return sha256(text);
}

/** How a page was encoded. */
export interface SeenAs {
  model: string;
  mode: string;
  dpi: number;
  layout: string | null;
}

/**
 * Key of a page's vision tokens, without the model's digest. Task and prompt are not in it, because all
 * tasks use the same tokens.
 * @param seen `mode`: the mode in which the page was encoded, never `auto`. `layout`: for texts, the requested mode,
 *   because the pages are laid out for it; otherwise `null`
 */
export const tokenKey = (
  tenantId: string,
  documentSha256: string,
  { model, mode, dpi, layout }: SeenAs,
  page: number,
): Promise<string> =>
  sha256(
    JSON.stringify([
      "tokens",
      1,
      tenantId,
      documentSha256,
      model,
      mode,
      dpi,
      page,
      ...(layout === null ? [] : [layout]),
    ]),
  );
