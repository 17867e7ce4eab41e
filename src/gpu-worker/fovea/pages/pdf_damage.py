"""Finds damage in a PDF's pages. PDFium leaves out what it cannot decode, without a word.

A page is followed from its content through the names that it uses: images, forms, fonts, patterns and annotations. What
the page does not use is not looked at. Streams are decoded strictly (`fovea.pages.damage`).
"""

import base64
import binascii
import io
import logging
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pypdf
from PIL import Image
from pypdf.errors import LimitReachedError
from pypdf.filters import LZWDecode
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NullObject, StreamObject

from fovea.pages.damage import CORRUPT, ENDS_EARLY, fax_damage, inflate, jbig2_damage, jpeg_damage

logging.getLogger("pypdf").setLevel(logging.CRITICAL)

LIMIT_S = 5.0
"""Seconds of a page's check. A page that takes longer counts as undamaged."""
MAX_CONTENT = 32 << 20
"""Bytes of a page's decoded content that are looked at."""
MAX_COORDINATE = 1e6
"""Of a page, in points."""
MAX_DEPTH = 12
MAX_OBJECTS = 8_388_607
"""Of a PDF (PDF 32000-1, annex C)."""
MAX_REASONS = 10
UNPARSABLE = "The PDF's structure is damaged; parts of the page may be missing."
PAGES_LOST = "The PDF's list of pages is damaged; pages may be missing."
CONTENT = "The page's content is damaged: {}."
CONTENT_MISSING = "A part of the page's content is missing."
IMAGE = "An image on the page is damaged: {}."
IMAGE_MISSING = "An image or a form on the page is missing."
FONT = "A font of the page is damaged; its text may be missing or wrong."
FONT_MISSING = "A font of the page is missing; its text may be missing or wrong."
PATTERN = "A pattern on the page is damaged."
ANNOTATION = "An annotation or form field on the page is damaged."

FILTERS = {
    "/A85": "/ASCII85Decode",
    "/AHx": "/ASCIIHexDecode",
    "/CCF": "/CCITTFaxDecode",
    "/DCT": "/DCTDecode",
    "/Fl": "/FlateDecode",
    "/LZW": "/LZWDecode",
    "/RL": "/RunLengthDecode",
}
IMAGE_FILTERS = ("/DCTDecode", "/JPXDecode", "/CCITTFaxDecode", "/JBIG2Decode")
OPERATORS = frozenset(
    b"b B b* B* BDC BI BMC BT BX c cm CS cs d d0 d1 Do DP EI EMC ET EX f F f* G g gs h i ID j J K k l m M MP n q Q "
    b"re RG rg ri s S SC sc SCN scn sh T* Tc Td TD Tf Tj TJ TL Tm Tr Ts Tw Tz v w W W* y ' \" true false null".split()
)
STREAMS_OF_PAGES = frozenset(("/Contents", "/Metadata", "/Thumb"))
FONTS = ("/Type0", "/Type1", "/MMType1", "/Type3", "/TrueType")
CID_FONTS = ("/CIDFontType0", "/CIDFontType2")
PROGRAMS = (b"\0\1\0\0", b"true", b"OTTO", b"ttcf", b"typ1", b"%!", b"\x80\1", b"\1\0")
"""How the programs of fonts begin: TrueType, OpenType, Type 1, CFF."""
_REGULAR = rb"[^\0\t\n\f\r ()<>\[\]{}/%]"
_LITERALS = re.compile(
    rb"\((?:[^()\\]|\\.|\((?:[^()\\]|\\.|\((?:[^()\\]|\\.|\([^()\\]*\))*\))*\))*\)"  # a string
    rb"|<[0-9A-Fa-f\s]*>|%[^\r\n]*"
    # An inline image: its end is followed by text, so that the same letters inside of it do not count.
    rb"|(?<![^\s\]>)])BI(?=[\s/]).*?\sID\s.*?\s?EI(?=[\s](?:[\t\n\r -~]{12}|[\t\n\r -~]{0,11}\Z)|\Z)",
    re.DOTALL,
)
_USES = re.compile(
    rb"/(" + _REGULAR + rb"+)[\s]+(?:[-+.\d]+[\s]+)?(Do|Tf|gs|sh|scn|SCN)(?!" + _REGULAR + rb")"
)
_NAMES = re.compile(rb"/" + _REGULAR + rb"*")
_NUMBER = re.compile(rb"[-+.\dEe]+")
_BRACKETS = bytes.maketrans(b"[]<>{}()\0", b"         ")


class _TooLong(BaseException):
    """Not an `Exception`, so that no library mistakes it for a fault of the document."""


class PdfCheck:
    """The damage in the pages of a PDF. Not for several threads at once."""

    def __init__(self, data: bytes, page_count: int, copy: Callable[[], bytes]):
        """`page_count` is that of PDFium; `copy` is called for PDFium's own copy, repaired and without encryption."""
        self._known: dict[int, tuple[Any, frozenset[str]]] = {}
        self._reader: pypdf.PdfReader | None = None
        self._everywhere: set[str] = set()
        try:
            with _time_limit():
                # Leading bytes do not count: PDFium, too, looks for the head and counts offsets from there.
                data = data[max(0, data[:1024].find(b"%PDF-")) :]
                reader = _read(data)
                # Where the table of objects is wrong, pypdf and PDFium repair the file each in its own way.
                if reader is None or not _is_sound(reader, data):
                    reader = _read(copy())
                    if _has_doubles(data):
                        self._everywhere.add(UNPARSABLE)
                self._reader = reader
                if len(self._reader.pages) != page_count:
                    self._everywhere.add(PAGES_LOST)
        except (_TooLong, LimitReachedError):
            self._reader = None
        except Exception:
            self._reader = None
            self._everywhere.add(UNPARSABLE)

    def page(self, number: int) -> tuple[str, ...]:
        """Sentences that say what of page `number` cannot be drawn as it was; empty if the page is whole."""
        found = set(self._everywhere)
        if self._reader and number <= len(self._reader.pages):
            try:
                with _time_limit():
                    found |= self._page(self._reader.pages[number - 1])
            except (_TooLong, LimitReachedError, MemoryError):
                pass
            except Exception:
                found.add(UNPARSABLE)
        return tuple(sorted(found)[:MAX_REASONS])

    def xfa_only(self) -> bool:
        """Whether the document is a form whose fields are only described in XFA."""
        with suppress(Exception):
            form = _get(self._reader.root_object, "/AcroForm")
            return _get(form, "/XFA") is not None and not _get(form, "/Fields")
        return False

    def _page(self, page: DictionaryObject) -> set[str]:
        found: set[str] = set()
        # PDFium takes what a page inherits from its parent, whatever object that is.
        astray = "/Parent" in page and _get(_get(page, "/Parent"), "/Kids") is None
        if _get(page, "/Type") != "/Page" or not _is_box(_get(page, "/MediaBox")) or astray:
            found.add(UNPARSABLE)
        contents = _get(page, "/Contents")
        # A stream under a name that no version of PDF knows is content whose name is damaged.
        if contents is None and any(
            isinstance(_get(page, key), StreamObject) for key in page.keys() - STREAMS_OF_PAGES
        ):
            found.add(CONTENT_MISSING)
        parts = (
            list(contents) if isinstance(contents, ArrayObject) else [] if contents is None else [contents]
        )
        data, left = [], MAX_CONTENT
        for part in parts:
            stream = _resolve(part) if isinstance(part, IndirectObject) else part
            if isinstance(stream, StreamObject):
                decoded = self._decoded(stream, left)
                data.append(decoded)
                left -= len(decoded)
                found |= self._content_fault(stream)
            elif stream is not None:
                found.add(CONTENT_MISSING)
        found |= self._uses(b"\n".join(data), _get(page, "/Resources"), 0)
        annotations = _get(page, "/Annots")
        for raw in annotations if isinstance(annotations, ArrayObject) else ():
            found |= self._annotation(_resolve(raw) if isinstance(raw, IndirectObject) else raw)
        return found

    def _annotation(self, annotation: Any) -> set[str]:
        if annotation is _MISSING:
            return {ANNOTATION}
        if not isinstance(annotation, DictionaryObject) or _get(annotation, "/Subtype") == "/Popup":
            return set()
        flags = _get(annotation, "/F")
        if isinstance(flags, int) and flags & 0b100010:  # hidden, or only printed
            return set()
        appearance = _get(annotation, "/AP")
        if appearance is _MISSING:
            return {ANNOTATION}
        normal = _get(appearance, "/N")
        if isinstance(normal, DictionaryObject) and not isinstance(normal, StreamObject):
            state = _get(annotation, "/AS")
            normal = _get(normal, state) if isinstance(state, str) else None
        if normal is _MISSING:
            return {ANNOTATION}
        # Appearances often name a standard font without saying where it is, and are drawn with it.
        return self._form(normal, None, 1) - {FONT_MISSING} if isinstance(normal, StreamObject) else set()

    def _uses(self, content: bytes, resources: Any, depth: int) -> set[str]:
        """The damage of the content itself and of what it names."""
        found: set[str] = set()
        if depth > MAX_DEPTH:
            return found
        bare = _LITERALS.sub(b" ", content[:MAX_CONTENT])
        if len(content) <= MAX_CONTENT and b"BX" not in bare:
            words = set(_NAMES.sub(b" ", bare).translate(_BRACKETS).split())
            if any(word not in OPERATORS and not _NUMBER.fullmatch(word) for word in words):
                found.add(CONTENT.format("it contains unknown operators"))
        for name, operator in set(_USES.findall(bare)):
            key = "/" + _name(name)
            if operator == b"Do":
                found |= self._xobject(_of(resources, "/XObject", key), resources, depth)
            elif operator == b"Tf":
                font = _of(resources, "/Font", key)
                found |= {FONT_MISSING} if font in (None, _MISSING) else self._once(font, self._font)
            else:
                kind = {b"gs": "/ExtGState", b"sh": "/Shading"}.get(operator, "/Pattern")
                found |= self._paint(_of(resources, kind, key), resources, depth)
        return found

    def _xobject(self, xobject: Any, resources: Any, depth: int) -> set[str]:
        if not isinstance(xobject, StreamObject):
            return {IMAGE_MISSING}
        if _get(xobject, "/Subtype") == "/Image":
            return self._once(xobject, self._image)
        if _get(xobject, "/Subtype") == "/Form":
            return self._form(xobject, resources, depth + 1)
        return {IMAGE_MISSING}

    def _form(self, form: StreamObject, inherited: Any, depth: int) -> set[str]:
        def check(form: StreamObject) -> set[str]:
            resources = _get(form, "/Resources")
            content = self._decoded(form, MAX_CONTENT)
            own = resources if isinstance(resources, DictionaryObject) else inherited
            return self._content_fault(form) | self._uses(content, own, depth)

        return self._once(form, check)

    def _paint(self, paint: Any, resources: Any, depth: int) -> set[str]:
        """A graphics state, pattern or shading. One that is missing changes the look only, so it is no damage."""
        if not isinstance(paint, DictionaryObject):
            return set()
        mask = _get(paint, "/SMask")
        if isinstance(mask, DictionaryObject):
            group = _get(mask, "/G")
            return self._form(group, resources, depth + 1) if isinstance(group, StreamObject) else {PATTERN}
        shading = _get(paint, "/Shading")
        paint = shading if isinstance(shading, DictionaryObject) else paint
        if not isinstance(paint, StreamObject):
            return set()
        if "/ShadingType" in paint:
            return {PATTERN} if self._fault(paint) else set()
        return {PATTERN} if self._form(paint, resources, depth + 1) else set()

    def _font(self, font: Any) -> set[str]:
        if not isinstance(font, DictionaryObject) or _get(font, "/Subtype") not in FONTS:
            return {FONT_MISSING}
        descendants = _get(font, "/DescendantFonts")
        if isinstance(descendants, ArrayObject) and descendants:
            descendant = _resolve(descendants[0])
            if not isinstance(descendant, DictionaryObject) or _get(descendant, "/Subtype") not in CID_FONTS:
                return {FONT_MISSING}
            return self._font_streams(font) | self._font_streams(descendant)
        return self._font_streams(font)

    def _font_streams(self, font: DictionaryObject) -> set[str]:
        descriptor = _get(font, "/FontDescriptor")
        glyph_ids = _get(font, "/CIDToGIDMap")
        # A table of glyphs, not a CMap.
        if isinstance(glyph_ids, StreamObject) and b"begincmap" in self._decode(glyph_ids, 4096)[0]:
            return {FONT}
        streams = [_get(font, "/Encoding"), glyph_ids]
        if isinstance(descriptor, DictionaryObject):
            for key in ("/FontFile", "/FontFile2", "/FontFile3"):
                program = _get(descriptor, key)
                if isinstance(program, StreamObject) and not self._decode(program, 4)[0].startswith(PROGRAMS):
                    return {FONT}
                streams.append(program)
        glyphs = _get(font, "/CharProcs")
        if isinstance(glyphs, DictionaryObject):
            streams += [_get(glyphs, key) for key in glyphs]
        if descriptor is _MISSING or _MISSING in streams:
            return {FONT_MISSING}
        broken = (isinstance(stream, StreamObject) and self._fault(stream) for stream in streams)
        return {FONT} if any(broken) else set()

    def _image(self, image: StreamObject) -> set[str]:
        found: set[str] = set()
        width, height = _get(image, "/Width"), _get(image, "/Height")
        if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
            return {IMAGE.format("its size is missing")}
        data, length, codec, fault, parameters = self._decode(image, MAX_CONTENT, whole=True)
        if fault is None and codec == "/DCTDecode":
            fault = jpeg_damage(data)
        elif fault is None and codec == "/JPXDecode":
            fault = _jpx_damage(data)
        elif fault is None and codec == "/JBIG2Decode":
            tables = _get(parameters, "/JBIG2Globals")
            broken = tables is _MISSING or (isinstance(tables, StreamObject) and self._decode(tables, 0)[3])
            fault = CORRUPT if broken else jbig2_damage(data)
        elif fault is None and codec == "/CCITTFaxDecode":
            k = _get(parameters, "/K")
            columns = _get(parameters, "/Columns")
            fault = fax_damage(
                data,
                columns if isinstance(columns, int) else 1728,
                height,
                k if isinstance(k, int) else 0,
                bool(_get(parameters, "/BlackIs1")),
                bool(_get(parameters, "/EncodedByteAlign")),
            )
        elif fault is None and (row := self._row_bytes(image, width)):
            predictor = _get(parameters, "/Predictor")
            row += isinstance(predictor, int) and predictor >= 10
            # A last row that is not complete is common and shows nothing.
            fault = ENDS_EARLY if length < row * (height - 1) else None
        if fault:
            found.add(IMAGE.format(fault))
        for key in ("/SMask", "/Mask"):
            mask = _get(image, key)
            if mask is _MISSING:
                found.add(IMAGE_MISSING)
            elif isinstance(mask, StreamObject):
                found |= self._once(mask, self._image)
        return found

    def _row_bytes(self, image: StreamObject, width: int) -> int | None:
        """Bytes of a row, or `None` if the colour space is not known."""
        if _get(image, "/ImageMask"):
            return (width + 7) // 8
        bits, space = _get(image, "/BitsPerComponent"), _get(image, "/ColorSpace")
        components = {"/DeviceGray": 1, "/DeviceRGB": 3, "/DeviceCMYK": 4, "/G": 1, "/RGB": 3, "/CMYK": 4}
        if isinstance(space, ArrayObject) and space:
            kind = space[0]
            if kind == "/ICCBased":
                profile = _resolve(space[1]) if len(space) > 1 else None
                count = _get(profile, "/N")
            elif kind == "/DeviceN":
                inks = _resolve(space[1]) if len(space) > 1 else None
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

    def _content_fault(self, stream: StreamObject) -> set[str]:
        fault = self._fault(stream)
        return {CONTENT.format(fault)} if fault else set()

    def _fault(self, stream: StreamObject) -> str | None:
        """The damage of a stream that is no image."""
        _data, _length, codec, fault, _parameters = self._decode(stream, 0)
        if (
            not fault
            and not _get(stream, "/Filter")
            and stream._data[:1] == b"x"
            and not inflate(stream._data)[1]
        ):
            return "its filter is missing"
        return fault or (f"its filter {codec[1:]} is for images" if codec else None)

    def _decoded(self, stream: StreamObject, limit: int) -> bytes:
        return self._decode(stream, limit)[0]

    def _decode(
        self, stream: StreamObject, keep: int, whole: bool = False
    ) -> tuple[bytes, int, str | None, str | None, Any]:
        """Undoes the filters up to a codec for images.

        Returns the first `keep` bytes, the length, the codec, the fault and the parameters of the last filter.
        """
        data: bytes = stream._data
        length, parameters = len(data), None
        filters = _listed(_get(stream, "/Filter", "/F"))
        settings = _listed(_get(stream, "/DecodeParms", "/DP"))
        for index, name in enumerate(filters):
            name = FILTERS.get(name, name)
            parameters = settings[index] if index < len(settings) else None
            if name in IMAGE_FILTERS:
                return data, length, name, None if data else ENDS_EARLY, parameters
            last = index == len(filters) - 1
            if name == "/FlateDecode":
                data, fault, length = inflate(data, keep if last else MAX_CONTENT)
            elif name == "/ASCII85Decode":
                data, fault = _ascii85(data)
                length = len(data)
            elif name == "/ASCIIHexDecode":
                data, fault = _ascii_hex(data)
                length = len(data)
            elif name == "/RunLengthDecode":
                data, fault = _run_lengths(data)
                length = len(data)
            elif name == "/LZWDecode":
                fault = None
                try:
                    data = LZWDecode.decode(
                        data, parameters if isinstance(parameters, DictionaryObject) else None
                    )
                except LimitReachedError:
                    raise
                except Exception:
                    data, fault = b"", CORRUPT
                length = len(data)
            elif name == "/Crypt":
                fault = None
            else:
                known = name if isinstance(name, str) and re.fullmatch(r"/\w{1,40}", name) else "/?"
                return b"", 0, None, f"its filter {known[1:]} is not known", parameters
            if fault:
                return data[:keep], length, None, fault, parameters
        return data[:keep], length, None, None, parameters

    def _once(self, thing: Any, check: Callable[[Any], set[str]]) -> set[str]:
        """The damage of an object that pages share. An object that contains itself adds nothing."""
        if id(thing) not in self._known:
            self._known[id(thing)] = (thing, frozenset())
            try:
                self._known[id(thing)] = (thing, frozenset(check(thing)))
            except BaseException:
                del self._known[id(thing)]
                raise
        return set(self._known[id(thing)][1])


def _is_box(box: Any) -> bool:
    """Whether the four numbers make a rectangle of a size that a page may have (PDF 32000-1, 7.9.5 and annex C)."""
    if not isinstance(box, ArrayObject) or len(box) != 4:
        return False
    sides = [_resolve(side) for side in box]
    if not all(isinstance(side, int | float) and abs(side) <= MAX_COORDINATE for side in sides):
        return False
    left, bottom, right, top = map(float, sides)
    return left != right and bottom != top


def _is_sound(reader: pypdf.PdfReader, data: bytes) -> bool:
    """Whether the table of objects stands where `startxref` says, is complete, and every object where it says."""
    end = data.rfind(b"startxref") + 9
    start = re.match(rb"\s*(\d{1,12})", data[end : end + 32])
    place = int(start[1]) if start else len(data)
    if not re.match(rb"\s*(xref|\d+\s+\d+\s+obj)", data[place : place + 32]):
        return False
    # pypdf leaves entries out that lead elsewhere, and then searches the file for the object. PDFium does not.
    size = _get(reader.trailer, "/Size")
    free = {
        number
        for entries in reader.xref_free_entry.values()
        for number, is_free in entries.items()
        if is_free
    }
    known = (
        {number for places in reader.xref.values() for number in places} | reader.xref_objStm.keys() | free
    )
    if not isinstance(size, int) or size > MAX_OBJECTS or not known.issuperset(range(1, size)):
        return False
    return all(
        _stands_at(reader, number, place)
        for places in reader.xref.values()
        for number, place in places.items()
        if number not in free and number not in reader.xref_objStm
    )


def _has_doubles(data: bytes) -> bool:
    """Whether two objects have the same number although the file was never updated."""
    numbers = re.findall(rb"(?<!\d)(\d+) +\d+ +obj\b", data)
    return data.count(b"startxref") == 1 and len(numbers) != len(set(numbers))


def _read(data: bytes) -> pypdf.PdfReader | None:
    with suppress(Exception):  # pypdf raises many kinds of errors for a broken file
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        if not reader.is_encrypted and len(reader.pages) > 0:
            return reader
    return None


_MISSING = object()
"""The value of a reference to an object that the file does not have."""


def _resolve(raw: Any) -> Any:
    if not isinstance(raw, IndirectObject):
        return None if isinstance(raw, NullObject) else raw
    value = raw.get_object()
    if value is None or not _is_there(raw):
        return _MISSING
    return None if isinstance(value, NullObject) else value  # an object that was deleted properly


def _is_there(raw: IndirectObject) -> bool:
    """Whether the object stands at its place in the file. pypdf takes the next one if it does not."""
    place = raw.pdf.xref.get(raw.generation, {}).get(raw.idnum)
    return place is None or raw.idnum in raw.pdf.xref_objStm or _stands_at(raw.pdf, raw.idnum, place)


def _stands_at(reader: pypdf.PdfReader, number: int, place: int) -> bool:
    reader.stream.seek(place)
    head = re.match(rb"\s*(\d+)\s+\d+\s+obj", reader.stream.read(64))
    return head is not None and int(head[1]) == number


def _get(thing: Any, *keys: str) -> Any:
    """The value of the first of `keys` that a dictionary has; `_MISSING` if its reference leads nowhere."""
    for key in keys:
        if isinstance(thing, DictionaryObject) and key in thing:
            return _resolve(thing.raw_get(key))
    return None


def _of(resources: Any, kind: str, key: str) -> Any:
    return _get(_get(resources, kind), key)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, ArrayObject):
        return [_resolve(item) for item in value]
    return [] if value is None else [value]


def _name(raw: bytes) -> str:
    """A name as pypdf decodes it."""
    raw = re.sub(rb"#([0-9A-Fa-f]{2})", lambda match: bytes.fromhex(match[1].decode()), raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


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


@contextmanager
def _time_limit() -> Iterator[None]:
    """Ends the check with `_TooLong`. Only a main thread can be interrupted: that of an isolated document."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
