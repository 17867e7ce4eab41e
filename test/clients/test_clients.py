"""Clients of Mistral, LiteLLM and OpenAI against a running service: `FOVEA_ORIGIN`, `FOVEA_KEY`."""

import base64
import json
import os
import pathlib
import unittest

# Otherwise LiteLLM fetches a list of prices from the internet when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import openai
import pydantic
from mistralai.client import Mistral, errors
from mistralai.extra.utils.response_format import response_format_from_pydantic_model

ORIGIN, KEY = os.environ["FOVEA_ORIGIN"], os.environ["FOVEA_KEY"]
EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
FIXTURES = pathlib.Path(__file__).parents[1] / "e2e/fixtures"
MODEL = "mistral-ocr-latest"


def say(what: str, value: object) -> None:
    """A line of the transcript."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    print(f"  {what}: {text if len(text) < 300 else text[:300] + '…'}", flush=True)


def data_url(name: str, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode((EXAMPLES / name).read_bytes()).decode()}"


class MistralPython(unittest.TestCase):
    def setUp(self) -> None:
        self.client = Mistral(api_key=KEY, server_url=ORIGIN)

    def test_file_signed_url_and_ocr(self) -> None:
        content = (EXAMPLES / "invoice.pdf").read_bytes()
        file = self.client.files.upload(file={"file_name": "invoice.pdf", "content": content}, purpose="ocr")
        say("files.upload", file.model_dump())
        self.assertEqual((file.filename, file.size_bytes), ("invoice.pdf", len(content)))
        signed = self.client.files.get_signed_url(file_id=file.id, expiry=1)
        answer = self.client.ocr.process(
            model=MODEL,
            document={"type": "document_url", "document_url": signed.url},
            pages=[0],
            include_image_base64=True,
            table_format="html",
            extract_header=True,
            extract_footer=True,
            confidence_scores_granularity="block",
        )
        page = answer.pages[0]
        say(
            "ocr.process",
            {"model": answer.model, "usage": answer.usage_info.model_dump(), "index": page.index},
        )
        say("markdown", page.markdown)
        say("dimensions", page.dimensions.model_dump())
        say("images", [image.id for image in page.images])
        say("tables", [table.id for table in page.tables])
        say("block types", sorted({block.type for block in page.blocks}))
        self.assertEqual([page.index for page in answer.pages], [0])
        self.assertGreater(len(page.markdown), 200)
        for table in page.tables:
            self.assertIn(f"[{table.id}]({table.id})", page.markdown)
        self.assertGreater(len(page.tables), 0)
        self.assertNotIn("UNKNOWN", {block.type for block in page.blocks})
        for image in page.images:
            self.assertIn(f"![{image.id}]({image.id})", page.markdown)
            self.assertTrue(image.image_base64.startswith("data:image/"))
        self.assertEqual(answer.usage_info.pages_processed, 1)
        self.assertIn(file.id, [listed.id for listed in self.client.files.list(page_size=10).data])
        self.assertFalse(self.client.files.retrieve(file_id=file.id).deleted)
        self.assertEqual(self.client.files.download(file_id=file.id).read(), content)
        self.assertTrue(self.client.files.delete(file_id=file.id).deleted)

    def test_image_with_words(self) -> None:
        answer = self.client.ocr.process(
            model=MODEL,
            document={"type": "image_url", "image_url": data_url("photo.jpg", "image/jpeg")},
            confidence_scores_granularity="word",
        )
        scores = answer.pages[0].confidence_scores
        say("average confidence", scores.average_page_confidence_score)
        say("words", [word.model_dump() for word in scores.word_confidence_scores[:3]])
        self.assertGreater(len(scores.word_confidence_scores), 20)

    def test_annotations(self) -> None:
        # Mistral's own helper makes the schemas. The stand-in for a model knows the type of a picture, and has an empty
        # text for what it does not find.
        class Figure(pydantic.BaseModel):
            kind: str
            bytes: int

        class Report(pydantic.BaseModel):
            title: str | None

        pdf = base64.b64encode((FIXTURES / "figure.pdf").read_bytes()).decode()
        answer = self.client.ocr.process(
            model=MODEL,
            document={"type": "document_url", "document_url": f"data:application/pdf;base64,{pdf}"},
            bbox_annotation_format=response_format_from_pydantic_model(Figure),
            document_annotation_format=response_format_from_pydantic_model(Report),
        )
        [image] = answer.pages[0].images
        say("image_annotation", image.image_annotation)
        say("document_annotation", answer.document_annotation)
        self.assertIn(Figure.model_validate_json(image.image_annotation).kind, ["png", "jpeg"])
        self.assertEqual(Report.model_validate_json(answer.document_annotation).title, "")

    def test_errors(self) -> None:
        document = {"type": "image_url", "image_url": data_url("photo.jpg", "image/jpeg")}
        with self.assertRaises(errors.HTTPValidationError) as raised:
            self.client.ocr.process(model="mistral-large-latest", document=document)
        say("unknown model", raised.exception.data.detail[0].model_dump())
        self.assertIn("not available", raised.exception.data.detail[0].msg)
        with self.assertRaises(errors.SDKError) as raised:
            self.client.ocr.process(
                model=MODEL,
                document={"type": "image_url", "image_url": data_url("chinese.png", "image/png")},
                http_headers={"Prefer": "respond-async"},
            )
        say("not read in time", str(raised.exception))
        self.assertIn("job_", str(raised.exception))
        with self.assertRaises(errors.SDKError) as raised:
            Mistral(api_key="wrong", server_url=ORIGIN).ocr.process(model=MODEL, document=document)
        say("wrong key", str(raised.exception))


class LiteLlm(unittest.TestCase):
    def test_ocr(self) -> None:
        answer = litellm.ocr(
            model=f"mistral/{MODEL}",
            document={"type": "document_url", "document_url": data_url("invoice.pdf", "application/pdf")},
            api_base=f"{ORIGIN}/v1",
            api_key=KEY,
        )
        say("litellm.ocr", {"model": answer.model, "pages": len(answer.pages)})
        say("markdown", answer.pages[0].markdown)
        self.assertGreater(len(answer.pages[0].markdown), 100)

    def test_error(self) -> None:
        with self.assertRaises(Exception) as raised:
            litellm.ocr(
                model="mistral/mistral-large-latest",
                document={"type": "document_url", "document_url": data_url("invoice.pdf", "application/pdf")},
                api_base=f"{ORIGIN}/v1",
                api_key=KEY,
            )
        say("unknown model", f"{type(raised.exception).__name__}: {raised.exception}")
        self.assertIn("not available", str(raised.exception))


class OpenAiPython(unittest.TestCase):
    def setUp(self) -> None:
        self.client = openai.OpenAI(api_key=KEY, base_url=f"{ORIGIN}/v1")

    def test_responses(self) -> None:
        file = self.client.files.create(file=EXAMPLES / "invoice.pdf", purpose="user_data").id
        content = [{"type": "input_file", "file_id": file}, {"type": "input_text", "text": "markdown"}]
        request = {"model": "pp-ocr", "input": [{"role": "user", "content": content}]}
        whole = self.client.responses.create(**request)
        say("responses.create", whole.output_text)
        self.assertIn("Invoice", whole.output_text)
        self.assertEqual(whole.status, "completed")
        text, last = "", None
        for event in self.client.responses.create(**request, stream=True):
            if event.type == "response.output_text.delta":
                text += event.delta
            last = event
        self.assertEqual((last.type, text), ("response.completed", whole.output_text))

    def test_files(self) -> None:
        names = ["invoice.pdf", "photo.jpg", "blank.pdf"]
        ids = [self.client.files.create(file=EXAMPLES / name, purpose="user_data").id for name in names]
        listed = [file.id for file in self.client.files.list(limit=1)]
        say("files.list, one at a time", listed)
        self.assertLessEqual(set(ids), set(listed))
        content = self.client.files.content(ids[2]).read()
        self.assertEqual(content, (EXAMPLES / "blank.pdf").read_bytes())
        self.assertTrue(self.client.files.delete(ids[2]).deleted)

    def test_errors(self) -> None:
        with self.assertRaises(openai.NotFoundError) as raised:
            self.client.files.retrieve("file_none")
        say("no such file", str(raised.exception))
        self.assertEqual(raised.exception.code, "not-found")
        with self.assertRaises(openai.NotFoundError) as raised:
            self.client.models.retrieve("none")
        self.assertEqual(raised.exception.code, "not-found")


if __name__ == "__main__":
    unittest.main(verbosity=2)
