/** Results as resources: `fovea://jobs/{id}/result.md` and `fovea://jobs/{id}/pages/{n}`. */
import {
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  ResourceTemplate,
} from "@modelcontextprotocol/server";
import { isOver } from "../domain/jobs/job.ts";
import { demandScope } from "../http/auth.ts";
import { knownProblem } from "../http/problem.ts";
import { excerpt } from "../jobs/excerpt.ts";
import { pageRange } from "../jobs/page-range.ts";
import { PROBLEMS, Problem } from "../problem.ts";
import { fileNames } from "../storage/files.ts";
import { jobPages, listJobs } from "../storage/jobs.ts";
import { demandJob, UNTRUSTED } from "./pages.ts";
import { faultText, type Session } from "./tool.ts";

/** Characters of a resource: it is read whole. */
const MOST_CHARACTERS = 1_000_000;
const MOST_PAGES = 5000;
/** Jobs in `resources/list`, the newest. */
const MOST_LISTED = 50;

export const resultUri = (jobId: string) => `fovea://jobs/${jobId}/result.md`;

const MARKDOWN = "text/markdown";

export function addResources(server: McpServer, session: Session): void {
  const listed = () =>
    orFault(session, async () => {
      const { env, asker } = session;
      demandScope(asker.caller, "read");
      const { tenantId } = asker.caller;
      const jobs = await listJobs(env.DB, tenantId, { before: null, limit: MOST_LISTED });
      const read = jobs.filter(({ state, done }) => isOver(state) && done > 0);
      const ids = read.map(({ fileId }) => fileId);
      const names = await fileNames(env.DB, tenantId, ids);
      return {
        resources: read.map((job) => ({
          uri: resultUri(job.id),
          name: `${job.id}.md`,
          title: names.get(job.fileId) ?? job.fileId,
          description: `${job.done} ${job.done === 1 ? "page" : "pages"}, read by ${job.options.model} at ${new Date(job.createdAt).toISOString()}`,
          mimeType: MARKDOWN,
        })),
      };
    });

  server.registerResource(
    "result",
    new ResourceTemplate("fovea://jobs/{id}/result.md", { list: listed }),
    {
      title: "Text of a document",
      description: `The text of all pages of a job as Markdown. ${UNTRUSTED}`,
      mimeType: MARKDOWN,
    },
    (uri, { id }) => read(session, uri, String(id), ""),
  );
  server.registerResource(
    "page",
    new ResourceTemplate("fovea://jobs/{id}/pages/{n}", { list: undefined }),
    {
      title: "Text of a page",
      description: `The text of one page of a job as Markdown. ${UNTRUSTED}`,
      mimeType: MARKDOWN,
    },
    (uri, { id, n }) => {
      if (!/^[1-9]\d{0,6}$/.test(String(n))) throw new ResourceNotFoundError(uri.href);
      return read(session, uri, String(id), String(n));
    },
  );
}

const read = (session: Session, uri: URL, id: string, selection: string) =>
  orFault(
    session,
    async () => {
      demandScope(session.asker.caller, "read");
      const job = await demandJob(session, id);
      const range = pageRange(job, await jobPages(session.env.DB, job.id), selection);
      if (range.pending.length > 0 || range.ready.length === 0)
        throw new Problem("job-not-finished", "The pages are still being read. get_pages waits.");
      const limits = { offset: 0, room: MOST_CHARACTERS, most: MOST_PAGES };
      const { text, next } = await excerpt(session.env, job, range, "markdown", limits);
      const rest = next && `<!-- cut here; get_pages has the rest: ${JSON.stringify(next)} -->`;
      return {
        contents: [{ uri: uri.href, mimeType: MARKDOWN, text: rest ? `${text}\n${rest}\n` : text }],
      };
    },
    uri,
  );

/**
 * Runs a request that has no `isError` in its answer: a problem becomes an error of the protocol.
 * @param uri the resource that it is about
 */
async function orFault<T>(session: Session, run: () => Promise<T>, uri?: URL): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const { requestId } = session;
    const problem = knownProblem(error, requestId);
    const fault = faultText(problem, requestId);
    const [status] = PROBLEMS[problem.code];
    if (uri && (status === 404 || status === 410)) throw new ResourceNotFoundError(uri.href, fault);
    const { InternalError, InvalidParams } = ProtocolErrorCode;
    throw new ProtocolError(status >= 500 ? InternalError : InvalidParams, fault);
  }
}
