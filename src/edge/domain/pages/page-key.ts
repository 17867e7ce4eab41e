/**
 * What makes two readings of a page the same reading. The **page key** names everything that the
 * edge knows before the page is read; with the digest of the model that read it, it is the key of
 * the result cache. Without the digest it is the key under which identical requests in flight meet:
 * only the worker can say which weights it runs.
 *
 * The tenant is part of the key: a hit across tenants would tell one who else holds a document.
 */
import { hex } from "../encoding.ts";
import type { Mode, Task } from "./models.ts";

export interface ReadOptions {
  model: string;
  mode: Mode;
  task: Task;
  prompt: string | null;
  dpi: number;
  /** Vision tokens for a selection of pages. Absent, like `witness`, in records older than it. */
  budget?: { tokens: number; pages: string } | null;
  /** Whether a second reader checks the words. */
  witness?: boolean;
}

/** @returns 64 hex digits of SHA-256. */
export async function pageKey(
  tenantId: string,
  documentSha256: string,
  options: ReadOptions,
  page: number,
): Promise<string> {
  const { model, mode, task, prompt, dpi, budget, witness } = options;
  // A budget decides the modes only together with the pages that it is for, so both are in the key.
  const more = budget || witness ? [budget?.tokens ?? null, budget?.pages ?? null, !!witness] : [];
  // JSON of a fixed-order array: no separator that a prompt could imitate.
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
  ]);
  return hash(text);
}

/** How a page was encoded. */
export interface SeenAs {
  model: string;
  mode: string;
  dpi: number;
  layout: string | null;
}

/**
 * Names a page's vision tokens, but for the digest of the model that made them. No task and no prompt:
 * any question is asked of the same tokens.
 * @param seen `mode`: the one in which the page was encoded, never `auto`; `layout`: of a text, the mode that was asked
 * for, since its pages are laid out for that
 */
export const tokenKey = (
  tenantId: string,
  documentSha256: string,
  { model, mode, dpi, layout }: SeenAs,
  page: number,
): Promise<string> =>
  hash(
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

async function hash(text: string): Promise<string> {
  return hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}
