"""The text layer of a page as lines, and whether it can be trusted."""

import itertools
import unicodedata
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from math import ceil, prod

import numpy as np

from fovea.layout.line import CJK, Line, Word, box_of, rows_of
from fovea.pages.text_layer import LayerWord
from fovea.recognition.frame import Frame

AGREES = 0.9
"""A layer of which probably a smaller share of the words is right is not used."""
COMPARED = 10
"""Parts of lines that are compared."""
AGAIN = 0.5
"""What it is worth to see a kind of letter once more, compared with the last time."""
PART = 8.0
"""Width of these parts, in heights of the line."""
LEAST_CONTRAST = 12
"""Grey levels. Letters that differ less from the paper are not drawn."""
ALIKE = str.maketrans("i1|0", "lllo")
CELL_GAP = 0.6
"""Words that are further apart than this share of the line's height stand in different lines: columns, cells."""
JUSTIFIED, SAME_GAP = 1.6, 0.1
"""Gaps in justified lines are up to the former wide, and differ by less than the latter; in heights of the line."""
SAME_EDGE = 0.15
"""The same of their ends."""


def layer_lines(words: Sequence[LayerWord], frame: Frame) -> list[Line]:
    """Words of a text layer as lines of the upright page."""
    back = np.linalg.inv(frame.to_raster)
    placed = []
    for word in words:
        xs = np.array([word.x0, word.x1, word.x1, word.x0]) * frame.raster_width
        ys = np.array([word.y0, word.y0, word.y1, word.y1]) * frame.raster_height
        px, py, _ = back @ np.vstack([xs, ys, np.ones(4)])
        x0, y0, x1, y1 = (float(v) for v in (px.min(), py.min(), px.max(), py.max()))
        if x1 - x0 < 0.5 or y1 - y0 < 0.5:
            continue
        turned = len(word.text) > 2 and y1 - y0 > 1.5 * (x1 - x0)
        placed.append(
            Line(
                x0,
                y0,
                x1,
                y1,
                word.text,
                1.0,
                (Word(word.text, x0, x1, y0, y1),),
                word.bold,
                word.mono,
                turned,
            )
        )
    rows = rows_of([line for line in placed if not line.turned])
    runs = [run for row in rows for run in _cut(row, JUSTIFIED)]
    cut = [[run] if _is_justified(run) else _cut(run, CELL_GAP) for run in runs]
    whole = [pieces[0] for pieces in cut if len(pieces) == 1]
    lines = [
        _of_words(piece)
        for run, pieces in zip(runs, cut, strict=True)
        for piece in ([run] if len(pieces) > 1 and _fills(run, whole) else pieces)
    ]
    return [*lines, *(line for line in placed if line.turned)]


def _cut(row: Sequence[Line], widest: float) -> list[list[Line]]:
    """Words side by side, cut at gaps that are wider than this share of their height, and where the pitch changes."""
    pieces: list[list[Line]] = []
    for word in row:
        last = pieces[-1][-1] if pieces else None
        near = last is not None and word.x0 - last.x1 < widest * min(word.height, last.height)
        if near and last.mono == word.mono:
            pieces[-1].append(word)
        else:
            pieces.append([word])
    return pieces


def _is_justified(run: Sequence[Line]) -> bool:
    """Whether the gaps of a run of words are of one width, as in a justified line."""
    gaps = [right.x0 - left.x1 for left, right in itertools.pairwise(run)]
    words = sum(any(map(str.isalpha, word.text)) for word in run)
    return len(gaps) > 1 and max(gaps) - min(gaps) < SAME_GAP * run[0].height and 2 * words > len(run)


def _fills(run: Sequence[Line], whole: Sequence[Sequence[Line]]) -> bool:
    """Whether two words begin and end where a line of more words does that is near: the line is justified, too."""
    height = run[0].height
    return len(run) == 2 and any(
        len(other) > 2
        and abs(other[0].x0 - run[0].x0) < SAME_EDGE * height
        and abs(other[-1].x1 - run[-1].x1) < SAME_EDGE * height
        and abs(other[0].middle - run[0].middle) < 3 * height
        for other in whole
    )


def _of_words(words: list[Line]) -> Line:
    text = words[0].text
    for left, right in itertools.pairwise(words):
        text += ("" if right.x0 - left.x1 < 0.08 * left.height else " ") + right.text
    count = sum(len(word.text) for word in words)
    return Line(
        min(w.x0 for w in words),
        min(w.y0 for w in words),
        max(w.x1 for w in words),
        max(w.y1 for w in words),
        text,
        1.0,
        tuple(part for word in words for part in word.words),
        bold=sum(len(w.text) for w in words if w.bold) > 0.7 * count,
        mono=all(w.mono for w in words),
    )


# -- whether it is right -------------------------------------------------------------------------------

Kind = tuple[str, bool, bool]
"""A character, and whether its line is bold and of fixed pitch: a font has its own table of what its letters mean."""


def is_drawn(frame: Frame, line: Line) -> bool:
    """Whether the picture shows anything where the layer has a line."""
    x0, y0, x1, y1 = (max(0, round(value)) for value in box_of(line))
    here = frame.grey[y0 : y1 + 1, x0 : x1 + 1]
    return bool(here.size) and int(here.max()) - int(here.min()) >= LEAST_CONTRAST


Compared = tuple[Line, str | None]
"""A part of a line of the layer, and what was recognized in its place; `None` if the recognizer is not sure."""


def sample(layer: Sequence[Line], alphabet: Set[str], before: Sequence[Compared] = ()) -> list[Line]:
    """Parts of lines that together have many kinds of letters, common kinds several times.

    `alphabet`: what the recognizer can write; other letters cannot be compared. `before`: the first sample; then only
    the kinds that differed in it count.
    """
    known = [part for part, _ in before]
    parts = [part for line in layer if not line.turned for part in _parts(line) if part not in known]
    parts = [part for part in parts if _is_known(_kinds(part), alphabet)]
    kinds = [Counter(_kinds(part)) for part in parts]
    if before:
        wrong = _Count.of(before, alphabet).wrong
        kinds = [Counter({kind: count for kind, count in some.items() if wrong[kind]}) for some in kinds]
    common = sum(kinds, Counter[Kind]())
    seen = Counter[Kind]()
    chosen: list[Line] = []
    while parts and len(chosen) < COMPARED:
        gains = [sum(common[kind] * AGAIN ** seen[kind] for kind in some) for some in kinds]
        best = max(range(len(parts)), key=gains.__getitem__)
        if not gains[best]:
            break
        chosen.append(parts.pop(best))
        seen.update(kinds.pop(best))
    return chosen


def agreement(layer: Sequence[Line], compared: Sequence[Compared], alphabet: Set[str]) -> float | None:
    """The share of the layer's words that are probably right, 0..1; `None` if nothing can be compared.

    A font's table names a kind of letter rightly or wrongly in all its places. So a kind of letter is as often wrong as
    in the sample, and a word is right if all its kinds are.
    """
    count = _Count.of(compared, alphabet)
    if not count.seen:
        return 0.0 if _is_known([kind for line in layer for kind in _kinds(line)], alphabet) else None
    usual = count.wrong.total() / count.seen.total()
    # One among several is more likely a slip of the recognizer.
    rates = {
        kind: count.wrong[kind] / seen if count.wrong[kind] > 1 or seen < 3 else 0.0
        for kind, seen in count.seen.items()
    }
    words = [
        (1 - count.missing) ** len(word)
        * prod(1 - rates.get(kind, usual if kind[0] in alphabet else 0.0) for kind in set(word))
        for line in layer
        for word in _words(line)
    ]
    return sum(words) / len(words) if words else None


@dataclass(slots=True)
class _Count:
    """How often each kind of letter was compared, and was something else. `missing`: share that the layer lacks."""

    seen: Counter[Kind]
    wrong: Counter[Kind]
    missing: float

    @classmethod
    def of(cls, compared: Sequence[Compared], alphabet: Set[str]) -> "_Count":
        seen, wrong, lost, letters = Counter[Kind](), Counter[Kind](), 0, 0
        for part, text in compared:
            if text is None:
                continue
            kinds = [(kind, letter) for kind in _kinds(part) for letter in _folded(kind[0])]
            ours, theirs = "".join(letter for _, letter in kinds), "".join(map(_folded, text))
            blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
            same = {at for start, _, size in blocks for at in range(start, start + size)}
            for at, (kind, _) in enumerate(kinds):
                if kind[0] in alphabet:
                    seen[kind] += 1
                    wrong[kind] += at not in same
            letters += len(theirs)
            lost += max(0, len(theirs) - len(ours))
        return cls(seen, wrong, lost / letters if lost > 0.01 * letters else 0.0)


def _parts(line: Line) -> list[Line]:
    """A line in parts that are at most `PART` times as wide as high, or single words."""
    runs: list[list[Word]] = []
    for word in line.words:
        for piece in _pieces(word, PART * line.height):
            if runs and piece.x1 - runs[-1][0].x0 <= PART * line.height:
                runs[-1].append(piece)
            else:
                runs.append([piece])
    return [
        replace(line, x0=run[0].x0, x1=run[-1].x1, text=" ".join(w.text for w in run), words=tuple(run))
        for run in runs
    ]


def _pieces(word: Word, widest: float) -> list[Word]:
    """A word, or its parts if it is a line of Chinese or Japanese, whose characters are of one width."""
    count = ceil((word.x1 - word.x0) / widest)
    if count < 2 or not CJK.search(word.text):
        return [word]
    size, step = ceil(len(word.text) / count), (word.x1 - word.x0) / len(word.text)
    return [
        Word(text, word.x0 + at * step, word.x0 + (at + len(text)) * step)
        for at in range(0, len(word.text), size)
        for text in [word.text[at : at + size]]
    ]


def _kinds(part: Line) -> list[Kind]:
    """Of the letters and digits of a line. Boxes to tick and leaders are read in many ways."""
    return [kind for word in _words(part) for kind in word]


def _is_known(kinds: Sequence[Kind], alphabet: Set[str]) -> bool:
    """Whether the recognizer can write most of some letters."""
    return sum(letter in alphabet for letter, _, _ in kinds) > 0.8 * len(kinds)


def _words(line: Line) -> list[list[Kind]]:
    words = [[(one, line.bold, line.mono) for one in word.text if one.isalnum()] for word in line.words]
    return [word for word in words if word]


def _folded(character: str) -> str:
    """Letters and digits as they are compared: without case, and those alike that look alike."""
    plain = unicodedata.normalize("NFKC", character).lower()
    return "".join(filter(str.isalnum, plain)).translate(ALIKE)
