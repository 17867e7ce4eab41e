import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from support import encoded, picture

from fovea.pages.damage import CORRUPT, ENDS_EARLY, fax_damage, inflate, jbig2_damage, jpeg_damage, png_damage
from fovea.pages.documents import open_document

LIMIT = 50_000_000
PAGE = picture("Every line of this page has some words.\n" * 9, (800, 600), 28)


def raster(data):
    return open_document(data, LIMIT).raster(1, 72)


def flipped(data, place, bits=0x55):
    return data[:place] + bytes([data[place] ^ bits]) + data[place + 1 :]


def fax(image):
    """CCITT data, Group 4, as Pillow writes it into a TIFF."""
    out = encoded(image.convert("1"), "TIFF", compression="group4")
    with Image.open(io.BytesIO(out)) as file:
        (start,), (length,) = file.tag_v2[273], file.tag_v2[279]
    return out[start : start + length]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_whole_jpegs_are_whole_also_with_something_behind_and_without_an_end_mark(mode, options):
    data = encoded(PAGE.convert(mode), "JPEG", **options)
    padded = data[:-2] + bytes(40) + data[-2:]
    assert [jpeg_damage(whole) for whole in (data, data + b"more", data[:-2], padded)] == [None] * 4


def test_a_jpeg_that_is_cut_is_read_in_part():
    data = encoded(PAGE, "JPEG")
    cut = raster(data[: len(data) // 2])
    assert cut.damage == ("The image is damaged: it ends too early.",)
    upper = (0, 0, 800, 150)
    assert cut.image.crop(upper).tobytes() == raster(data).image.crop(upper).tobytes()


def test_a_jpeg_with_damaged_data_is_damaged():
    data = encoded(PAGE, "JPEG")
    middle = len(data) // 2
    assert jpeg_damage(data[:middle] + bytes(200) + data[middle + 200 :]) is not None


@pytest.mark.parametrize("mode", ["RGB", "P", "1", "RGBA"])
def test_whole_pngs_are_whole_also_without_their_last_chunk(mode):
    data = encoded(PAGE.convert(mode), "PNG")
    assert png_damage(data) is None and png_damage(data[:-12]) is None


def test_a_png_that_is_cut_or_changed_is_read_in_part():
    data = encoded(PAGE, "PNG")
    cut = raster(data[: len(data) * 2 // 3])
    changed = raster(flipped(data, len(data) // 2))
    for part in (cut, changed):
        assert part.damage == ("The image is damaged: parts of it are corrupt.",)
        assert np.asarray(part.image)[:200].min() == 0  # the first lines are there


def test_a_png_whose_changed_byte_is_decoded_without_complaint_is_damaged():
    data = encoded(PAGE, "PNG", compress_level=0)
    assert raster(flipped(data, len(data) // 2)).damage


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "group3", "group4"])
def test_whole_tiffs_are_whole(compression):
    image = PAGE.convert("1") if compression.startswith("group") else PAGE
    assert raster(encoded(image, "TIFF", compression=compression)).damage == ()


@pytest.mark.parametrize("filler", [bytes(40), b"\0\x10\x01" + bytes(37)], ids=["zeros", "an end mark"])
def test_a_tiff_with_damaged_fax_data_is_damaged(filler):
    data = encoded(PAGE.convert("1"), "TIFF", compression="group4")
    place = data.index(fax(PAGE)) + 1000
    assert raster(data[:place] + filler + data[place + 40 :]).damage == (
        "The image is damaged: parts of it are corrupt.",
    )


def test_a_whole_tiff_with_fax_data_in_reversed_bits_is_whole():
    data = encoded(PAGE.convert("1"), "TIFF", compression="group4", tiffinfo={266: 2})
    assert raster(data).damage == ()


def test_fax_data():
    data = fax(PAGE)
    assert fax_damage(data, 800, 600, -1, False, False) is None
    damaged = data[:1000] + bytes(40) + data[1040:]
    assert fax_damage(damaged, 800, 600, -1, False, False) == CORRUPT
    assert fax_damage(data[: len(data) // 2], 800, 600, -1, False, False) == CORRUPT
    # Codes that look like the end of the data.
    assert fax_damage(data[:1000] + b"\0\x10\x01" + data[1003:], 800, 600, -1, False, False) == CORRUPT


@pytest.mark.parametrize("size", [(1, 0), (0, -20)])
def test_a_png_of_another_size_than_its_pixels_is_damaged(size):
    data = bytearray(encoded(PAGE, "PNG"))
    data[16:24] = struct.pack(">II", 800 + size[0], 600 + size[1])
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    assert png_damage(bytes(data)) == CORRUPT


def segment(number, kind, body):
    return struct.pack(">IBBBI", number, kind, 0, 1, len(body)) + body


def test_jbig2_segments():
    whole = segment(0, 48, bytes(19)) + segment(1, 38, bytes(100))
    assert jbig2_damage(whole) is None
    assert jbig2_damage(whole + bytes(20)) is None
    assert jbig2_damage(whole[:-30]) == ENDS_EARLY
    assert jbig2_damage(b"no such data, whatever it is") is not None


def test_inflating_tells_missing_data_from_a_missing_checksum():
    text = b"q 1 0 0 1 0 0 cm " * 1000
    data = zlib.compress(text)
    assert inflate(data, 10) == (text[:10], None, len(text))
    assert [inflate(data[:-cut])[1] for cut in (1, 4)] == [None, None]
    assert inflate(data[:-12])[1] == ENDS_EARLY
    assert inflate(flipped(data, -1))[1] == CORRUPT
    assert inflate(flipped(data, 10))[1] == CORRUPT
    assert inflate(b"not zlib")[1] == CORRUPT
    flushed = zlib.compressobj()
    assert inflate(flushed.compress(text) + flushed.flush(zlib.Z_SYNC_FLUSH))[1] is None
