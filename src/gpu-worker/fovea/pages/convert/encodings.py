"""Encodings of texts that do not say how they are encoded."""

import codecs
import re

from fovea.errors import DocumentError

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LATIN = "windows-1252"
GUESSED = "The text is not UTF-8 and does not say how it is encoded; it was read as Windows-1252."
SAMPLE = 4096
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_DECLARED = re.compile(
    rb"""(?:<meta[^>]{0,300}?charset|<\?xml[^>]{0,100}?encoding)\s*=\s*["']?([\w.:-]{1,40})""", re.I
)


def marked(data: bytes) -> str | None:
    """The encoding that a byte order mark names, or that the zero bytes of UTF-16 show."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return encoding
    head = data[:SAMPLE]
    if len(head) > 3 and head.count(0) > len(head) // 4:
        return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    return None


def decoded(data: bytes) -> tuple[str, list[str]]:
    """The text, and a sentence for the client if its encoding was guessed.

    Raises `DocumentError` for what is no text.
    """
    encoding = marked(data) or "utf-8"
    try:
        return data.decode(encoding), []
    except UnicodeDecodeError:
        text = data.decode(LATIN, "replace")
    if _CONTROL.search(text):
        raise DocumentError(
            "document_broken", "The text is neither UTF-8 nor in another encoding that is read."
        )
    return text, [GUESSED]


def of_markup(data: bytes) -> tuple[str, bool]:
    """The encoding of a web page, as browsers find it (HTML, section 13.2.3), and whether it was guessed.

    What is valid UTF-8 is UTF-8, whatever it says, except for encodings that are valid ASCII.
    """
    if encoding := marked(data):
        return encoding, False
    match = _DECLARED.search(data[:SAMPLE])
    declared = match[1].decode("ascii", "replace") if match else ""
    if declared and not declared.lower().startswith(("iso-2022", "hz")):
        try:
            data.decode()
            return "utf-8", False
        except UnicodeDecodeError:
            pass
    try:
        found = codecs.lookup(declared or "utf-8").name
        data.decode(found)
        # Pages say Latin 1 and mean the encoding of Windows.
        return (LATIN if found in ("iso8859-1", "ascii") else found), False
    except (LookupError, UnicodeDecodeError):
        return LATIN, True
