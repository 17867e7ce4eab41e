import { expect, it } from "vitest";
import type { PageEntry } from "../../../src/edge/domain/page-result.ts";
import { tableHtml } from "../../../src/edge/domain/views/html.ts";
import { VIEWS, type ViewName } from "../../../src/edge/domain/views/index.ts";
import { storedResult } from "../support.ts";

const pages: PageEntry[] = [
  { page: 1, result: storedResult(1), error: null },
  { page: 2, result: null, error: { code: "page_too_large", message: "200 megapixels --> no" } },
  {
    page: 3,
    error: null,
    result: storedResult(3, { blocks: [], markdown: "", verdict: "blank", finish_reason: "blank" }),
  },
];

const render = (name: ViewName, entries = pages) => {
  const view = VIEWS[name];
  const job = { jobId: "job_1", fileId: "file_1" };
  return (
    view.head(job) + entries.map((entry, i) => view.page(entry, i === 0)).join("") + view.tail()
  );
};

it("json holds every page, with its result or its error", () => {
  const document = JSON.parse(render("json"));
  expect(document).toMatchObject({ schema: 1, job_id: "job_1", file_id: "file_1" });
  expect(document.pages).toEqual([
    pages[0]?.result,
    { page: 2, error: pages[1]?.error },
    pages[2]?.result,
  ]);
});

it("markdown names every page, also a failed and a blank one, and no message ends the comment", () => {
  expect(render("md")).toBe(
    "<!-- page 1 -->\n\n# Page 1\n\na < b & c\n\n" +
      "<!-- page 2: page_too_large: 200 megapixels -- no -->\n\n<!-- page 3: blank -->\n",
  );
});

it("txt divides pages by form feeds", () => {
  expect(render("txt").split("\f")).toEqual(["Page 1\n\na < b & c\n", "\n", "\n"]);
});

it("html escapes what was read", () => {
  const evil = '<img src=x onerror="alert(1)">';
  const result = storedResult(1, {
    blocks: [
      { id: 1, type: "text", bbox: [0, 0, 1, 1], text: evil, confidence: null },
      {
        id: 2,
        type: "table",
        bbox: [0, 0, 1, 1],
        text: evil,
        html: `<table><tr><td>${evil}`,
        confidence: null,
      },
    ],
  });
  const page = render("html", [{ page: 1, result, error: null }]);
  expect(page).not.toContain("<img");
  expect(page.match(/&lt;img/g)).toHaveLength(2);
});

it("html of a table keeps its tags and spans, nothing else, and stays a tree", () => {
  expect(
    tableHtml('<table onclick="x"><tr><td colspan="2" style="y">A &amp; B</td></tr></table>'),
  ).toBe('<table><tr><td colspan="2">A &amp; B</td></tr></table>');
  expect(tableHtml("<table><tr><td>x</table></section><script>1</script>")).toBe(
    "<table><tr><td>x</td></tr></table>&lt;/section&gt;&lt;script&gt;1&lt;/script&gt;",
  );
});
