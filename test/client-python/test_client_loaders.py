"""The shape of the loaders, with stand-ins for the frameworks' base classes, which the tests do not install."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from fovea_client import FailedPage, FoveaError, Reading, StoredPageResult
from fovea_client.models import PageError

READ = StoredPageResult.model_construct(page=1, markdown="# One", verdict="ok", model="pp-ocr", error=None)
FAILED = FailedPage(page=2, error=PageError(code="page_too_large", message="200 megapixels."))


class StandInDocument(SimpleNamespace):
    pass


class Client:
    def __init__(self, *pages):
        self.pages = pages
        self.asked = []

    def read(self, source, **options):
        self.asked.append((source, options))
        return Reading(SimpleNamespace(id="job_1", file_id="file_1"), self.pages)


@pytest.fixture
def frameworks(monkeypatch):
    for name, members in {
        "langchain_core": {},
        "langchain_core.document_loaders": {"BaseLoader": type("BaseLoader", (), {})},
        "langchain_core.documents": {"Document": StandInDocument},
        "llama_index": {},
        "llama_index.core": {},
        "llama_index.core.readers": {},
        "llama_index.core.readers.base": {"BaseReader": type("BaseReader", (), {})},
        "llama_index.core.schema": {"Document": StandInDocument},
    }.items():
        module = ModuleType(name)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("fovea_client.langchain", "fovea_client.llama_index"):
        monkeypatch.delitem(sys.modules, name, raising=False)


METADATA = {
    "source": "a.pdf",
    "page": 1,
    "verdict": "ok",
    "model": "pp-ocr",
    "job_id": "job_1",
    "file_id": "file_1",
}


def test_langchain_gets_a_document_per_page(frameworks):
    from fovea_client.langchain import FoveaLoader

    client = Client(READ)
    [document] = FoveaLoader("a.pdf", client=client, pages="1").lazy_load()
    assert (document.page_content, document.metadata) == ("# One", METADATA)
    assert client.asked == [("a.pdf", {"pages": "1"})]
    with pytest.raises(FoveaError, match="Page 2 was not read: page_too_large"):
        list(FoveaLoader("a.pdf", client=Client(READ, FAILED)).lazy_load())
    assert len(list(FoveaLoader("a.pdf", client=Client(READ, FAILED), skip_failed=True).lazy_load())) == 1


def test_llama_index_gets_a_document_per_page(frameworks):
    from fovea_client.llama_index import FoveaReader

    [document] = FoveaReader(client=Client(READ)).load_data("a.pdf", extra_info={"shelf": "A"})
    assert (document.text, document.metadata) == ("# One", {**METADATA, "shelf": "A"})
    assert list(FoveaReader(client=Client(READ)).lazy_load_data("a.pdf", {"shelf": "A"})) == [document]
