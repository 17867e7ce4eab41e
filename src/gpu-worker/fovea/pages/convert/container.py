"""ZIP containers: which kind of document one is, and whether it can be read safely."""

import io
import zipfile
from functools import cached_property

from fovea.errors import DocumentError

CONTAINER = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Office formats of before 2007, and encrypted documents of later ones."""

MAX_ENTRIES = 10_000
MAX_UNPACKED = 200 << 20
"""Bytes of all entries. `zipfile` reads no more of an entry than its head says, so the sum holds."""
OPC = "[Content_Types].xml"
MAIN = {
    "word/": ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    "ppt/": ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    "xl/": ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}
EPUB = ("epub", "application/epub+zip")


class Container:
    """Raises `DocumentError` if it is no document, or none that is read."""

    def __init__(self, data: bytes):
        try:
            self.zip = zipfile.ZipFile(io.BytesIO(data))
            self._entries = self.zip.infolist()
        except Exception:
            raise _broken() from None
        self._check()
        self.kind, self.media_type = self._kind()
        if self.kind != "epub":
            self._check_markup()

    def read(self, name: str) -> bytes:
        """An entry. Raises `DocumentError` if it is missing or broken."""
        try:
            return self.zip.read(name)
        except Exception:
            raise _broken() from None

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(entry.filename for entry in self._entries)

    def _check(self) -> None:
        if len(self._entries) > MAX_ENTRIES:
            raise DocumentError("document_too_large", f"The container has more than {MAX_ENTRIES} entries.")
        if sum(entry.file_size for entry in self._entries) > MAX_UNPACKED:
            raise DocumentError(
                "document_too_large", f"The container is larger than {MAX_UNPACKED >> 20} MiB when unpacked."
            )
        if any(entry.flag_bits & 1 for entry in self._entries):
            raise DocumentError("document_encrypted", "The container is encrypted.")
        if len(self.names) != len(self._entries):
            raise _broken()

    def _kind(self) -> tuple[str, str]:
        if OPC in self.names:
            types = self.read(OPC)
            if b"macroEnabled" in types or any(name.endswith("vbaProject.bin") for name in self.names):
                raise DocumentError("document_unsupported", "The document contains macros; save it without.")
            for folder, kind in MAIN.items():
                if any(name.startswith(folder) for name in self.names) and kind[1].encode() in types:
                    return kind
        if "mimetype" in self.names and self.read("mimetype").strip() == EPUB[1].encode():
            if "META-INF/rights.xml" in self.names or _is_locked(self):
                raise DocumentError("document_encrypted", "The book is encrypted.")
            return EPUB
        raise DocumentError(
            "document_unsupported", "The container is no Word, PowerPoint or Excel document and no EPUB."
        )

    def _check_markup(self) -> None:
        """Office documents have no document types (ECMA-376, part 2, section 8.1.4), so no entities."""
        for name in self.names:
            if name.endswith((".xml", ".rels")) and b"<!DOCTYPE" in _ascii(self.read(name)):
                raise DocumentError("document_unsupported", "The document defines XML entities.")


def _is_locked(container: Container) -> bool:
    """Whether anything but fonts is encrypted."""
    name = "META-INF/encryption.xml"
    if name not in container.names:
        return False
    text = container.read(name)
    obfuscations = text.count(b"http://www.idpf.org/2008/embedding") + text.count(
        b"http://ns.adobe.com/pdf/enc#RC"
    )
    return text.count(b"EncryptedData>") > 2 * obfuscations


def _ascii(markup: bytes) -> bytes:
    """The markup without the zero bytes of UTF-16."""
    return (
        markup.replace(b"\0", b"")
        if markup[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in markup[:64]
        else markup
    )


def _broken() -> DocumentError:
    return DocumentError("document_broken", "The document is broken and cannot be opened.")
