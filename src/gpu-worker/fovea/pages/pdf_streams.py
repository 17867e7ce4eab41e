"""Undoes the filters of a PDF's streams strictly, and finds damage that PDFium passes over."""

import base64
import binascii
import io
import re
from dataclasses import dataclass
from typing import Any

from PIL import Image
from pypdf.errors import LimitReachedError
from pypdf.filters import LZWDecode
from pypdf.generic import ArrayObject, DictionaryObject, StreamObject

from fovea.pages.damage import CORRUPT, ENDS_EARLY, fax_damage, inflate, jbig2_damage, jpeg_damage
from fovea.pages.pdf_objects import MISSING, entry, listed, resolve

MAX_CONTENT = 32 << 20
"""Bytes of decoded content that are looked at."""
FILTERS = {
    "/A85": "/ASCII85Decode",
    "/AHx": "/ASCIIHexDecode",
    "/CCF": "/CCITTFaxDecode",
    "/DCT": "/DCTDecode",
    "/Fl": "/FlateDecode",
    "/LZW": "/LZWDecode",
    "/RL": "/RunLengthDecode",
}
DEPTHS = (1, 2, 4, 8, 16)
"""Bits of a component (PDF 32000-1, table 89)."""
SPARE = 4096
"""Bytes behind the pixels that only fill up the stream."""
IMAGE_FILTERS = ("/DCTDecode", "/JPXDecode", "/CCITTFaxDecode", "/JBIG2Decode")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A stream whose filters were undone up to a codec for images."""

    data: bytes
    """Its first bytes, as many as were asked for; all of it for a codec."""
    length: int
    fault: str | None
    """Completes "its data is damaged: …"."""
    codec: str | None
    parameters: Any
    """Of the last filter."""


def decode(stream: StreamObject, keep: int) -> Decoded:
    """Undoes filters until one fails. `keep`: bytes of the result that are needed."""
    data: bytes = stream._data
    length, parameters = len(data), None
    filters = listed(entry(stream, "/Filter", "/F"))
    settings = listed(entry(stream, "/DecodeParms", "/DP"))
    for index, name in enumerate(filters):
        name = FILTERS.get(name, name)
        parameters = settings[index] if index < len(settings) else None
        if name in IMAGE_FILTERS:
            return Decoded(data, length, None if data else ENDS_EARLY, name, parameters)
        if name == "/FlateDecode":
            data, fault, length = inflate(data, keep if index == len(filters) - 1 else MAX_CONTENT)
        elif name == "/LZWDecode":
            data, fault = _lzw(data, parameters)
            length = len(data)
        elif name in _DECODERS:
            data, fault = _DECODERS[name](data)
            length = len(data)
        elif name != "/Crypt":
            known = name if isinstance(name, str) and re.fullmatch(r"/\w{1,40}", name) else "/?"
            return Decoded(b"", 0, f"its filter {known[1:]} is not known", None, parameters)
        else:
            fault = None
        if fault:
            return Decoded(data[:keep], length, fault, None, parameters)
    return Decoded(data[:keep], length, None, None, parameters)


def fault_of(stream: StreamObject) -> str | None:
    """The damage of a stream that is no image."""
    decoded = decode(stream, 0)
    data = stream._data
    if not decoded.fault and not entry(stream, "/Filter") and data[:1] == b"x" and not inflate(data)[1]:
        return "its filter is missing"
    return decoded.fault or (f"its filter {decoded.codec[1:]} is for images" if decoded.codec else None)


def image_fault(image: StreamObject) -> str | None:
    """The damage of an image's own data."""
    width, height = entry(image, "/Width"), entry(image, "/Height")
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
        return "its size is missing"
    decoded = decode(image, MAX_CONTENT)
    data, parameters = decoded.data, decoded.parameters
    if decoded.fault:
        return decoded.fault
    match decoded.codec:
        case "/DCTDecode":
            return jpeg_damage(data)
        case "/JPXDecode":
            return _jpx_damage(data)
        case "/JBIG2Decode":
            tables = entry(parameters, "/JBIG2Globals")
            broken = tables is MISSING or (isinstance(tables, StreamObject) and decode(tables, 0).fault)
            return CORRUPT if broken else jbig2_damage(data)
        case "/CCITTFaxDecode":
            k, columns = entry(parameters, "/K"), entry(parameters, "/Columns")
            return fax_damage(
                data,
                columns if isinstance(columns, int) else 1728,
                height,
                k if isinstance(k, int) else 0,
                bool(entry(parameters, "/BlackIs1")),
                bool(entry(parameters, "/EncodedByteAlign")),
            )
    if not entry(image, "/ImageMask"):
        if entry(image, "/ColorSpace", "/CS") in (None, MISSING):
            return "its colors are missing"
        if entry(image, "/BitsPerComponent", "/BPC") not in DEPTHS:
            return "its depth is missing"
    row = _row_bytes(image, width)
    if row is None:
        return None
    predictor = entry(parameters, "/Predictor")
    row += isinstance(predictor, int) and predictor >= 10
    if decoded.length > 2 * row * height + SPARE:
        return "it has more rows than the image"
    # A last row that is not complete is common and shows nothing.
    return ENDS_EARLY if decoded.length < row * (height - 1) else None


def _row_bytes(image: StreamObject, width: int) -> int | None:
    """Bytes of a row, or `None` if the colour space is not known."""
    if entry(image, "/ImageMask"):
        return (width + 7) // 8
    bits, space = entry(image, "/BitsPerComponent"), entry(image, "/ColorSpace")
    components = {"/DeviceGray": 1, "/DeviceRGB": 3, "/DeviceCMYK": 4, "/G": 1, "/RGB": 3, "/CMYK": 4}
    if isinstance(space, ArrayObject) and space:
        kind = space[0]
        if kind == "/ICCBased":
            profile = resolve(space[1]) if len(space) > 1 else None
            count = entry(profile, "/N")
        elif kind == "/DeviceN":
            inks = resolve(space[1]) if len(space) > 1 else None
            count = len(inks) if isinstance(inks, ArrayObject) else None
        else:
            count = {
                "/Indexed": 1,
                "/I": 1,
                "/Separation": 1,
                "/CalGray": 1,
                "/CalRGB": 3,
                "/Lab": 3,
            }.get(kind)
    else:
        count = components.get(space) if isinstance(space, str) else None
    if not isinstance(bits, int) or not isinstance(count, int):
        return None
    return (width * count * bits + 7) // 8


def _lzw(data: bytes, parameters: Any) -> tuple[bytes, str | None]:
    try:
        return LZWDecode.decode(data, parameters if isinstance(parameters, DictionaryObject) else None), None
    except LimitReachedError:
        raise
    except Exception:
        return b"", CORRUPT


def _ascii85(data: bytes) -> tuple[bytes, str | None]:
    body = re.sub(rb"\s+", b"", data).removeprefix(b"<~").partition(b"~")[0]
    try:
        return base64.a85decode(body), None
    except ValueError:
        return b"", CORRUPT


def _ascii_hex(data: bytes) -> tuple[bytes, str | None]:
    body = re.sub(rb"\s+", b"", data).partition(b">")[0]
    try:
        return binascii.unhexlify(body + b"0" * (len(body) % 2)), None
    except ValueError:
        return b"", CORRUPT


def _run_lengths(data: bytes) -> tuple[bytes, str | None]:
    out, place = bytearray(), 0
    while place < len(data) and (length := data[place]) != 128:
        run = (
            data[place + 1 : place + 2 + length]
            if length < 128
            else data[place + 1 : place + 2] * (257 - length)
        )
        if len(run) < (length + 1 if length < 128 else 2):
            return bytes(out), ENDS_EARLY
        out += run
        place += length + 2 if length < 128 else 2
    return bytes(out), CORRUPT if data[place + 1 :].strip() else None


def _jpx_damage(data: bytes) -> str | None:
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG2000"]) as image:
            image.load()
    except MemoryError:
        raise
    except Exception:
        return CORRUPT
    return None


_DECODERS = {
    "/ASCII85Decode": _ascii85,
    "/ASCIIHexDecode": _ascii_hex,
    "/RunLengthDecode": _run_lengths,
}
