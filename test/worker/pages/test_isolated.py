import gc
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import encoded, pdf, picture, until

from fovea.errors import DocumentError, PageError
from fovea.pages import isolated
from fovea.pages.documents import open_document
from fovea.pages.isolated import IsolatedDocument

LIMIT = 50_000_000


def test_it_draws_what_the_document_itself_draws():
    for data in (pdf(3), encoded(picture("words"))):
        near, far = open_document(data, LIMIT), IsolatedDocument(data, LIMIT).open()
        assert (far.media_type, far.page_count) == (near.media_type, near.page_count)
        page = far.page_count
        assert far.raster(page, 72).image.tobytes() == near.raster(page, 72).image.tobytes()
        far.close()


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "document_empty"), (b"hello", "document_unsupported"), (b"%PDF-1.4 no", "document_broken")],
)
def test_faults_of_the_document_come_back_with_their_code(data, code):
    with pytest.raises(DocumentError) as fault:
        IsolatedDocument(data, LIMIT).open()
    assert fault.value.code == code


def test_faults_of_a_page_come_back_and_the_next_page_is_drawn():
    document = IsolatedDocument(pdf(2, (14_000, 14_000)), LIMIT).open()
    with pytest.raises(PageError) as fault:
        document.raster(1, 72)
    assert fault.value.code == "page_too_large"
    assert document.raster(2, 36).image.size == (7000, 7000)
    document.close()


def test_a_page_that_takes_too_long_is_ended_and_the_next_is_drawn():
    document = IsolatedDocument(pdf(2), LIMIT, render_limit_s=0.0001).open()
    with pytest.raises(PageError) as fault:
        document.raster(1, 144)
    assert fault.value.code == "page_timeout"
    document._render_limit_s = 60
    assert document.raster(2, 72).image.size == (595, 842)
    document.close()


def kill_at(document, monkeypatch, signals):
    """Kills the document's process at its next requests, once per signal. Returns the signals that are left."""
    send = isolated._send

    def send_to_the_dead(pipe, head, data=b""):
        if signals:
            process = document._process
            process.send_signal(signals.pop(0))
            process.wait()
        send(pipe, head, data)

    monkeypatch.setattr(isolated, "_send", send_to_the_dead)
    return signals


DEADLY = [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV]


@pytest.mark.parametrize("deadly", DEADLY)
def test_a_process_that_was_killed_costs_no_page_and_no_document(monkeypatch, deadly):
    document = IsolatedDocument(pdf(2), LIMIT)
    left = kill_at(document, monkeypatch, [deadly])
    assert document.open().page_count == 2 and left == []
    for ask in (
        lambda: document.raster(1, 72).image.size == (595, 842),
        lambda: document.characters(1) is None,
    ):
        left = kill_at(document, monkeypatch, [deadly])
        assert ask() and left == []
    document._process.kill()  # between two requests
    assert document.raster(2, 72).image.size == (595, 842)
    document.close()


@pytest.mark.parametrize(
    ("deadly", "page", "opening"),
    [
        (signal.SIGKILL, "process_killed", "process_killed"),
        (signal.SIGSEGV, "page_unreadable", "document_broken"),
    ],
)
def test_a_process_that_is_killed_twice_costs_what_was_asked_for(monkeypatch, deadly, page, opening):
    document = IsolatedDocument(pdf(2), LIMIT).open()
    kill_at(document, monkeypatch, [deadly, deadly])
    with pytest.raises(PageError) as fault:
        document.raster(1, 72)
    assert fault.value.code == page
    assert document.raster(2, 72).image.size == (595, 842)
    document.close()
    document = IsolatedDocument(pdf(2), LIMIT)
    kill_at(document, monkeypatch, [deadly, deadly])
    with pytest.raises(DocumentError) as fault:
        document.open()
    assert fault.value.code == opening


def test_damage_comes_along():
    data = encoded(picture("words " * 20), "JPEG")
    document = IsolatedDocument(data[: len(data) // 2], LIMIT).open()
    assert document.raster(1, 72).damage == ("The image is damaged: it ends too early.",)
    document.close()


def ended(process):
    until(lambda: process.poll() is not None)
    listed = subprocess.run(["ps", "-o", "pid=", "-p", str(process.pid)], capture_output=True, text=True)
    return listed.stdout.strip() == ""


def test_nothing_is_left_behind():
    document = IsolatedDocument(pdf(1), LIMIT).open()
    process = document._process
    document.close()
    assert ended(process)


def test_nothing_is_left_behind_by_a_document_that_is_closed_while_it_opens(monkeypatch):
    document = IsolatedDocument(pdf(1), LIMIT)
    started, closed = threading.Event(), threading.Event()
    processes = []
    send = isolated._send

    def send_late(pipe, head, data=b""):
        processes.append(document._process)
        started.set()
        assert closed.wait(60)
        send(pipe, head, data)

    monkeypatch.setattr(isolated, "_send", send_late)
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(document.open)
        assert started.wait(60)
        document.close()
        closed.set()
        with pytest.raises(DocumentError):
            opening.result()
    assert [ended(process) for process in processes] == [True]
    with pytest.raises(DocumentError):
        document.open()
    assert document._process is None


def test_a_document_that_is_forgotten_ends_its_process():
    document = IsolatedDocument(pdf(1), LIMIT).open()
    process = document._process
    del document
    gc.collect()
    assert ended(process)
