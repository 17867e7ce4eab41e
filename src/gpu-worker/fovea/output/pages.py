"""Cuts an answer about several pages into the answers about each page."""

from collections.abc import Iterable
from dataclasses import replace

from fovea.language.tokenizer import Piece

PAGE = "<PAGE>"
"""Unlimited-OCR writes it before the answer about each page, as a marker or as plain text."""


def cut_pages(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """The pieces of each page, without the separators. Text before the first separator is a page if it is not blank.

    A separator that is printed on a page cannot be told from one of the model.
    """
    pages: list[list[Piece]] = [[]]
    tail: list[Piece] = []  # pieces of plain text that may end in the beginning of a separator
    for piece in pieces:
        if piece.marker:
            pages[-1] += tail
            tail = []
            if piece.text == PAGE:
                pages.append([])
            else:
                pages[-1].append(piece)
            continue
        tail.append(piece)
        while (at := "".join(part.text for part in tail).find(PAGE)) >= 0:
            before, tail = _split(tail, at)
            _, tail = _split(tail, len(PAGE))
            pages[-1] += before
            pages.append([])
        keep = _begun("".join(part.text for part in tail))
        before, tail = _split(tail, sum(len(part.text) for part in tail) - keep)
        pages[-1] += before
    pages[-1] += tail
    first = "".join(piece.text for piece in pages[0])
    return pages if first.strip() or len(pages) == 1 else pages[1:]


def _begun(text: str) -> int:
    """How many characters at the end of the text may be the beginning of a separator."""
    return next((size for size in range(len(PAGE) - 1, 0, -1) if text.endswith(PAGE[:size])), 0)


def _split(pieces: list[Piece], at: int) -> tuple[list[Piece], list[Piece]]:
    """Splits pieces after `at` characters."""
    before: list[Piece] = []
    for index, piece in enumerate(pieces):
        if at < len(piece.text):
            rest = pieces[index + 1 :]
            if at == 0:
                return before, [piece, *rest]
            head, tail = replace(piece, text=piece.text[:at]), replace(piece, text=piece.text[at:])
            return [*before, head], [tail, *rest]
        before.append(piece)
        at -= len(piece.text)
    return before, []
