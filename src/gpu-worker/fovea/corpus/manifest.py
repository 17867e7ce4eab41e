"""A manifest of documents, and the plan that is made of it: one document per line, numbered, in order.

A line of a manifest is a path, a glob or an address, or a JSON object with `path` (one of these) and, as needed,
`pages`, `custom_id` and `metadata`. Blank lines and lines that begin with `#` are skipped.
"""

import json
import posixpath
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from fovea.contract import CONTRACT
from fovea.corpus.options import InputError
from fovea.corpus.store import file_system
from fovea.errors import DocumentError
from fovea.service.selection import select_pages

MAX_LINE_BYTES = 32 * 1024
MAX_CUSTOM_ID = 256
MAX_FAULTS = 20
"""Faults that an error lists."""
KEYS = {"path", "pages", "custom_id", "metadata"}
GLOB = frozenset("*?[")
WEB = ("http", "https")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the manifest: a path, glob or address, and its labels."""

    path: str
    pages: str = ""
    custom_id: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """`line`: its number in the plan, from 1. `url`: an address that fsspec or HTTP opens."""

    line: int
    url: str
    pages: str = ""
    custom_id: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)

    def to_line(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_line(cls, text: str) -> "PlannedDocument":
        return cls(**json.loads(text))


def read_manifest(url: str) -> tuple[bytes, list[Entry]]:
    """The manifest's bytes and its lines. Raises `InputError`, which names the lines that cannot be read."""
    files, path = file_system(url)
    try:
        data = files.cat_file(path)
    except FileNotFoundError:
        raise InputError(f"There is no manifest {url}.") from None
    except Exception as error:
        raise InputError(f"The manifest {url} cannot be read: {error}") from None
    entries: list[Entry] = []
    faults: list[str] = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        try:
            entries.append(_entry(line))
        except ValueError as fault:
            faults.append(f"line {number}: {fault}")
    if faults:
        more = f"\n… and {len(faults) - MAX_FAULTS} more" if len(faults) > MAX_FAULTS else ""
        raise InputError(f"The manifest {url} has faults:\n" + "\n".join(faults[:MAX_FAULTS]) + more)
    if not entries:
        raise InputError(f"The manifest {url} names no document.")
    return data, entries


def _entry(line: bytes) -> Entry:
    """Raises `ValueError`."""
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"longer than {MAX_LINE_BYTES >> 10} KiB")
    text = line.decode("utf-8", "strict").strip()
    if not text.startswith("{"):
        return Entry(text)
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from None
    if unknown := body.keys() - KEYS:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(KEYS))}")
    for name, value in body.items():
        _check(name, value)
    if not body.get("path"):
        raise ValueError("no path")
    return Entry(**body)


def _check(name: str, value: Any) -> None:
    """Raises `ValueError`."""
    if name == "metadata":
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise ValueError("metadata is an object of strings")
        return
    if name == "custom_id" and value is None:
        return
    if not isinstance(value, str):
        raise ValueError(f"{name} is a string")
    if name == "custom_id" and not 1 <= len(value) <= MAX_CUSTOM_ID:
        raise ValueError(f"custom_id has 1 to {MAX_CUSTOM_ID} characters")
    if name == "pages":
        try:
            select_pages(value, 1)
        except DocumentError as error:
            raise ValueError(f"pages: {error.message}") from None


def plan_documents(entries: list[Entry], manifest: str) -> Iterator[PlannedDocument]:
    """The documents that the lines name. Globs are in the order of their names; paths are relative to the manifest.

    Raises `InputError` for a glob without a match and for a place that cannot be read.
    """
    line = 0
    seen: set[str] = set()
    for entry in entries:
        for url in _addresses(entry.path, manifest):
            line += 1
            if (place := _place(url)) not in seen:
                seen.add(place)
                _check_access(url, place)
            yield PlannedDocument(line, url, entry.pages, entry.custom_id, entry.metadata)


def _addresses(path: str, manifest: str) -> list[str]:
    protocol = path.partition("://")[0] if "://" in path else ""
    if protocol in WEB:
        return [path]
    if not protocol and not path.startswith("/"):
        files, at = file_system(manifest)
        path = files.unstrip_protocol(posixpath.join(posixpath.dirname(at), path))
    files, at = file_system(path)
    if isinstance(files, LocalFileSystem):
        at = posixpath.normpath(at)
    if not GLOB & set(at):
        return [files.unstrip_protocol(at)]
    try:
        found = sorted(name for name, info in files.glob(at, detail=True).items() if info["type"] == "file")
    except Exception as error:
        raise InputError(f"{path} cannot be listed: {error}") from None
    if not found:
        raise InputError(f"{path} matches no file.")
    return [files.unstrip_protocol(name) for name in found]


def _place(url: str) -> str:
    """What has credentials of its own: a bucket, a host."""
    protocol, _, rest = url.partition("://")
    return f"{protocol}://" if protocol == "file" else f"{protocol}://{rest.partition('/')[0]}"


def _check_access(url: str, place: str) -> None:
    if place.partition("://")[0] in (*WEB, "file"):
        return
    files, at = file_system(url)
    try:
        files.info(at)
    except FileNotFoundError:
        pass  # one document that is missing is a line of the output
    except Exception as error:
        raise InputError(f"{place} cannot be read: {str(error) or type(error).__name__}") from None


def media_type_of(url: str) -> str:
    """The declared type, by the ending of the name; empty if that says nothing. Only texts need one."""
    return _ENDINGS.get(posixpath.splitext(url.partition("?")[0])[1].lower(), "")


_ENDINGS = {
    ending: kind
    for ending, kind in {
        ".txt": "text/plain",
        ".md": "text/markdown",
        ".html": "text/html",
        ".htm": "text/html",
        ".csv": "text/csv",
    }.items()
    if kind in (*CONTRACT["text_types"], *CONTRACT["converted_types"])
}
