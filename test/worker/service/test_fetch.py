import base64
from dataclasses import replace

import pytest
from support import EdgeStub

from fovea.errors import DocumentError
from fovea.outbound import Outbound, Refused, public_address
from fovea.service.fetch import Fetched, fetch_document
from fovea.settings import Settings

SETTINGS = Settings(max_document_bytes=1000)


def fetch(url, settings=SETTINGS):
    return fetch_document(url, settings, Outbound(settings.allowed_origins))


def code(url, settings=SETTINGS):
    with pytest.raises(DocumentError) as fault:
        fetch(url, settings)
    return fault.value.code


def test_data_urls():
    hello = base64.b64encode(b"hello").decode()
    assert fetch("data:application/pdf;base64," + hello) == Fetched(b"hello", "application/pdf")
    assert fetch("data:;base64," + hello) == Fetched(b"hello", "")
    announced = fetch("data:Text/Markdown;charset=utf-8;base64," + hello)
    assert announced.media_type == "text/markdown"
    assert code("data:text/plain,hello") == "document_unsupported"
    assert code("data:;base64,!!!") == "document_unsupported"
    assert code("data:;base64," + base64.b64encode(bytes(2000)).decode()) == "document_too_large"


def test_files_of_an_allowed_origin_with_a_size_cap():
    with EdgeStub({"/a": b"bytes", "/large": bytes(5000)}) as edge:
        settings = replace(SETTINGS, allowed_origins=frozenset({edge.origin}))
        assert fetch(f"{edge.origin}/a", settings).data == b"bytes"
        assert code(f"{edge.origin}/large", settings) == "document_too_large"
        assert code(f"{edge.origin}/missing", settings) == "document_unreachable"


def test_redirects_stay_on_their_origin():
    with EdgeStub({"/a": b"bytes", "/out": b"", "/in": b""}) as edge:
        settings = replace(SETTINGS, allowed_origins=frozenset({edge.origin}))
        edge.answers = {"/out": [302], "/in": [302]}
        edge.headers = {"/out": {"location": "http://127.0.0.1:1/x"}, "/in": {"location": "/a"}}
        assert fetch(f"{edge.origin}/in", settings).data == b"bytes"
        assert code(f"{edge.origin}/out", settings) == "document_unreachable"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://user:pass@127.0.0.1/",
        "https://",
    ],
)
def test_other_addresses_must_be_public_https(url):
    assert code(url) == "document_unreachable"


def test_every_answer_of_the_name_server_is_judged(monkeypatch):
    answers = [(0, 0, 0, "", ("93.184.216.34", 443)), (0, 0, 0, "", ("192.168.0.1", 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: answers)
    with pytest.raises(Refused):
        public_address("rebinding.example.com", 443)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: answers[:1])
    assert public_address("good.example.com", 443) == "93.184.216.34"
