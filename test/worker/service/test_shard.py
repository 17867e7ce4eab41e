import asyncio
import base64
import io
import os
import subprocess
import threading
from dataclasses import replace

import pypdf
import pytest
from support import EchoReader, EdgeStub, encoded, pdf, pdf_of, picture, stream, until

from fovea.errors import PageError
from fovea.outbound import Outbound, Refused
from fovea.pages import isolated
from fovea.pages.documents import open_document
from fovea.pages.isolated import IsolatedDocument
from fovea.readers.base import InvalidOptions, ReadRequest
from fovea.result.markdown import to_markdown
from fovea.result.page_result import Block
from fovea.service.budget import Budget
from fovea.service.drain import DONE, Drain
from fovea.service.push import Pushed, Pusher
from fovea.service.shard import Shard, ShardRequest, run_shard, text_digest
from fovea.settings import Settings
from fovea.vision.plan import spread

pytestmark = pytest.mark.slow


def run(request, reader=None, settings=None):
    reader = reader or EchoReader()
    return asyncio.run(run_shard(request, {"echo": reader}, settings or Settings()))


class Clockwork(asyncio.SelectorEventLoop):
    """An event loop whose time a test moves on."""

    ahead = 0.0

    def time(self):
        return super().time() + self.ahead

    def advance(self, seconds):
        """From any thread."""
        self.call_soon_threadsafe(lambda: setattr(self, "ahead", self.ahead + seconds))


class StuckReader(EchoReader):
    """Stays on some pages until they are given up. `meanwhile` is called with the page."""

    def __init__(self, pages, meanwhile=lambda page: None):
        super().__init__()
        self.pages, self.meanwhile = pages, meanwhile
        self.requests: list[ReadRequest] = []

    def read(self, raster, request):
        self.requests.append(request)
        if raster.page in self.pages:
            gone = threading.Event()
            request.cancellation.on_cancel(gone.set)
            self.meanwhile(raster.page)
            assert gone.wait(60)
        return super().read(raster, request)


def run_out_of_time(request, reader):
    """Runs a shard whose reader's stuck pages have no time left."""
    settings = Settings()
    with asyncio.Runner(loop_factory=Clockwork) as runner:
        reader.meanwhile = lambda page: runner.get_loop().advance(settings.page_timeout_s)
        return runner.run(run_shard(request, {"echo": reader}, settings))


def data_url(data: bytes) -> str:
    return "data:;base64," + base64.b64encode(data).decode()


def local(edge, **changes):
    return Settings(allowed_origins=frozenset({edge.origin}), **changes)


def test_without_a_push_address_the_pages_are_in_the_receipt():
    receipt = run(ShardRequest(document=data_url(pdf(3)), pages="1,3", model="echo", dpi=72))
    assert (receipt["page_count"], receipt["error"], receipt["pushed"]) == (3, None, [])
    assert [page["page"] for page in receipt["pages"]] == [1, 3]
    assert {page["markdown"] for page in receipt["pages"]} == {"595 × 842"}


def test_pages_are_pushed_as_they_come_with_the_query_kept():
    with EdgeStub({"/doc": pdf(3)}) as edge:
        request = ShardRequest(document=f"{edge.origin}/doc", model="echo", push_url=edge.push_url)
        receipt = run(request, settings=local(edge))
        assert [path for path, _ in edge.pushes] == ["/document", "/pages/1", "/pages/2", "/pages/3"]
        assert edge.pushes[0][1]["page_count"] == 3
        assert set(edge.queries) == {"signature=s"}
        assert (receipt["pages"], receipt["pushed"]) == ([], [1, 2, 3])


def test_the_trace_goes_along_with_every_push():
    trace = f"00-{'4' * 32}-{'7' * 16}-01"
    for sent in (trace, None):
        with EdgeStub({"/doc": pdf(2)}) as edge:
            request = ShardRequest(
                document=f"{edge.origin}/doc", model="echo", push_url=edge.push_url, traceparent=sent
            )
            run(request, settings=local(edge))
            assert edge.traces == [sent] * 3


def test_every_page_gets_an_answer_whatever_happens_to_it():
    reader = EchoReader(fail_on=2)
    receipt = run(ShardRequest(document=data_url(pdf(3)), pages="1-3,9", model="echo"), reader)
    codes = [page["error"] and page["error"]["code"] for page in receipt["pages"]]
    assert codes == [None, "internal", None, "page_out_of_range"]
    assert "secret" not in str(receipt)


def test_a_slow_page_times_out_and_the_next_is_read():
    receipt = run_out_of_time(ShardRequest(document=data_url(pdf(2)), model="echo"), StuckReader({1}))
    assert [page["verdict"] for page in receipt["pages"]] == ["failed", "ok"]
    assert receipt["pages"][0]["error"]["code"] == "page_timeout"


class LayerReader(EchoReader):
    takes_text_layer = True

    def read(self, raster, request):
        result = super().read(raster, request)
        result.markdown = " ".join(word.text for word in raster.layer)
        return result


@pytest.mark.parametrize(("choice", "said"), [("auto", "Hello"), ("only", "Hello"), ("never", "")])
def test_a_reader_gets_the_text_layer_unless_it_must_not_use_it(choice, said):
    document = pdf_of(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R "
            "/Resources << /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
            stream(b"BT /F 24 Tf 20 100 Td (Hello) Tj ET"),
        ]
    )
    request = ShardRequest(document=data_url(document), model="echo", options=ReadRequest(text_layer=choice))
    receipt = run(request, LayerReader())
    assert receipt["pages"][0]["markdown"] == said


class TogetherReader(EchoReader):
    """Reads pages together. `fail_after`: pages after which the sequence fails."""

    def __init__(self, fail_after=99, error=None, **options):
        super().__init__(**options)
        self.fail_after, self.error = fail_after, error
        self.sequences = []

    def read_document(self, pages, draw, request):
        self.sequences.append([page for page in pages if draw(page)])
        for number, page in enumerate(self.sequences[-1]):
            if number == self.fail_after:
                raise self.error
            raster = draw(page)
            result = EchoReader.read(self, raster, request)
            result.mode = "document"
            yield raster, result


def together(pages, sequence, reader, document=None, **changes):
    return run(
        ShardRequest(
            document=data_url(document or pdf(4)),
            pages=pages,
            sequence_pages=sequence,
            model="echo",
            **changes,
        ),
        reader,
    )


def modes(receipt):
    return {page["page"]: page["mode"] for page in receipt["pages"]}


def test_pages_are_read_in_one_sequence_and_only_those_asked_for_are_delivered():
    reader = TogetherReader()
    receipt = together("2,4", "1,2,4", reader)
    assert reader.sequences == [[1, 2, 4]]
    assert modes(receipt) == {2: "document", 4: "document"}
    assert all(page["timings_ms"]["raster"] > 0 for page in receipt["pages"])
    assert all(page["warnings"] == [] for page in receipt["pages"])


@pytest.mark.parametrize(
    "error", [RuntimeError("secret internal detail"), PageError("page_timeout", "Late.")]
)
def test_pages_of_a_sequence_that_fails_are_read_alone(error):
    reader = TogetherReader(fail_after=1, error=error)
    receipt = together("1-4", "1-4", reader)
    assert modes(receipt) == {1: "document", 2: "native", 3: "native", 4: "native"}
    assert receipt["pages"][0]["warnings"] == []
    for page in receipt["pages"][1:]:
        assert page["verdict"] == "ok" and "read alone" in page["warnings"][0]
    assert "secret" not in str(receipt)


def test_pages_that_cannot_be_read_together_have_the_usual_result():
    pages = [picture("one"), picture(""), picture("three")]
    file = io.BytesIO()
    pages[0].save(file, "PDF", save_all=True, append_images=pages[1:])
    reader = TogetherReader()
    receipt = together("1-3,9", "1-3,9", reader, file.getvalue())
    assert reader.sequences == [[1, 3]]
    assert [page["verdict"] for page in receipt["pages"]] == ["ok", "blank", "ok", "failed"]
    assert receipt["pages"][3]["error"]["code"] == "page_out_of_range"
    assert receipt["pages"][1]["warnings"] == []


@pytest.mark.parametrize(
    ("reader", "pages", "changes", "message"),
    [
        (EchoReader(), "1-2", {}, "sequence of its own"),
        (TogetherReader(), "1-3", {}, "lacks the page 3"),
        (TogetherReader(), "1-2", {"token_budget": 9}, "no token budget"),
        (TogetherReader(0, InvalidOptions("At most 32.")), "1-2", {}, "At most 32"),
    ],
)
def test_sequences_that_are_not_possible_are_refused(reader, pages, changes, message):
    receipt = together(pages, "1-2", reader, **changes)
    assert receipt["error"]["code"] == "invalid_options" and message in receipt["error"]["message"]
    assert receipt["pages"] == []


def test_a_sequence_that_takes_too_long_is_given_up_and_its_pages_are_read_alone():
    class Stuck(TogetherReader):
        def read_document(self, pages, draw, request):
            gone = threading.Event()
            request.cancellation.on_cancel(gone.set)
            self.meanwhile(pages[0])
            assert gone.wait(60)
            yield from ()

    def wait_for_sequence(runner):
        return lambda page: runner.get_loop().advance(3 * Settings().page_timeout_s)

    reader = Stuck()
    request = ShardRequest(document=data_url(pdf(2)), pages="1,2", sequence_pages="1,2", model="echo")
    with asyncio.Runner(loop_factory=Clockwork) as runner:
        reader.meanwhile = wait_for_sequence(runner)
        receipt = runner.run(run_shard(request, {"echo": reader}, Settings()))
    assert [page["verdict"] for page in receipt["pages"]] == ["ok", "ok"]
    assert all("read alone" in page["warnings"][0] for page in receipt["pages"])


def test_a_sequence_ends_when_the_edge_has_ended_the_shard():
    with EdgeStub({"/doc": pdf(3)}) as edge:
        edge.answers["/pages/1"] = [410]
        reader = TogetherReader()
        request = ShardRequest(
            document=f"{edge.origin}/doc", model="echo", push_url=edge.push_url, sequence_pages="1-3"
        )
        run(request, reader, local(edge))
        assert [path for path, _ in edge.pushes] == ["/document"]
        assert reader.read_pages == [1]


@pytest.mark.parametrize(("choice", "blocks"), [("auto", ["title", "image"]), ("never", None)])
def test_a_reader_gets_the_blocks_of_a_converted_document_unless_it_must_not_use_them(choice, blocks):
    class ContentReader(LayerReader):
        def read(self, raster, request):
            self.content = raster.content
            result = super().read(raster, request)
            result.blocks = list(raster.content or result.blocks)
            return result

    html = "data:text/html;base64," + base64.b64encode(b"<html><h1>Rivers</h1><img alt='A map'>").decode()
    reader = ContentReader()
    options = ReadRequest(text_layer=choice)
    receipt = run(ShardRequest(document=html, model="echo", options=options), reader)
    assert (reader.content and [block.type for block in reader.content]) == blocks
    assert receipt["model_digest"] == text_digest(reader) != reader.digest
    assert receipt["pages"][0]["verdict"] == "ok"
    assert not any("figure" in block for block in receipt["pages"][0]["blocks"])


def test_links_of_the_document_are_in_the_result_of_any_reader():
    class TextReader(EchoReader):
        def read(self, raster, request):
            result = super().read(raster, request)
            result.blocks = [Block(1, "text", (0, 0, 1, 1), "see the terms")]
            result.markdown = to_markdown(result.blocks)
            return result

    html = b"<html><base href='https://a.test/'><p>see <a href='x'>the terms</a>, <a href='javascript:y()'>no</a>"
    document = "data:text/html;base64," + base64.b64encode(html).decode()
    (page,) = run(ShardRequest(document=document, model="echo"), TextReader())["pages"]
    (link,) = page["hyperlinks"]
    assert (link["url"], link["text"], link["block"], link["start"], link["place"]) == (
        "https://a.test/x",
        "the terms",
        1,
        4,
        [4, 13],
    )
    assert page["markdown"] == "see the terms"


def test_what_of_a_document_is_not_read_is_said_on_its_first_page():
    document = "data:text/csv;base64," + base64.b64encode("Größe\n".encode("cp1252") * 300).decode()
    pages = run(ShardRequest(document=document, model="echo"))["pages"]
    assert len(pages) > 1
    assert [any("Windows-1252" in warning for warning in page["warnings"]) for page in pages] == [
        True,
        *[False] * (len(pages) - 1),
    ]


def test_a_password_opens_the_document_and_is_in_no_answer():
    writer = pypdf.PdfWriter(io.BytesIO(pdf(1)))
    writer.encrypt("hunter2", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    request = ShardRequest(document=data_url(out.getvalue()), model="echo", password="hunter2")
    receipt = run(request)
    assert receipt["pages"][0]["verdict"] == "ok"
    assert "hunter2" not in f"{receipt} {request}"
    for password, code in ((None, "document_encrypted"), ("wrong", "password_wrong")):
        assert run(replace(request, password=password))["error"]["code"] == code


def test_a_blank_page_is_not_read():
    reader = EchoReader()
    receipt = run(ShardRequest(document=data_url(encoded(picture(""))), model="echo"), reader)
    assert (receipt["pages"][0]["verdict"], reader.read_pages) == ("blank", [])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model": "gpt"}, "unknown_model"),
        ({"options": ReadRequest(task="deep")}, "invalid_options"),
        ({"options": ReadRequest(text_layer="only")}, "invalid_options"),
        ({"pages": "3-x"}, "invalid_options"),
        ({"max_pages": 2}, "too_many_pages"),
        ({"document": data_url(b"hello")}, "document_unsupported"),
    ],
)
def test_faults_of_the_document_are_reported_once_and_in_the_receipt(changes, code):
    with EdgeStub() as edge:
        request = ShardRequest(document=data_url(pdf(3)), model="echo", push_url=edge.push_url)
        receipt = run(replace(request, **changes), settings=local(edge))
        assert receipt["error"]["code"] == code
        ((path, body),) = edge.pushes
        assert (path, body["error"]["code"]) == ("/document", code)


def test_410_stops_the_shard():
    with EdgeStub() as edge:
        edge.answers = {"/pages/2": [410]}
        reader = EchoReader()
        receipt = run(
            ShardRequest(document=data_url(pdf(5)), model="echo", push_url=edge.push_url), reader, local(edge)
        )
        assert (receipt["pushed"], reader.read_pages) == ([1], [1, 2])


def test_heartbeats_renew_the_lease_and_410_to_one_stops_a_page_in_work():
    with EdgeStub() as edge:
        beat = ("/heartbeat", {"schema": 1, "page": 1})
        reader = EchoReader(wait=lambda _: until(lambda: beat in edge.pushes))
        settings = local(edge, heartbeat_s=0.1)
        request = ShardRequest(document=data_url(pdf(1)), model="echo", push_url=edge.push_url)
        run(request, reader, settings)
        assert beat in edge.pushes
        reader = StuckReader({1, 2, 3}, lambda _: edge.answers.update({"/heartbeat": [410]}))
        receipt = run(replace(request, document=data_url(pdf(3))), reader, settings)
        assert (receipt["pushed"], len(reader.requests)) == ([], 1)


def test_pushes_are_tried_again_until_the_edge_answers():
    with EdgeStub() as edge:
        edge.answers = {"/pages/1": [503, 429, 204], "/pages/2": [500], "/pages/3": [422]}
        pauses = []

        async def sleep(seconds):
            pauses.append(seconds)

        def pauses_of(pusher, page, outcome):
            pauses.clear()
            assert asyncio.run(pusher.page(page, b'{"page":%d}' % page)) is outcome
            return pauses

        timing = dict(retry_for_s=2, clock=lambda: sum(pauses), sleep=sleep)
        pusher = Pusher(edge.push_url, Outbound(frozenset({edge.origin})), **timing)
        assert pauses_of(pusher, 1, Pushed.ACCEPTED) == [0.25, 0.5]
        assert edge.pages() == [1]
        assert pauses_of(pusher, 2, Pushed.FAILED) == [0.25, 0.5, 1]
        assert pauses_of(pusher, 3, Pushed.FAILED) == []
    gone = Pusher("http://127.0.0.1:9/shard?s", Outbound(frozenset({"http://127.0.0.1:9"})), **timing)
    assert pauses_of(gone, 1, Pushed.FAILED) == [0.25, 0.5, 1]
    with pytest.raises(Refused):
        Pusher("http://127.0.0.1:9/shard?s", Outbound(frozenset()))


def test_a_push_url_that_may_not_be_called_ends_the_shard_before_anything_is_read():
    reader = EchoReader()
    request = ShardRequest(document=data_url(pdf(1)), model="echo", push_url="http://127.0.0.1:9/shard?s")
    receipt = asyncio.run(run_shard(request, {"echo": reader}, Settings()))
    assert receipt["error"]["code"] == "invalid_options"
    assert "push_url" in receipt["error"]["message"]
    assert reader.read_pages == []


def test_cancel_ends_the_shard():
    async def canceled():
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()
        reader = StuckReader({2}, lambda _: loop.call_soon_threadsafe(begun.set))
        request = ShardRequest(document=data_url(pdf(50)), model="echo")
        task = asyncio.create_task(run_shard(request, {"echo": reader}, Settings()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(reader.requests)

    assert asyncio.run(canceled()) == 2


def processes_of_documents():
    """The processes of documents that this process has started and that run."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True
    )
    return [line for line in listed.stdout.splitlines() if "fovea.pages.isolated" in line]


@pytest.mark.parametrize("late", [0, 1, 2, 3])
def test_cancel_leaves_no_process_however_far_the_document_is_opened(monkeypatch, late):
    """`late`: 0 cancels before the process starts, 1 at its start, 2 when it opens the document, 3 when it is open."""

    async def canceled():
        loop, reached = asyncio.get_running_loop(), asyncio.Event()
        going_on = threading.Event()

        def at(step, function):
            def wrapped(*arguments, **options):
                answer = function(*arguments, **options) if step in (1, 3) else None
                if step == late:
                    loop.call_soon_threadsafe(reached.set)
                    assert going_on.wait(60)
                return answer if step in (1, 3) else function(*arguments, **options)

            return wrapped

        monkeypatch.setattr(IsolatedDocument, "open", at(0, IsolatedDocument.open))
        monkeypatch.setattr(isolated.subprocess, "Popen", at(1, subprocess.Popen))
        monkeypatch.setattr(isolated, "_send", at(2, isolated._send))
        monkeypatch.setattr(IsolatedDocument, "open", at(3, IsolatedDocument.open))
        request = ShardRequest(document=data_url(pdf(2)), model="echo")
        task = asyncio.create_task(run_shard(request, {"echo": EchoReader()}, Settings()))
        await reached.wait()
        task.cancel()
        # By now the shard has closed the document, or waits for the thread in order to do so.
        threading.Timer(0.2, going_on.set).start()
        with pytest.raises(asyncio.CancelledError):
            await task

    with monkeypatch.context() as monkeypatch:
        asyncio.run(canceled())  # waits for the threads
    until(lambda: not processes_of_documents())


@pytest.mark.parametrize(
    ("content", "verdict", "read"),
    [(b"100 100 50 50 re f /Missing Do", "suspect", [1]), (b"/Missing Do", "unreadable", [])],
)
def test_a_page_that_could_be_drawn_in_part_only_is_not_taken_for_whole(content, verdict, read):
    reader = EchoReader()
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R >>",
        stream(content),
    ]
    receipt = run(ShardRequest(document=data_url(pdf_of(objects)), model="echo"), reader)
    (page,) = receipt["pages"]
    assert (page["verdict"], reader.read_pages) == (verdict, read)
    assert page["warnings"] == ["An image or a form on the page is missing."]


class ParallelReader(EchoReader):
    """Reads three pages at once, and only if they do come at once."""

    parallel = 3

    def __init__(self):
        self.together = threading.Barrier(3)
        super().__init__(wait=lambda page: self.together.wait(60))


def test_a_reader_that_can_is_given_several_pages_at_once():
    receipt = run(ShardRequest(document=data_url(pdf(6)), model="echo"), ParallelReader())
    assert [page["verdict"] for page in receipt["pages"]] == ["ok"] * 6
    assert [page["page"] for page in receipt["pages"]] == [1, 2, 3, 4, 5, 6]


def test_readers_learn_whose_page_it_is_and_that_it_was_canceled():
    reader = StuckReader({1})
    for _ in range(2):
        run_out_of_time(ShardRequest(document=data_url(pdf(1)), model="echo"), reader)
    owners = [request.owner for request in reader.requests]
    assert len(set(owners)) == 2 and all(owners)
    gone = threading.Event()
    reader.requests[0].cancellation.on_cancel(gone.set)
    assert gone.is_set()


def test_draining_finishes_the_page_in_hand_and_hands_back_the_rest(tmp_path):
    drain = Drain()
    file = tmp_path / "drain"
    drain.watch(file)

    def wait(page):
        file.touch()
        assert drain.requested.wait(60)

    with EdgeStub({"/doc": pdf(3)}) as edge:
        request = ShardRequest(document=f"{edge.origin}/doc", model="echo", push_url=edge.push_url)
        shard = Shard(request, {"echo": EchoReader(wait=wait)}, local(edge), drain)
        receipt = asyncio.run(shard.run())
        assert edge.pages() == [1]
    assert (receipt["pushed"], receipt["error"]) == ([1], None)
    until(lambda: file.read_text() == DONE)


class ModeReader(EchoReader):
    """Reads nothing, in the mode that it is told."""

    modes = ("tiny", "small", "base", "large", "gundam")

    def spread(self, pages, budget):
        return spread(pages, budget)

    def read(self, raster, request):
        result = super().read(raster, request)
        result.mode = request.mode
        return result


def text_pdf(texts: list[str]) -> bytes:
    """A scan: one picture for each text."""
    first, *others = [picture(text, (1191, 1684), 20) for text in texts]
    return encoded(first, "PDF", save_all=True, append_images=others, resolution=144)


DENSE, SPARSE = (
    "\n".join(["many words on each of the lines of a page that is full of text"] * 60),
    "Page seven",
)


def test_a_token_budget_is_spread_over_the_document_and_every_shard_of_it_comes_to_the_same_modes():
    document = data_url(text_pdf([SPARSE, DENSE, SPARSE, DENSE]))
    request = ShardRequest(document=document, model="echo", token_budget=330)
    whole = {page["page"]: page for page in run(request, ModeReader())["pages"]}
    modes = [whole[number]["mode"] for number in (1, 2, 3, 4)]
    assert modes == ["tiny", "small", "tiny", "small"]
    assert not any(page["warnings"] for page in whole.values())
    for part in ("1,2", "3", "4"):
        shard = run(replace(request, pages=part, budget_pages="1-4"), ModeReader())
        assert ",".join(str(page["page"]) for page in shard["pages"]) == part
        assert [page["mode"] for page in shard["pages"]] == [
            whole[page["page"]]["mode"] for page in shard["pages"]
        ]
    # Of the dense page alone the same budget buys more.
    assert run(replace(request, pages="2"), ModeReader())["pages"][0]["mode"] == "base"


def test_a_document_is_looked_at_once_for_each_resolution():
    class Recorder(ModeReader):
        def spread(self, pages, budget):
            seen.append([page.width for page in pages])
            return super().spread(pages, budget)

    seen = []
    data = text_pdf([SPARSE, SPARSE])
    for dpi in (72, 144, 72):
        Budget(Recorder(), (1, 2), 1000).survey(open_document(data, 10**8), data, dpi)
    Budget(Recorder(), (1,), 1000).survey(open_document(data, 10**8), data, 72)
    assert seen == [[596, 596], [1191, 1191], [596, 596], [596]]


def test_of_a_long_document_each_page_has_an_equal_share_of_the_budget(monkeypatch):
    monkeypatch.setattr("fovea.service.budget.SURVEY_PAGES", 1)
    document = data_url(text_pdf([SPARSE, DENSE]))
    for budget, mode in ((400, "base"), (200, "small")):
        receipt = run(ShardRequest(document=document, model="echo", token_budget=budget), ModeReader())
        assert [page["mode"] for page in receipt["pages"]] == [mode, mode]


@pytest.mark.parametrize("survey", [100, 1])
def test_a_budget_that_cannot_be_kept_is_said_on_every_page(monkeypatch, survey):
    monkeypatch.setattr("fovea.service.budget.SURVEY_PAGES", survey)
    document = data_url(text_pdf([DENSE, DENSE]))
    receipt = run(ShardRequest(document=document, model="echo", token_budget=100), ModeReader())
    assert [page["mode"] for page in receipt["pages"]] == ["tiny", "tiny"]
    for page in receipt["pages"]:
        assert page["warnings"] == [
            "The pages need at least 128 vision tokens; the budget of 100 was exceeded."
        ]


def test_a_reader_without_vision_tokens_ignores_the_budget():
    receipt = run(ShardRequest(document=data_url(pdf(2)), model="echo", token_budget=1))
    assert [page["verdict"] for page in receipt["pages"]] == ["ok", "ok"]


class Witness(EchoReader):
    name = "pp-ocr"

    def __init__(self, text):
        super().__init__()
        self.text = text

    def read(self, raster, request):
        result = super().read(raster, request)
        result.blocks = [Block(1, "text", (0, 0, 1, 1), self.text)]
        return result


def run_with_witness(words, request=None, document=None):
    reader, witness = Witness("the words that a model has found on this page"), Witness(words)
    request = request or ReadRequest(witness=True)
    shard = ShardRequest(document=document or data_url(pdf(1)), model="echo", options=request)
    return asyncio.run(run_shard(shard, {"echo": reader, "pp-ocr": witness}, Settings())), witness


def test_a_witness_that_sees_other_words_makes_a_page_suspect():
    receipt, _ = run_with_witness("completely different letters stand here instead")
    (page,) = receipt["pages"]
    assert page["verdict"] == "suspect"
    assert page["warnings"] == [
        "A second reader read other words on the page: the two agree on only 0 % of them."
    ]
    assert page["witness"] == {"model": "pp-ocr", "model_digest": Witness.digest, "agreement": 0.0}


def test_a_witness_that_agrees_changes_nothing_but_says_so():
    receipt, _ = run_with_witness("the words that a model has found on this page")
    (page,) = receipt["pages"]
    assert (page["verdict"], page["warnings"], page["witness"]["agreement"]) == ("ok", [], 1.0)


def test_without_being_asked_nobody_bears_witness():
    receipt, witness = run_with_witness("other words", ReadRequest())
    assert "witness" not in receipt["pages"][0] and witness.read_pages == []


def test_what_was_read_is_kept_when_the_check_fails_or_comes_too_late(monkeypatch):
    reader, broken = Witness("some words that were read"), EchoReader(fail_on=1)
    broken.name = "pp-ocr"
    shard = ShardRequest(document=data_url(pdf(1)), model="echo", options=ReadRequest(witness=True))
    receipt = asyncio.run(run_shard(shard, {"echo": reader, "pp-ocr": broken}, Settings()))
    (page,) = receipt["pages"]
    assert (page["verdict"], "witness" in page) == ("ok", False)
    assert page["warnings"] == ["The check of the page with a second reader failed."]
    assert "secret" not in str(receipt)
    monkeypatch.setattr("fovea.service.shard.WITNESS_SHARE", 0.0)
    receipt = asyncio.run(run_shard(shard, {"echo": reader, "pp-ocr": broken}, Settings()))
    assert receipt["pages"][0]["warnings"] == ["No time was left to check the page with a second reader."]


def test_a_blank_page_needs_no_witness():
    receipt, witness = run_with_witness("x", document=data_url(encoded(picture(""))))
    assert receipt["pages"][0]["verdict"] == "blank" and witness.read_pages == []


@pytest.mark.parametrize(
    ("readers", "changes", "message"),
    [
        (["echo"], {"options": ReadRequest(witness=True)}, "has no witness"),
        (["pp-ocr"], {"options": ReadRequest(witness=True), "model": "pp-ocr"}, "cannot check itself"),
        (["echo"], {"options": ReadRequest(mode="base"), "token_budget": 100}, "requires the mode auto"),
    ],
)
def test_what_cannot_be_checked_or_budgeted_is_refused(readers, changes, message):
    known = {name: EchoReader() for name in readers}
    request = replace(ShardRequest(document=data_url(pdf(1)), model="echo"), **changes)
    error = asyncio.run(run_shard(request, known, Settings()))["error"]
    assert error["code"] == "invalid_options" and message in error["message"]


class AttachingReader(EchoReader):
    """Attaches three bytes to each page and tells what it could recall of it."""

    def __init__(self, name="tokens", task="markdown"):
        super().__init__()
        self.attachment, self.recalled, self.digests = name, {}, []

    def check(self, request):
        pass

    def read(self, raster, request):
        self.recalled[raster.page] = request.recall("base")
        self.digests.append(request.digest)
        result = super().read(raster, request)
        result.task = request.task
        result.attachments[self.attachment] = b"\0\xff!"
        return result


def attaching(edge, task="markdown", **changes):
    request = ShardRequest(
        document=data_url(pdf(2)), model="echo", push_url=edge.push_url, options=ReadRequest(task=task)
    )
    reader = AttachingReader()
    receipt = run(replace(request, **changes), reader, local(edge))
    return reader, receipt


def test_attachments_are_pushed_before_their_page():
    with EdgeStub() as edge:
        attaching(edge)
        order = ["/document", "/pages/1/tokens", "/pages/1", "/pages/2/tokens", "/pages/2"]
        assert [path for path, _ in edge.pushes] == order
        assert edge.pushes[1][1] == b"\0\xff!" and "attachments" not in edge.pushes[2][1]
        assert set(edge.queries) == {"signature=s"}


class DrawingReader(EchoReader):
    """Sees a picture at the top of each page."""

    def read(self, raster, request):
        result = super().read(raster, request)
        result.blocks.append(Block(2, "image", (0, 0, 1, 0.5), ""))
        return result


def test_the_figures_of_a_page_are_pushed_before_it():
    with EdgeStub({"/doc": pdf(1)}) as edge:
        request = ShardRequest(document=f"{edge.origin}/doc", model="echo", push_url=edge.push_url)
        run(request, DrawingReader(), local(edge))
        assert [path for path, _ in edge.pushes] == ["/document", "/pages/1/figures/2", "/pages/1"]
        assert edge.pushes[1][1].startswith(b"\x89PNG")
        assert edge.digests == [EchoReader.digest]
        assert edge.pushes[2][1]["blocks"][1]["figure"]["media_type"] == "image/png"


def test_without_a_push_address_attachments_are_data_urls():
    receipt = run(ShardRequest(document=data_url(pdf(1)), model="echo"), AttachingReader("image"))
    assert receipt["pages"][0]["image"] == "data:image/png;base64,AP8h"


def test_vision_tokens_that_are_refused_cost_nothing_unless_they_are_all_that_was_asked_for():
    for task, verdict in (("markdown", "ok"), ("encode", "failed")):
        with EdgeStub() as edge:
            edge.answers = {"/pages/1/tokens": [413]}
            _, receipt = attaching(edge, task)
            first, second = (body for path, body in edge.pushes if path in ("/pages/1", "/pages/2"))
            assert (first["verdict"], second["verdict"], receipt["pushed"]) == (verdict, "ok", [1, 2])
            assert (first["error"] or {}).get("code") == (None if verdict == "ok" else "not_kept")


def test_410_to_an_attachment_stops_the_shard():
    with EdgeStub() as edge:
        edge.answers = {"/pages/1/tokens": [410]}
        reader, receipt = attaching(edge)
        assert (receipt["pushed"], reader.read_pages) == ([], [1])
        assert edge.pages() == []


def test_only_pages_that_the_edge_names_are_asked_for():
    with EdgeStub({"/shard/pages/2/tokens": b"tokens"}) as edge:
        reader, _ = attaching(edge, stored_tokens="2-3")
        assert reader.recalled == {1: None, 2: b"tokens"}
        digest = reader.digest.replace(":", "%3A")
        assert edge.asked == [f"/shard/pages/2/tokens?signature=s&mode=base&model_digest={digest}"]


def test_tokens_of_a_text_are_named_by_what_lays_it_out_as_well():
    with EdgeStub() as edge:
        document = "data:text/markdown;base64," + base64.b64encode(b"# Hello").decode()
        reader, receipt = attaching(edge, document=document, stored_tokens="1")
        assert receipt["model_digest"] == text_digest(reader) != reader.digest
        assert reader.digests == [receipt["model_digest"]]
        assert edge.asked[0].endswith(receipt["model_digest"].replace(":", "%3A"))


def test_tokens_that_cannot_be_had_are_none(monkeypatch):
    with EdgeStub({"/shard/pages/1/tokens": b"12345678"}) as edge:
        pusher = Pusher(edge.push_url, Outbound(frozenset({edge.origin})))
        assert pusher.stored_tokens(1, "base", "sha256:1") == b"12345678"
        assert pusher.stored_tokens(2, "base", "sha256:1") is None
        monkeypatch.setattr("fovea.service.push.MAX_TOKENS_BYTES", 7)
        assert pusher.stored_tokens(1, "base", "sha256:1") is None
        edge.answers["/shard/pages/1/tokens?signature=s&mode=base&model_digest=x"] = [500]
        assert pusher.stored_tokens(1, "base", "x") is None
    silent = Pusher("http://127.0.0.1:9/shard?s", Outbound(frozenset({"http://127.0.0.1:9"})))
    assert silent.stored_tokens(1, "base", "sha256:1") is None
