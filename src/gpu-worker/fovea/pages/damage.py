"""Finds damage in compressed data that decoders pass over: they draw what they can and say nothing.

Every function returns a phrase that completes "The image's data is damaged: …", or `None`. Data that only lacks its
end mark is not damaged: nothing of the picture is missing.
"""

import io
import os
import re
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

ENDS_EARLY = "it ends too early"
CORRUPT = "parts of it are corrupt"
CHUNK = 1 << 20
MAX_INFLATED = 512 << 20
"""Bytes. Longer data is checked up to here."""
COMPRESSION, FILL_ORDER, STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_BYTE_COUNTS, T4_OPTIONS = (
    259,
    266,
    273,
    278,
    279,
    292,
)
"""Tags of TIFF."""
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_TIFF_COMPLAINTS = re.compile(
    rb"Bad code word|Premature EO|Line length mismatch|Decoding error|code not yet|Corrupt", re.I
)


def jpeg_damage(data: bytes) -> str | None:
    """Decodes at an eighth of the size; the warnings of libjpeg say whether the data is whole."""
    import simplejpeg  # loads NumPy, which takes a while and which only JPEGs need

    try:
        _height, _width, space, _ = simplejpeg.decode_jpeg_header(data)
        target = {"Gray": "GRAY", "YCbCr": "GRAY", "RGB": "RGB"}.get(space, "CMYK")
        # A second end mark changes nothing, and files that lack theirs are whole without it.
        simplejpeg.decode_jpeg(data + b"\xff\xd9", target, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        message = str(error)
        if (padding := _EXTRANEOUS.search(message)) and _is_padding(data, int(padding[1])):
            return None
        return ENDS_EARLY if "remature end" in message else CORRUPT
    return None


def _is_padding(data: bytes, length: int) -> bool:
    """Whether the last `length` bytes before the end mark only fill up the file."""
    end = data.rfind(b"\xff\xd9")
    return not data[max(0, end - length) : end].strip(b"\0\xff")


def png_damage(data: bytes) -> str | None:
    """Checks the checksums of the chunks that make the first picture, and its compressed data."""
    place, pixels = 8, bytearray()
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        checksum = data[place + 8 + length : place + 12 + length]
        if len(checksum) < 4:
            if kind == b"IDAT":
                pixels += body
            break
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT") and zlib.crc32(kind + body) != int.from_bytes(
            checksum
        ):
            return CORRUPT
        if kind == b"IDAT":
            pixels += body
        if kind == b"IEND":
            break
        place += 12 + length
    _start, fault, length = inflate(bytes(pixels))
    return fault or (None if length == _png_length(data) else CORRUPT)


def _png_length(data: bytes) -> int:
    """Bytes of the pixels before compression, with the filter's byte before each row (PNG, 7.2 and 8.2)."""
    width, height, depth, colour, interlaced = struct.unpack_from(">IIBB2xB", data, 16)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 0)
    passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]
    length = 0
    for left, top, right, down in passes if interlaced else [(0, 0, 1, 1)]:
        columns, rows = (width - left + right - 1) // right, (height - top + down - 1) // down
        length += rows * (1 + (columns * bits + 7) // 8) if columns > 0 else 0
    return length


def fax_damage(data: bytes, width: int, height: int, k: int, black_is_1: bool, aligned: bool) -> str | None:
    """Decodes CCITT data; `k` is the parameter of the PDF's filter (PDF 32000-1, table 11)."""

    def decoded(data: bytes) -> bytes | None:
        with complaints() as said:
            try:
                with Image.open(io.BytesIO(_fax_tiff(data, width, height, k, black_is_1, aligned))) as image:
                    pixels = image.tobytes()
            except Exception:
                return None
        return None if tiff_fault(b"".join(said)) else pixels

    pixels = decoded(data)
    if pixels is None:
        return CORRUPT
    # libtiff stops without a word at codes that look like the end. Then the end of the data makes no difference. It
    # is long enough not to be empty rows alone.
    data = data.rstrip(b"\0")
    end = 64 + (height * 6 if k >= 0 else height if aligned else height // 8)
    return CORRUPT if len(data) > 2 * end and decoded(data[:-end]) == pixels else None


def fax_tiff_damage(image: Image.Image, data: bytes) -> str | None:
    """Checks the strips of a page of a TIFF file if they are CCITT data (TIFF 6.0)."""
    tags = image.tag_v2
    if tags.get(COMPRESSION) not in (3, 4):
        return None
    width, height = image.size
    k = -1 if tags[COMPRESSION] == 4 else tags.get(T4_OPTIONS, 0) & 1
    aligned, rows = bool(tags.get(T4_OPTIONS, 0) & 4), tags.get(ROWS_PER_STRIP, height)
    for index, (start, length) in enumerate(
        zip(tags.get(STRIP_OFFSETS, ()), tags.get(STRIP_BYTE_COUNTS, ()), strict=False)
    ):
        strip = data[start : start + length]
        strip = strip.translate(REVERSED) if tags.get(FILL_ORDER, 1) == 2 else strip
        strip_rows = min(rows, height - index * rows)
        if fault := fax_damage(strip, width, strip_rows, k, False, aligned):
            return fault
    return None


def _fax_tiff(data: bytes, width: int, height: int, k: int, black_is_1: bool, aligned: bool) -> bytes:
    """The data as a TIFF of one strip."""
    group3 = [(292, 4, (1 if k > 0 else 0) | (4 if aligned else 0))]
    fields = [(256, 4, width), (257, 4, height), (258, 3, 1), (259, 3, 4 if k < 0 else 3)]
    fields += [(262, 3, int(black_is_1)), (273, 4, 0), (277, 3, 1), (278, 4, height), (279, 4, len(data))]
    fields += [] if k < 0 else group3
    start = 8 + 2 + 12 * len(fields) + 4
    head = b"II*\0" + struct.pack("<IH", 8, len(fields))
    for tag, kind, value in fields:
        head += struct.pack("<HHII", tag, kind, 1, start if tag == 273 else value)
    return head + bytes(4) + data


def tiff_fault(said: bytes) -> str | None:
    """What libtiff's messages mean for a picture that was decoded nevertheless."""
    return CORRUPT if _TIFF_COMPLAINTS.search(said) else None


@contextmanager
def complaints() -> Iterator[list[bytes]]:
    """Collects what native libraries write to standard error, where libtiff reports damage that it passes over."""
    said: list[bytes] = []
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            said.append(file.read(1 << 16))


def jbig2_damage(data: bytes) -> str | None:
    """Walks the segments (ITU-T T.88, 7.2). Arithmetic coding has no checksum: damage inside of one is not found."""
    place = 0
    try:
        while place < len(data):
            number, flags, count = struct.unpack_from(">IBB", data, place)
            place += 5
            referred = count >> 5
            if referred == 7:
                referred = struct.unpack_from(">I", data, place)[0] & 0x1FFFFFFF
                place += 4 + (referred + 8) // 8
            elif referred > 4:
                return CORRUPT
            else:
                place += 1
            place += referred * (1 if number <= 256 else 2 if number <= 65536 else 4)
            place += 4 if flags & 0x40 else 1
            (length,) = struct.unpack_from(">I", data, place)
            place += 4
            if flags & 63 not in _JBIG2_SEGMENTS:
                # Padding after the last segment is harmless.
                return None if not data[place - 4 :].strip(b"\0\r\n") else CORRUPT
            if length == 0xFFFFFFFF:
                return None
            place += length
    except struct.error:
        return ENDS_EARLY if data[place:].strip(b"\0\r\n") else None
    return ENDS_EARLY if place > len(data) else None


_JBIG2_SEGMENTS = frozenset((0, 4, 6, 7, 16, 20, 22, 23, 36, 38, 39, 40, 42, 43, 48, 49, 50, 51, 52, 53, 62))


def inflate(data: bytes, keep: int = 0) -> tuple[bytes, str | None, int]:
    """Inflates zlib data in bounded memory: its first `keep` bytes, the damage and the length."""
    if len(data) < 2 or data[0] & 15 != 8 or int.from_bytes(data[:2]) % 31:
        return b"", CORRUPT if data else ENDS_EARLY, 0
    # Without the header, so that the end of the data is told from that of the checksum, which many files cut off.
    stream, rest = zlib.decompressobj(-15), data[2:]
    kept, length, checksum = bytearray(), 0, 1
    try:
        while not stream.eof and length < MAX_INFLATED:
            part = stream.decompress(rest, CHUNK)
            rest = stream.unconsumed_tail
            if not part and not rest:
                break
            checksum = zlib.adler32(part, checksum)
            length += len(part)
            kept += part[: max(0, keep - len(kept))]
    except zlib.error:
        return bytes(kept), CORRUPT, length
    fault = None
    if stream.eof:
        end = stream.unused_data[:4]
        if len(end) == 4 and int.from_bytes(end) != checksum:
            fault = CORRUPT
    elif length < MAX_INFLATED and not data.rstrip(b"\r\n").endswith(b"\0\0\xff\xff"):
        fault = ENDS_EARLY  # A stream that was flushed but not closed is whole.
    return bytes(kept), fault, length
