"""Finds damage in a PDF's pages. PDFium leaves out what it cannot decode, without a word.

A page is followed from its content through the names that it uses: images, forms, fonts, patterns and annotations. What
the page does not use is not looked at. Streams are decoded strictly (`fovea.pages.damage`).
"""

import logging
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pypdf
from pypdf.errors import LimitReachedError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from fovea.pages.pdf_objects import (
    MISSING,
    entry,
    has_doubles,
    is_box,
    is_sound,
    plain_name,
    read_pdf,
    resolve,
    resource,
)
from fovea.pages.pdf_streams import MAX_CONTENT, decode, fault_of, image_fault

logging.getLogger("pypdf").setLevel(logging.CRITICAL)

LIMIT_S = 5.0
"""Seconds of a page's check. A page that takes longer counts as undamaged."""
MAX_DEPTH = 12
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
                reader = read_pdf(data)
                # Where the table of objects is wrong, pypdf and PDFium repair the file each in its own way.
                if reader is None or not is_sound(reader, data):
                    reader = read_pdf(copy())
                    if has_doubles(data):
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
            form = entry(self._reader.root_object, "/AcroForm")
            return entry(form, "/XFA") is not None and not entry(form, "/Fields")
        return False

    def _page(self, page: DictionaryObject) -> set[str]:
        found: set[str] = set()
        # PDFium takes what a page inherits from its parent, whatever object that is.
        astray = "/Parent" in page and entry(entry(page, "/Parent"), "/Kids") is None
        if entry(page, "/Type") != "/Page" or not is_box(entry(page, "/MediaBox")) or astray:
            found.add(UNPARSABLE)
        contents = entry(page, "/Contents")
        # A stream under a name that no version of PDF knows is content whose name is damaged.
        if contents is None and any(
            isinstance(entry(page, key), StreamObject) for key in page.keys() - STREAMS_OF_PAGES
        ):
            found.add(CONTENT_MISSING)
        parts = (
            list(contents) if isinstance(contents, ArrayObject) else [] if contents is None else [contents]
        )
        data, left = [], MAX_CONTENT
        for part in parts:
            stream = resolve(part) if isinstance(part, IndirectObject) else part
            if isinstance(stream, StreamObject):
                decoded = decode(stream, left).data
                data.append(decoded)
                left -= len(decoded)
                found |= _content_fault(stream)
            elif stream is not None:
                found.add(CONTENT_MISSING)
        found |= self._uses(b"\n".join(data), entry(page, "/Resources"), 0)
        annotations = entry(page, "/Annots")
        for raw in annotations if isinstance(annotations, ArrayObject) else ():
            found |= self._annotation(resolve(raw) if isinstance(raw, IndirectObject) else raw)
        return found

    def _annotation(self, annotation: Any) -> set[str]:
        if annotation is MISSING:
            return {ANNOTATION}
        if not isinstance(annotation, DictionaryObject) or entry(annotation, "/Subtype") == "/Popup":
            return set()
        flags = entry(annotation, "/F")
        if isinstance(flags, int) and flags & 0b100010:  # hidden, or only printed
            return set()
        appearance = entry(annotation, "/AP")
        if appearance is MISSING:
            return {ANNOTATION}
        normal = entry(appearance, "/N")
        if isinstance(normal, DictionaryObject) and not isinstance(normal, StreamObject):
            state = entry(annotation, "/AS")
            normal = entry(normal, state) if isinstance(state, str) else None
        if normal is MISSING:
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
            key = "/" + plain_name(name)
            if operator == b"Do":
                found |= self._xobject(resource(resources, "/XObject", key), resources, depth)
            elif operator == b"Tf":
                font = resource(resources, "/Font", key)
                found |= {FONT_MISSING} if font in (None, MISSING) else self._once(font, self._font)
            else:
                kind = {b"gs": "/ExtGState", b"sh": "/Shading"}.get(operator, "/Pattern")
                found |= self._paint(resource(resources, kind, key), resources, depth)
        return found

    def _xobject(self, xobject: Any, resources: Any, depth: int) -> set[str]:
        if not isinstance(xobject, StreamObject):
            return {IMAGE_MISSING}
        if entry(xobject, "/Subtype") == "/Image":
            return self._once(xobject, self._image)
        if entry(xobject, "/Subtype") == "/Form":
            return self._form(xobject, resources, depth + 1)
        return {IMAGE_MISSING}

    def _form(self, form: StreamObject, inherited: Any, depth: int) -> set[str]:
        def check(form: StreamObject) -> set[str]:
            resources = entry(form, "/Resources")
            content = decode(form, MAX_CONTENT).data
            own = resources if isinstance(resources, DictionaryObject) else inherited
            return _content_fault(form) | self._uses(content, own, depth)

        return self._once(form, check)

    def _paint(self, paint: Any, resources: Any, depth: int) -> set[str]:
        """A graphics state, pattern or shading. One that is missing changes the look only, so it is no damage."""
        if not isinstance(paint, DictionaryObject):
            return set()
        mask = entry(paint, "/SMask")
        if isinstance(mask, DictionaryObject):
            group = entry(mask, "/G")
            return self._form(group, resources, depth + 1) if isinstance(group, StreamObject) else {PATTERN}
        shading = entry(paint, "/Shading")
        paint = shading if isinstance(shading, DictionaryObject) else paint
        if not isinstance(paint, StreamObject):
            return set()
        if "/ShadingType" in paint:
            return {PATTERN} if fault_of(paint) else set()
        return {PATTERN} if self._form(paint, resources, depth + 1) else set()

    def _font(self, font: Any) -> set[str]:
        if not isinstance(font, DictionaryObject) or entry(font, "/Subtype") not in FONTS:
            return {FONT_MISSING}
        descendants = entry(font, "/DescendantFonts")
        if isinstance(descendants, ArrayObject) and descendants:
            descendant = resolve(descendants[0])
            if not isinstance(descendant, DictionaryObject) or entry(descendant, "/Subtype") not in CID_FONTS:
                return {FONT_MISSING}
            return self._font_streams(font) | self._font_streams(descendant)
        return self._font_streams(font)

    def _font_streams(self, font: DictionaryObject) -> set[str]:
        descriptor = entry(font, "/FontDescriptor")
        glyph_ids = entry(font, "/CIDToGIDMap")
        # A table of glyphs, not a CMap.
        if isinstance(glyph_ids, StreamObject) and b"begincmap" in decode(glyph_ids, 4096).data:
            return {FONT}
        streams = [entry(font, "/Encoding"), glyph_ids]
        if isinstance(descriptor, DictionaryObject):
            for key in ("/FontFile", "/FontFile2", "/FontFile3"):
                program = entry(descriptor, key)
                if isinstance(program, StreamObject) and not decode(program, 4).data.startswith(PROGRAMS):
                    return {FONT}
                streams.append(program)
        glyphs = entry(font, "/CharProcs")
        if isinstance(glyphs, DictionaryObject):
            streams += [entry(glyphs, key) for key in glyphs]
        if descriptor is MISSING or MISSING in streams:
            return {FONT_MISSING}
        broken = (isinstance(stream, StreamObject) and fault_of(stream) for stream in streams)
        return {FONT} if any(broken) else set()

    def _image(self, image: StreamObject) -> set[str]:
        found: set[str] = set()
        if fault := image_fault(image):
            found.add(IMAGE.format(fault))
        for key in ("/SMask", "/Mask"):
            mask = entry(image, key)
            if mask is MISSING:
                found.add(IMAGE_MISSING)
            elif isinstance(mask, StreamObject):
                found |= self._once(mask, self._image)
        return found

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


def _content_fault(stream: StreamObject) -> set[str]:
    fault = fault_of(stream)
    return {CONTENT.format(fault)} if fault else set()


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
