"""The `pages` input: `1-3,7`, from 1. The edge has checked it already; a stranger's call has not been."""

import re

from fovea.errors import DocumentError

_PART = re.compile(r"\s*(\d{1,7})\s*(?:(-)\s*(\d{1,7})?\s*)?")
MAX_PARTS = 5000


def select_pages(text: str, page_count: int) -> list[int]:
    """Ascending page numbers, each once. Single pages past the end are kept: each asked page gets an answer.

    Raises `DocumentError` `invalid_options`.
    """
    if not text.strip():
        return list(range(1, page_count + 1))
    parts = text.split(",")
    if len(parts) > MAX_PARTS:
        raise DocumentError("invalid_options", f"At most {MAX_PARTS} page ranges can be asked for.")
    pages: set[int] = set()
    for part in parts:
        match = _PART.fullmatch(part)
        first = int(match[1]) if match else 0
        if not match or first < 1:
            raise DocumentError("invalid_options", "The page selection is not of the form 1-3,7.")
        if not match[2]:
            pages.add(first)
            continue
        last = min(int(match[3]), page_count) if match[3] else page_count
        pages.update(range(first, last + 1) if first <= last else [first])
    return sorted(pages)
