"""Docling's own client and document model against a running service: `FOVEA_ORIGIN`, `FOVEA_KEY`."""

import asyncio
import io
import json
import os
import pathlib
import unittest
import urllib.request
import zipfile

from docling.datamodel.base_models import ConversionStatus, OutputFormat
from docling.datamodel.service.options import ConvertDocumentsOptions
from docling.datamodel.service.targets import InBodyTarget, ZipTarget
from docling.service_client import (
    AsyncDoclingServiceClient,
    ConversionError,
    ConversionItem,
    DoclingServiceClient,
    ServiceError,
    StatusWatcherKind,
    TaskNotFoundError,
)
from docling_core.transforms.chunker.hybrid_chunker import HybridChunker
from docling_core.transforms.chunker.tokenizer.base import BaseTokenizer
from docling_core.types.doc import ContentLayer, DoclingDocument, ImageRefMode
from docling_core.types.io import DocumentStream

ORIGIN, KEY = os.environ["FOVEA_ORIGIN"], os.environ["FOVEA_KEY"]
EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
FIXTURES = pathlib.Path(__file__).parents[1] / "e2e/fixtures"
DOCUMENTS = [
    EXAMPLES / name for name in ("invoice.pdf", "paper.pdf", "report-12.pdf", "photo.jpg", "chinese.png")
]
DOCUMENTS.append(FIXTURES / "figure.pdf")
PAGE = b"""<!doctype html><title>Gauges</title><h1>Gauges</h1><h2>Rules</h2>
<ul><li>Read at noon.</li><li>Write at once.</li></ul><ol><li>Ink</li><li>Paper</li></ol>
<table><tr><th rowspan=2>Place</th><th colspan=2>Level</th></tr><tr><th>low</th><th>high</th></tr>
<tr><td>Weir</td><td>12</td><td></td></tr><tr><td colspan=2>Lock</td><td>40</td></tr></table>
<pre><code>level = 12</code></pre><p>End &lt;of the page&gt;.</p>"""


def say(what: str, value: object) -> None:
    """A line of the transcript."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    print(f"  {what}: {text if len(text) < 300 else text[:300] + '…'}", flush=True)


def client(**options: object) -> DoclingServiceClient:
    return DoclingServiceClient(url=ORIGIN, api_key=KEY, **options)


class Words(BaseTokenizer):
    """Counts words, so that no tokenizer is downloaded."""

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def get_max_tokens(self) -> int:
        return 60

    def get_tokenizer(self) -> object:
        return self.count_tokens


class Client(unittest.TestCase):
    def test_convert(self) -> None:
        # Asks for presigned URLs first, then for the body; asks for a WebSocket first, then polls.
        with client() as docling:
            result = docling.convert(EXAMPLES / "invoice.pdf")
            self.assertEqual(result.status, ConversionStatus.SUCCESS)
            document = result.document
            say(
                "convert",
                {"status": result.status, "texts": len(document.texts), "tables": len(document.tables)},
            )
            [table] = document.tables
            cells = table.data.grid
            say("first row", [cell.text for cell in cells[0]])
            self.assertTrue(all(cell.column_header for cell in cells[0]))
            self.assertEqual(cells[1][1].text, "Microfilm scanner, refurbished")
            self.assertEqual(document.origin.filename, "invoice.pdf")
            say("origin", document.origin.model_dump())
            say("markdown", document.export_to_markdown())
            say("health", docling.health().model_dump())
            say("version", docling.version())

    def test_convert_all_with_a_page_range(self) -> None:
        with client(status_watcher=StatusWatcherKind.POLLING) as docling:
            found = list(
                docling.convert_all([EXAMPLES / "report-12.pdf", EXAMPLES / "paper.pdf"], page_range=(1, 2))
            )
            say("convert_all", [(one.input.file, one.status, sorted(one.document.pages)) for one in found])
            self.assertEqual([sorted(one.document.pages) for one in found], [[1, 2], [1]])

    def test_submit(self) -> None:
        stream = DocumentStream(name="Räume.png", stream=io.BytesIO((EXAMPLES / "chinese.png").read_bytes()))
        with client() as docling:
            job = docling.submit(stream, target=InBodyTarget(), output_formats=[OutputFormat.JSON])
            updates = [update.task_status for update in job.watch()]
            say("task", {"task_id": job.task_id, "updates": updates})
            self.assertEqual(updates[-1], ConversionStatus.SUCCESS)
            self.assertEqual(job.result().document.name, "Räume")
            formats = [OutputFormat.MARKDOWN, OutputFormat.JSON, OutputFormat.DOCTAGS]
            options = ConvertDocumentsOptions(image_export_mode=ImageRefMode.REFERENCED)
            archive = docling.submit(
                FIXTURES / "figure.pdf", target=ZipTarget(), output_formats=formats, options=options
            ).result()
        names = zipfile.ZipFile(io.BytesIO(archive.content)).namelist()
        say("zip", {"filename": archive.filename, "content_type": archive.content_type, "names": names})
        self.assertEqual(names[:3], ["figure.md", "figure.json", "figure.doctags"])
        self.assertTrue(names[3].startswith("artifacts/figure-1-"))

    def test_pictures(self) -> None:
        options = ConvertDocumentsOptions(image_export_mode=ImageRefMode.EMBEDDED)
        with client(options=options) as docling:
            [picture] = docling.convert(FIXTURES / "figure.pdf").document.pictures
        say("picture", {"size": picture.image.size.as_tuple(), "image": str(picture.image.pil_image)})
        self.assertEqual(picture.image.pil_image.size, picture.image.size.as_tuple())

    def test_async_client(self) -> None:
        async def run() -> dict[str, ConversionStatus]:
            items = [ConversionItem(source=EXAMPLES / name) for name in ("blank.pdf", "photo.jpg")]
            async with AsyncDoclingServiceClient(url=ORIGIN, api_key=KEY) as docling:
                each = docling.submit_and_retrieve_each(items)
                return {item.source.name: answer.status async for item, answer in each}

        statuses = asyncio.run(run())
        say("async", statuses)
        self.assertEqual(set(statuses.values()), {ConversionStatus.SUCCESS})

    def test_errors(self) -> None:
        with client() as docling:
            with self.assertRaises(ServiceError) as raised:
                docling.submit("http://127.0.0.1/a.pdf", target=InBodyTarget())
            say("an address that is not allowed", str(raised.exception))
            self.assertIn("status=422", str(raised.exception))
            broken = DocumentStream(name="a.pdf", stream=io.BytesIO(b"%PDF-1.7\nno document\n%%EOF"))
            with self.assertRaises(ConversionError) as raised:
                docling.convert(broken)
            say("a broken document", str(raised.exception))
            failed = docling.convert(broken, raises_on_error=False)
            self.assertEqual((failed.status, failed.document.texts), (ConversionStatus.FAILURE, []))
            with self.assertRaises(TaskNotFoundError):
                docling._poll_task_status("00000000-0000-0000-0000-000000000000", 0)
            options = ConvertDocumentsOptions(do_picture_description=True)
            with self.assertRaises(ServiceError) as raised:
                docling.submit(EXAMPLES / "photo.jpg", options=options, target=InBodyTarget())
            say("an option without an equal", str(raised.exception))
        with DoclingServiceClient(url=ORIGIN, api_key="wrong") as docling:
            with self.assertRaises(ServiceError) as raised:
                docling.convert(EXAMPLES / "photo.jpg")
            say("wrong key", str(raised.exception))
            self.assertIn("status=401", str(raised.exception))


class Documents(unittest.TestCase):
    def test_are_what_docling_core_writes(self) -> None:
        options = ConvertDocumentsOptions(to_formats=[OutputFormat.JSON, OutputFormat.DOCTAGS])
        with client(options=options) as docling:
            for path in [*DOCUMENTS, DocumentStream(name="page.html", stream=io.BytesIO(PAGE))]:
                task = docling.submit(path, target=InBodyTarget()).task_id
                docling._wait_for_terminal_status(task, 300)
                answer = docling._fetch_convert_result_payload(task, None)
                document = answer.document.json_content
                self.assertEqual(answer.document.doctags_content, document.export_to_doctags(), path.name)
                layers = {item.content_layer for item in document.texts}
                labels = sorted(
                    {item.label.value for item, _ in document.iterate_items(included_content_layers=layers)}
                )
                chunks = list(HybridChunker(tokenizer=Words()).chunk(document))
                say(path.name, {"labels": labels, "pages": len(document.pages), "chunks": len(chunks)})
                say("last chunk", {"headings": chunks[-1].meta.headings, "text": chunks[-1].text})
                self.assertGreater(len(chunks), 0)
                for item, _ in document.iterate_items():
                    for prov in getattr(item, "prov", []):
                        size = document.pages[prov.page_no].size
                        self.assertLessEqual(prov.bbox.r, size.width)
                        self.assertLessEqual(prov.bbox.b, size.height)
                if path.name == "page.html":
                    say("markdown", document.export_to_markdown())
                    self.assertLessEqual({"title", "section_header", "list_item", "table"}, set(labels))
                    self.assertEqual([len(group.children) for group in document.groups], [2, 2])
                    [table] = document.tables
                    grid = [[cell.text for cell in row] for row in table.data.grid]
                    self.assertEqual(grid[0], ["Place", "Level", "Level"])
                    self.assertEqual([row[0] for row in grid], ["Place", "Place", "Weir", "Lock"])
                if path.name == "report-12.pdf":
                    self.assertIn(ContentLayer.FURNITURE, layers)
                    self.assertNotIn("Page 1 of 12", document.export_to_markdown())

    def test_are_a_format_of_every_job(self) -> None:
        def request(path: str, body: bytes | None = None, **headers: str) -> bytes:
            headers["Authorization"] = f"Bearer {KEY}"
            asked = urllib.request.Request(ORIGIN + path, data=body, headers=headers)
            with urllib.request.urlopen(asked) as response:
                return response.read()

        pdf = {"Content-Type": "application/pdf", "Prefer": "wait=60"}
        job = json.loads(request("/v1/ocr", (EXAMPLES / "paper.pdf").read_bytes(), **pdf))
        document = DoclingDocument.model_validate_json(request(f"/v1/jobs/{job['id']}/result?format=docling"))
        say("format=docling", {"name": document.name, "texts": len(document.texts)})
        self.assertEqual(document.texts[0].label.value, "title")


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
