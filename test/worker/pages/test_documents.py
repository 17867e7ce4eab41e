import base64
import io
import threading

import numpy as np
import pypdf
import pytest
from PIL import Image
from support import encoded, pdf, picture

from fovea.errors import DocumentError, PageError
from fovea.pages.documents import on_white, open_document

LIMIT = 50_000_000


def code(data, limit=LIMIT):
    with pytest.raises(DocumentError) as fault:
        open_document(data, limit)
    return fault.value.code


def test_pdf_pages_are_drawn_at_the_resolution_asked_for():
    document = open_document(pdf(3), LIMIT)
    assert (document.media_type, document.page_count) == ("application/pdf", 3)
    raster = document.raster(2, 144)
    assert raster.image.size == (1190, 1684)
    assert raster.dpi == 144
    assert raster.image.getpixel((2 * 120, 1684 - 2 * 450)) == (0, 0, 0)
    assert document.raster(2, 72).image.size == (595, 842)


def test_rotated_pdf_pages_stand_upright():
    assert open_document(pdf(1, more="/Rotate 90"), LIMIT).raster(1, 72).image.size == (842, 595)


def test_pdfium_gives_the_same_pixels_from_many_threads():
    document = open_document(pdf(6), LIMIT)
    truth = [np.asarray(document.raster(page, 72).image).sum() for page in range(1, 7)]
    wrong = []

    def draw():
        for page in range(1, 7):
            if np.asarray(document.raster(page, 72).image).sum() != truth[page - 1]:
                wrong.append(page)

    threads = [threading.Thread(target=draw) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert wrong == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "document_empty"),
        (b"hello", "document_unsupported"),
        (b"GIF89a" + bytes(100), "document_broken"),
        (b"BM" + bytes(100), "document_broken"),
        (b"\0\0\0\x1cftypheic" + bytes(100), "document_broken"),
        (b"\0\0\0\x1cftypavif" + bytes(100), "document_broken"),
        (b"\0\0\0\x1cftypmp42" + bytes(100), "document_broken"),
        (b"%PDF-1.4 and then nothing", "document_broken"),
        (pdf(0), "document_broken"),
        (encoded(picture("x"))[:40], "document_broken"),
    ],
)
def test_documents_that_cannot_be_opened(data, expected):
    assert code(data) == expected


def test_a_page_of_200_megapixels_is_refused_before_it_is_drawn():
    thin = Image.new("1", (20_000, 10_000))
    for data in (encoded(thin), pdf(1, (14_000, 14_000))):
        document = open_document(data, LIMIT)
        with pytest.raises(PageError) as fault:
            document.raster(1, 72)
        assert fault.value.code == "page_too_large"
        assert "megapixels" in fault.value.message


def locked(password, **more):
    writer = pypdf.PdfWriter(io.BytesIO(pdf(1)))
    writer.encrypt(password, algorithm="RC4-128", **more)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize("password", ["secret", "käse"])
def test_an_encrypted_pdf_opens_with_its_password_only(password):
    data = locked(password)
    document = open_document(data, LIMIT, password=password)
    raster = document.raster(1, 72)
    assert (document.page_count, raster.damage) == (1, ())
    assert raster.image.getpixel((120, 842 - 450)) == (0, 0, 0)
    assert code(data) == "document_encrypted"
    with pytest.raises(DocumentError) as fault:
        open_document(data, LIMIT, password="wrong")
    assert fault.value.code == "password_wrong"
    assert "wrong" not in fault.value.message


def test_the_owner_password_opens_a_pdf_too_and_none_is_needed_without_a_user_password():
    assert open_document(locked("user", owner_password="owner"), LIMIT, password="owner").page_count == 1
    assert open_document(locked("", owner_password="owner"), LIMIT).page_count == 1


def test_a_document_that_is_not_encrypted_opens_with_any_password():
    assert open_document(pdf(1), LIMIT, password="any").page_count == 1
    assert open_document(encoded(picture("x")), LIMIT, password="any").page_count == 1


def test_one_pixel_is_a_page():
    assert open_document(encoded(Image.new("RGB", (1, 1))), LIMIT).raster(1, 144).image.size == (1, 1)


def test_the_first_picture_of_a_phones_photograph_is_read():
    first, second = picture("words"), picture("", (80, 60))
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    document = open_document(data, LIMIT)
    assert (document.media_type, document.page_count) == ("image/jpeg", 1)
    raster = document.raster(1, 144)
    assert (raster.image.size, raster.damage) == (first.size, ())


@pytest.mark.parametrize("kind", ["GIF", "BMP", "AVIF"])
def test_further_kinds_of_images(kind):
    image = Image.new("RGB", (80, 60), "white")
    image.paste("black", (10, 10, 40, 30))
    document = open_document(encoded(image, kind), LIMIT)
    assert (document.media_type, document.page_count) == (f"image/{kind.lower()}", 1)
    raster = document.raster(1, 144)
    assert (raster.image.size, raster.damage) == ((80, 60), ())
    assert max(raster.image.getpixel((20, 20))) < 16 and min(raster.image.getpixel((60, 50))) > 240


def test_the_first_frame_of_an_animation_is_read():
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("white", "black")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    document = open_document(data, LIMIT)
    assert document.page_count == 1
    assert document.raster(1, 144).image.getpixel((5, 5)) == (255, 255, 255)


HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9jAAAAAE"
    "RAAAIAAQAAAAAB7AABAAAAAAAAAGwAAgAAAAACWAABAAAAAAAAACQAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAA"
    "AQACAABFeGlmAAAAAA5waXRtAAAAAAABAAABB2lwcnAAAADmaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAA"
    "ADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCiBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwYkAAAATY29scm5jbHgA"
    "AQANAAaAAAAAFGlzcGUAAAAAAAAAUAAAAEAAAAAoY2xhcAAAAFAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBpeGkAAAAAAwgICAAAAA"
    "lpcm90AwAAABlpcG1hAAAAAAAAAAEAAQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAJhtZGF0AAAAaCgBrwnR7UAVpCQO/il77T5G"
    "wJWmsOqrjVgPINjolX6JLLJj1LFYMHVYBggB0RFUap0aGgPZgHgMF7DCjBRrWuwS8uxb6aP/5fqJFem1W/B46+J8ni2BW4nLCy0zwZerUqig63Y17B"
    "FkAAAABkV4aWYAAE1NACoAAAAIAAEBEgADAAAAAQAGAAAAAAAA"
)
"""80 × 48 pixels, white with a black box from (10, 10) to (40, 30), and turned by its metadata. No package of the
worker writes HEIC, so the picture is stored here."""


def test_a_photograph_in_heic_stands_upright():
    document = open_document(HEIC, LIMIT)
    assert (document.media_type, document.page_count) == ("image/heic", 1)
    raster = document.raster(1, 144)
    assert (raster.image.size, raster.dpi, raster.damage) == ((48, 80), None, ())
    assert raster.image.getpixel((30, 20)) == (0, 0, 0)
    assert code(HEIC[:300]) == "document_broken"


def test_exif_orientation_is_applied():
    image = Image.new("RGB", (40, 20), "white")
    exif = Image.Exif()
    exif[0x0112] = 6
    raster = open_document(encoded(image, "JPEG", exif=exif), LIMIT).raster(1, 144)
    assert (raster.image.size, raster.dpi) == ((20, 40), None)


def test_every_frame_of_a_tiff_is_a_page():
    frames = [Image.new("L", (10 + i, 10), 255) for i in range(3)]
    out = io.BytesIO()
    frames[0].save(out, "TIFF", save_all=True, append_images=frames[1:])
    document = open_document(out.getvalue(), LIMIT)
    assert (document.media_type, document.page_count) == ("image/tiff", 3)
    assert document.raster(3, 144).image.size == (12, 10)


def test_transparency_is_white_paper_and_16_bit_is_scaled():
    assert on_white(Image.new("RGBA", (1, 1), (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)
    deep = Image.fromarray(np.array([[0, 65535]], dtype=np.uint16))
    assert [on_white(deep).getpixel((x, 0))[0] for x in (0, 1)] == [0, 255]
