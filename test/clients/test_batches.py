"""Mistral's Batch API with the clients of Mistral and LiteLLM against a running service."""

import json
import os
import time
import unittest

# Otherwise LiteLLM fetches a list of prices from the internet when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from mistralai.client import Mistral, errors, models
from test_clients import EXAMPLES, KEY, MODEL, ORIGIN, data_url, say

PDF = "application/pdf"


def jsonl(lines: list[dict]) -> bytes:
    return "\n".join(json.dumps(line) for line in lines).encode()


def records(text: bytes) -> list[dict]:
    return [json.loads(line) for line in text.decode().splitlines()]


class MistralBatches(unittest.TestCase):
    def setUp(self) -> None:
        self.client = Mistral(api_key=KEY, server_url=ORIGIN)

    def over(self, job: models.BatchJob) -> models.BatchJob:
        while job.status in ("QUEUED", "RUNNING"):
            time.sleep(0.5)
            job = self.client.batch.jobs.get(job_id=job.id)
        return job

    def test_file_of_requests(self) -> None:
        report = self.client.files.upload(
            file={"file_name": "report.pdf", "content": (EXAMPLES / "report-12.pdf").read_bytes()},
            purpose="ocr",
            expiry=24,
        )
        self.assertEqual(report.expires_at - report.created_at, 24 * 3600)
        signed = self.client.files.get_signed_url(file_id=report.id).url
        lines = [
            {
                "custom_id": "invoice",
                "body": {
                    "document": {"type": "document_url", "document_url": data_url("invoice.pdf", PDF)},
                    "table_format": "html",
                },
            },
            {
                "custom_id": "photo",
                "body": {
                    "model": MODEL,
                    "document": {"type": "image_url", "image_url": data_url("photo.jpg", "image/jpeg")},
                    "confidence_scores_granularity": "word",
                },
            },
            {"custom_id": "report", "body": {"document": {"document_url": signed}, "pages": [0, 11]}},
            {"custom_id": "far", "body": {"document": {"file_id": report.id}, "pages": [400]}},
            {"custom_id": "address", "body": {"document": {"document_url": "http://10.0.0.1/a.pdf"}}},
        ]
        file = self.client.files.upload(
            file={"file_name": "requests.jsonl", "content": jsonl(lines)}, purpose="batch"
        )
        say("files.upload", file.model_dump())
        job = self.client.batch.jobs.create(
            input_files=[file.id],
            model=MODEL,
            endpoint="/v1/ocr",
            metadata={"set": "examples"},
            timeout_hours=2,
        )
        say("batch.jobs.create", job.model_dump())
        self.client.files.delete(file_id=file.id)
        job = self.over(job)
        say("batch.jobs.get", job.model_dump())
        self.assertEqual(
            (job.status, job.succeeded_requests, job.failed_requests, job.metadata),
            ("SUCCESS", 3, 2, {"set": "examples"}),
        )
        answers = {line["custom_id"]: line for line in records(self.download(job.output_file))}
        pages = {
            name: models.OCRResponse.model_validate(line["response"]["body"]).pages
            for name, line in answers.items()
        }
        say("answers", {name: [page.markdown[:30] for page in found] for name, found in pages.items()})
        self.assertEqual({line["response"]["status_code"] for line in answers.values()}, {200})
        self.assertEqual([page.index for page in pages["report"]], [0, 11])
        self.assertGreater(len(pages["invoice"][0].tables), 0)
        self.assertGreater(len(pages["photo"][0].confidence_scores.word_confidence_scores), 20)
        failed = records(self.download(job.error_file))
        say("errors", {line["custom_id"]: line["error"]["message"] for line in failed})
        self.assertEqual([line["custom_id"] for line in failed], ["far", "address"])
        listed = self.client.batch.jobs.list(status=["SUCCESS"], order_by="-created")
        self.assertEqual(
            (listed.data[0].id, self.client.batch.jobs.list(status=["FAILED"]).total), (job.id, 0)
        )
        self.assertTrue(self.client.batch.jobs.delete(job_id=job.id).deleted)
        with self.assertRaises(errors.SDKError):
            self.download(job.output_file)

    def test_requests_in_the_body(self) -> None:
        document = {"type": "document_url", "document_url": data_url("invoice.pdf", PDF)}
        requests = [{"custom_id": "0", "body": {"document": document}}, {"body": {"document": {}}}]
        job = self.over(self.client.batch.jobs.create(requests=requests, model=MODEL, endpoint="/v1/ocr"))
        say("outputs", [(output["custom_id"], output["error"]) for output in job.outputs])
        self.assertIn("Invoice", job.outputs[0]["response"]["body"]["pages"][0]["markdown"])
        self.assertEqual(self.client.batch.jobs.cancel(job_id=job.id).status, "SUCCESS")

    def test_errors(self) -> None:
        with self.assertRaises(errors.SDKError) as raised:
            self.client.batch.jobs.create(requests=[{"body": {}}], endpoint="/v1/chat/completions")
        say("other endpoint", str(raised.exception))
        self.assertIn("only /v1/ocr", str(raised.exception))

    def test_files(self) -> None:
        content = (EXAMPLES / "blank.pdf").read_bytes()
        # Without a purpose, as the client allows.
        file = self.client.files.upload(file={"file_name": "Blank Page.pdf", "content": content})
        found = self.client.files.list(
            search="blank p", mimetypes=[PDF], purpose="ocr", source=["upload"], page_size=5
        )
        say("files.list", {"total": found.total, "files": [listed.filename for listed in found.data]})
        self.assertEqual(([listed.id for listed in found.data], found.total), ([file.id], 1))
        self.assertEqual(self.client.files.list(sample_type=["batch_result"]).total, 0)
        self.assertEqual(self.client.models.retrieve(model_id=MODEL).id, self.client.models.list().data[0].id)

    def download(self, file_id: str) -> bytes:
        return self.client.files.download(file_id=file_id).read()


class LiteLlmBatches(unittest.TestCase):
    def test_batch(self) -> None:
        to = {"custom_llm_provider": "mistral", "api_base": f"{ORIGIN}/v1", "api_key": KEY}
        lines = [
            {
                "custom_id": f"doc-{i}",
                "method": "POST",
                "url": "/v1/ocr",
                "body": {"document": {"type": "document_url", "document_url": url}},
            }
            for i, url in enumerate([data_url("invoice.pdf", PDF), "data:application/pdf;base64,AAAA"])
        ]
        file = litellm.create_file(file=("b.jsonl", jsonl(lines)), purpose="batch", **to)
        model = f"mistral/{MODEL}"
        batch = litellm.create_batch(
            input_file_id=file.id, endpoint="/v1/ocr", completion_window="24h", model=model, **to
        )
        while batch.status in ("validating", "in_progress"):
            time.sleep(0.5)
            batch = litellm.retrieve_batch(batch_id=batch.id, model=model, **to)
        say("litellm.retrieve_batch", f"{batch.status}, {batch.request_counts}")
        self.assertEqual((batch.status, batch.request_counts.completed), ("completed", 1))
        [answer] = records(litellm.file_content(file_id=batch.output_file_id, **to).content)
        self.assertIn("Invoice", answer["response"]["body"]["pages"][0]["markdown"])
        [failed] = records(litellm.file_content(file_id=batch.error_file_id, **to).content)
        self.assertEqual(failed["response"]["status_code"], 415)


if __name__ == "__main__":
    unittest.main(verbosity=2)
