"""Parses page selections such as `1-3,7`. The edge validates them, but callers other than the edge may not."""

import re

from fovea.errors import DocumentError

_PART = re.compile(r"\s*(\d{1,7})\s*(?:(-)\s*(\d{1,7})?\s*)?")
MAX_PARTS = 5000


def select_pages(text: str, page_count: int) -> list[int]:
    """The selected page numbers, from 1, ascending and unique; all pages for an empty `text`.

    Single numbers beyond `page_count` are kept, because every requested page gets a result.
    Raises `DocumentError` `invalid_options`.
    """
    if not text.strip():
        return list(range(1, page_count + 1))
    parts = text.split(",")
    if len(parts) > MAX_PARTS:
        raise DocumentError("invalid_options", f"A page selection has at most {MAX_PARTS} parts.")
    pages: set[int] = set()
    for part in parts:
        match = _PART.fullmatch(part)
        first = int(match[1]) if match else 0
        if not match or first < 1:
            raise DocumentError("invalid_options", "The page selection must have the form 1-3,7.")
        if not match[2]:
            pages.add(first)
            continue
        last = min(int(match[3]), page_count) if match[3] else page_count
        pages.update(range(first, last + 1) if first <= last else [first])
    return sorted(pages)
