"""The verdict on a page that was read, with its reasons. `bench/reading.py --harms all` measures how far it holds."""

from collections.abc import Collection, Sequence, Set
from math import sqrt

from fovea.recognition.legibility import half_known, has_other_letters, unknown_script
from fovea.recognition.page import PageLines
from fovea.result.page_result import Block

WRONG = 0.04
"""A page is `suspect` if probably a larger share of its words is wrong: `n` are expected, give or take the square root
of `n`. A page with a share of 0.05 is no longer right, and the recognizer is a little too sure of itself."""
CUT = 0.05
"""A page is `suspect` if at least two lines, and this share of its lines, go through its edge. Of uncut pages of the
bench no line does."""
AGREES = 0.99
"""A page is `suspect` if probably a smaller share of its text layer's words is right (`fovea.recognition.layer`). Of
the bench's right layers all words are, and of layers with 5 % of their words wrong 95 to 98 %."""
LACKS = 0.05
"""A page that is only read by its text layer is `suspect` if the layer lacks a larger share of its letters."""
TANGLED = 3
"""A page is `suspect` if as many pairs of blocks are tangled. No development page of the bench that has two is out of
order."""
LABELS = 12
"""A picture with as many words has more than labels: text is printed on it, or it is none."""
WORTH_SAYING = 0.01
"""A cause that concerns a smaller share of the words is no reason."""
LOW = 14
"""Pixels. Lower lines are a cause of misread words."""
LETTERS_PER_WORD = 5.0
"""On pages with fewer words than `FEW`; other pages show how long their words are."""
FEW = 20


def judge(
    read: PageLines,
    blocks: Sequence[Block],
    tangled: int,
    alphabet: Set[str],
    readable: Collection[str] = (),
) -> tuple[str, list[str]]:
    """`ok`, `suspect` or `unreadable`, and the reasons.

    `blocks`: what the lines became. `tangled`: pairs of them whose texts are mixed up. `alphabet`: what the recognizer
    can write. `readable`: scripts that it or Tesseract can read.
    """
    doubts, warnings = read.doubts, []
    if not read.lines:
        if doubts.unread:
            return "unreadable", [f"None of the {doubts.unread} lines of the page could be read."]
        return "unreadable", ["The page is not blank, but no text was found."]
    if read.refused:
        warnings.append("The PDF's text layer says something else than the page; it was not used.")
    reasons = _of_words(read, words_in_pictures(blocks))
    if doubts.cut >= 2 and doubts.cut >= CUT * len(read.lines):
        reasons.append(f"{doubts.cut} lines are cut off at the edge of the page.")
    if read.layer is not None and read.layer < AGREES:
        reasons.append(
            "The PDF's text layer, which gave the text, says something else than the page in about "
            f"{1 - read.layer:.0%} of its words."
        )
    layer = " ".join(line.text for line in read.lines) if read.layer is not None else ""
    if script := unknown_script(layer, alphabet, readable):
        reasons.append(
            f"The text is in part {script}, which no reader here knows; the PDF's text layer was not compared with it."
        )
    if tangled >= TANGLED:
        reasons.append(f"{tangled} pairs of blocks lie in each other; their reading order is a guess.")
    # Lines with other letters were read by Tesseract.
    own = [line.text for line in read.lines if not has_other_letters(line.text, alphabet)]
    recognized = " ".join(own) if read.layer is None else ""
    if script := half_known(recognized, alphabet):
        reasons.append(f"The text seems to be {script}, of which pp-ocr does not know every letter.")
    return ("suspect" if reasons else "ok"), [*reasons, *warnings]


def judge_layer(read: PageLines) -> tuple[str, list[str]]:
    """`ok`, `suspect` or `unreadable`, and the reasons, for a page whose text must come from its text layer."""
    if not read.lines:
        return "unreadable", [
            "The page has no text layer, and with `text_layer: only` nothing is recognized."
        ]
    doubts, warnings = read.doubts, []
    if read.refused:
        warnings.append("The PDF's text layer says something else than the page.")
    letters = sum(len(line.text) for line in read.lines)
    if doubts.drawn > LACKS * (letters + doubts.drawn):
        warnings.append(f"{doubts.unread} lines of the page are not in its text layer.")
    return "suspect" if warnings else "ok", warnings


def words_in_pictures(blocks: Sequence[Block]) -> int:
    """Words that were read inside of pictures, and so are no part of the text, where they are too many for labels."""
    words = [
        sum(map(str.isalpha, block.text)) / LETTERS_PER_WORD for block in blocks if block.type == "image"
    ]
    return round(sum(count for count in words if count >= LABELS))


def _of_words(read: PageLines, pictured: int) -> list[str]:
    """What makes words wrong or lets them out, if that concerns too many words."""
    doubts = read.doubts
    letters = sum(len("".join(line.text.split())) for line in read.lines)
    per_word = letters / doubts.words if doubts.words >= FEW else LETTERS_PER_WORD
    unread, loose = doubts.drawn / per_word, doubts.loose / per_word
    words = doubts.words + unread + loose
    # A box is seldom read, and then spoils its word.
    wrong = words - doubts.right + doubts.boxes + pictured
    if wrong + sqrt(max(0.0, wrong)) <= max(1.0, WRONG * words):
        return []
    reasons = []
    if unread > WORTH_SAYING * words:
        reasons.append(
            f"{doubts.unread} of {len(read.lines) + doubts.unread} lines could not be read. Their script may be one "
            "that pp-ocr does not know."
        )
    if loose > WORTH_SAYING * words:
        reasons.append(f"About {doubts.loose} letters belong to no line that was found.")
    if pictured > WORTH_SAYING * words:
        reasons.append(f"About {pictured} words stand in pictures and are no part of the text.")
    if doubts.boxes > WORTH_SAYING * words:
        reasons.append(
            f"About {doubts.boxes} letters are drawn as boxes, because the font of the page lacks them."
        )
    misread = doubts.words - doubts.right
    if misread > WORTH_SAYING * words or not reasons:
        cause = f"; its lines are only {doubts.height:.0f} pixels high" if doubts.height < LOW else ""
        reasons.append(f"About {misread / doubts.words:.0%} of the words are probably misread{cause}.")
    return reasons
