"""Reads the objects of a PDF: what a key leads to, and whether the file's table of objects is sound.

PDFium and pypdf repair a damaged table each in its own way, so what pypdf finds there may not be what is drawn.
"""

import io
import re
from contextlib import suppress
from typing import Any

import pypdf
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NullObject

MAX_COORDINATE = 1e6
"""Of a page, in points."""
MAX_OBJECTS = 8_388_607
"""Of a PDF (PDF 32000-1, annex C)."""
MISSING = object()
"""The value of a reference to an object that the file does not have."""


def is_box(box: Any) -> bool:
    """Whether the four numbers make a rectangle of a size that a page may have (PDF 32000-1, 7.9.5 and annex C)."""
    if not isinstance(box, ArrayObject) or len(box) != 4:
        return False
    sides = [resolve(side) for side in box]
    if not all(isinstance(side, int | float) and abs(side) <= MAX_COORDINATE for side in sides):
        return False
    left, bottom, right, top = map(float, sides)
    return left != right and bottom != top


def is_sound(reader: pypdf.PdfReader, data: bytes) -> bool:
    """Whether the table of objects stands where `startxref` says, is complete, and every object where it says."""
    end = data.rfind(b"startxref") + 9
    start = re.match(rb"\s*(\d{1,12})", data[end : end + 32])
    place = int(start[1]) if start else len(data)
    if not re.match(rb"\s*(xref|\d+\s+\d+\s+obj)", data[place : place + 32]):
        return False
    # pypdf leaves entries out that lead elsewhere, and then searches the file for the object. PDFium does not.
    size = entry(reader.trailer, "/Size")
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


def has_doubles(data: bytes) -> bool:
    """Whether two objects have the same number although the file was never updated."""
    numbers = re.findall(rb"(?<!\d)(\d+) +\d+ +obj\b", data)
    return data.count(b"startxref") == 1 and len(numbers) != len(set(numbers))


def read_pdf(data: bytes) -> pypdf.PdfReader | None:
    """`None` for a file that pypdf cannot read, or only with a password."""
    with suppress(Exception):  # pypdf raises many kinds of errors for a broken file
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        if not reader.is_encrypted and len(reader.pages) > 0:
            return reader
    return None


def resolve(raw: Any) -> Any:
    """What a reference leads to: `None` for null and for an object that was deleted, `MISSING` for none at all."""
    if not isinstance(raw, IndirectObject):
        return None if isinstance(raw, NullObject) else raw
    value = raw.get_object()
    if value is None or not _is_there(raw):
        return MISSING
    return None if isinstance(value, NullObject) else value


def _is_there(raw: IndirectObject) -> bool:
    """Whether the object stands at its place in the file. pypdf takes the next one if it does not."""
    place = raw.pdf.xref.get(raw.generation, {}).get(raw.idnum)
    return place is None or raw.idnum in raw.pdf.xref_objStm or _stands_at(raw.pdf, raw.idnum, place)


def _stands_at(reader: pypdf.PdfReader, number: int, place: int) -> bool:
    reader.stream.seek(place)
    head = re.match(rb"\s*(\d+)\s+\d+\s+obj", reader.stream.read(64))
    return head is not None and int(head[1]) == number


def entry(thing: Any, *keys: str) -> Any:
    """The value of the first of `keys` that a dictionary has; `MISSING` if its reference leads nowhere."""
    for key in keys:
        if isinstance(thing, DictionaryObject) and key in thing:
            return resolve(thing.raw_get(key))
    return None


def resource(resources: Any, kind: str, key: str) -> Any:
    """The resource of a page or form that its content calls `key`."""
    return entry(entry(resources, kind), key)


def listed(thing: Any) -> list[Any]:
    """The items of an array; one that is no array is the only item."""
    if isinstance(thing, ArrayObject):
        return [resolve(item) for item in thing]
    return [] if thing is None else [thing]


def plain_name(raw: bytes) -> str:
    """A name as pypdf decodes it."""
    raw = re.sub(rb"#([0-9A-Fa-f]{2})", lambda match: bytes.fromhex(match[1].decode()), raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
