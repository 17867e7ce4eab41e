import type { View } from "./view.ts";

/** The canonical page results: `{schema, job_id, file_id, pages: […]}`. */
export const json: View = {
  mediaType: "application/json",
  head: ({ jobId, fileId }) =>
    `{"schema":1,"job_id":${JSON.stringify(jobId)},"file_id":${JSON.stringify(fileId)},"pages":[`,
  page: (entry, first) =>
    (first ? "" : ",") + JSON.stringify(entry.result ?? { page: entry.page, error: entry.error }),
  tail: () => "]}",
};
