import subprocess

import pytest
from support import encoded, pdf, picture, until

from fovea.errors import DocumentError, PageError
from fovea.pages.documents import open_document
from fovea.pages.isolated import IsolatedDocument

LIMIT = 50_000_000


def test_it_draws_what_the_document_itself_draws():
    for data in (pdf(3), encoded(picture("words"))):
        near, far = open_document(data, LIMIT), IsolatedDocument(data, LIMIT)
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
        IsolatedDocument(data, LIMIT)
    assert fault.value.code == code


def test_faults_of_a_page_come_back_and_the_next_page_is_drawn():
    document = IsolatedDocument(pdf(2, (14_000, 14_000)), LIMIT)
    with pytest.raises(PageError) as fault:
        document.raster(1, 72)
    assert fault.value.code == "page_too_large"
    assert document.raster(2, 36).image.size == (7000, 7000)
    document.close()


def test_a_page_that_takes_too_long_is_ended_and_the_next_is_drawn():
    document = IsolatedDocument(pdf(2), LIMIT, render_limit_s=0.0001)
    with pytest.raises(PageError) as fault:
        document.raster(1, 144)
    assert fault.value.code == "page_timeout"
    document._render_limit_s = 60
    assert document.raster(2, 72).image.size == (595, 842)
    document.close()


def test_a_crash_costs_one_page():
    document = IsolatedDocument(pdf(2), LIMIT)
    document._process.kill()
    with pytest.raises(PageError) as fault:
        document.raster(1, 72)
    assert fault.value.code == "page_unreadable"
    assert document.raster(1, 72).image.size == (595, 842)
    document.close()


def test_nothing_is_left_behind():
    document = IsolatedDocument(pdf(1), LIMIT)
    process = document._process
    document.close()
    until(lambda: process.poll() is not None)
    listed = subprocess.run(["ps", "-o", "pid=", "-p", str(process.pid)], capture_output=True, text=True)
    assert listed.stdout.strip() == ""
