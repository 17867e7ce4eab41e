import { describe, expect, it } from "vitest";
import {
  documentStatus,
  taskMeta,
  taskStatus,
} from "../../../../src/edge/domain/docling/status.ts";
import {
  MAX_SOURCES,
  readTaskId,
  type Task,
  taskId,
} from "../../../../src/edge/domain/docling/task.ts";

const job = (n: number) => `job_${String(n).padStart(24, "0")}`;
const TASK: Task = {
  jobs: [job(1), job(2)],
  formats: ["md", "doctags"],
  images: "embedded",
  target: "zip",
  pageBreak: "\f— ü",
};

describe("the id of a task", () => {
  it("is the task", () => {
    expect(readTaskId(taskId(TASK))).toEqual(TASK);
    expect(taskId(TASK)).toMatch(/^task_[\w-]+$/);
  });

  it("has room for the most documents and the longest page break", () => {
    const jobs = Array.from({ length: MAX_SOURCES }, (_, i) => job(i));
    const formats: Task["formats"] = ["md", "json", "html", "text", "doctags"];
    const most = { ...TASK, jobs, formats, pageBreak: "界".repeat(100) };
    expect(readTaskId(taskId(most))).toEqual(most);
  });

  const made = (content: unknown) => `task_${btoa(JSON.stringify(content)).replaceAll("=", "")}`;
  it.each([
    "",
    "task_",
    "task_!",
    job(1),
    "00000000-0000-0000-0000-000000000000",
    made(null),
    made([]),
    made([[], ["md"], "embedded", "zip", ""]),
    made([["../secret"], ["md"], "embedded", "zip", ""]),
    made([[job(1).slice(4)], ["yaml"], "embedded", "zip", ""]),
    made([Array(21).fill(job(1).slice(4)), ["md"], "embedded", "zip", ""]),
    `task_${"A".repeat(3000)}`,
  ])("is not %s", (text) => {
    expect(readTaskId(text)).toBeNull();
  });
});

describe("states", () => {
  const queued = { state: "queued", done: 0 } as const;
  const read = { state: "succeeded", done: 3 } as const;
  const part = { state: "partial", done: 2 } as const;
  const none = { state: "failed", done: 0 } as const;

  it("of documents follow their jobs", () => {
    const expired = { state: "expired", done: 1 } as const;
    const running = { state: "running", done: 1 } as const;
    expect([queued, running, read, part, none, expired].map(documentStatus)).toEqual([
      "pending",
      "started",
      "success",
      "partial_success",
      "failure",
      "partial_success",
    ]);
  });

  it("of tasks end with the last document; a failed document is a result, an empty archive is none", () => {
    expect(taskStatus([queued, queued], "inbody")).toBe("pending");
    expect(taskStatus([read, queued], "inbody")).toBe("started");
    expect(taskStatus([none], "inbody")).toBe("success");
    expect(taskStatus([none], "zip")).toBe("failure");
    expect(taskStatus([none, none], "inbody")).toBe("failure");
    expect(taskStatus([none, part], "inbody")).toBe("success");
    expect(taskMeta([read, part, none, queued])).toEqual({
      num_docs: 4,
      num_processed: 3,
      num_succeeded: 1,
      num_partially_succeeded: 1,
      num_failed: 1,
    });
  });
});
