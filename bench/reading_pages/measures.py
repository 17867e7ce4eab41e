"""How well a page was read. All measures are in 0..1 and 1 is perfect; `None` where a page has nothing to measure."""

import html
import re
import unicodedata
from dataclasses import dataclass, field
from html.parser import HTMLParser

from apted import APTED, Config
from rapidfuzz import fuzz, process
from rapidfuzz.distance import Levenshtein

GROUPS = {
    "heading": {"h1", "h2", "h3", "title", "sub_title"},
    "list": {"li", "list"},
    "caption": {"caption", "image_caption", "table_caption"},
    "furniture": {"header", "footer", "page_number"},
    "code": {"code"},
}
MARKDOWN = ("heading", "list", "code")
FREE = {"header", "footer", "page_number", "footnote", "aside", "mark", "figure"}
"""Kinds whose place in the reading order is a matter of taste."""
SAME = 0.7
"""Similarity from which a block of the answer is a block of the truth."""
FOUND = 70
"""Score, 0..100, from which a block's text stands in one piece in the answer."""
_MARK = re.compile(r"^\s*(?:[-–—•◦▪●■□▢☐☑☒✓*·‣○]|\[[ xX]?\]|\(?(?:\d{1,2}|[a-z])[.)])\s+")
_LEADER = re.compile(r"(?:[.·…]\s?){4,}")
_CJK = re.compile(r"([\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef])")


@dataclass(slots=True)
class Answer:
    """What a reader says. `blocks` have `type`, `text` and perhaps `html` and `confidence`."""

    blocks: list[dict]
    verdict: str | None = None
    warnings: list[str] = field(default_factory=list)
    kinds: str = "all"
    """Which kinds of blocks the reader knows: `all`, `markdown` (`MARKDOWN` and tables), `tables` or `none`."""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_mib: float = 0.0
    """Memory of the reader's process up to this page."""


@dataclass(slots=True)
class Score:
    text: float
    words: float
    in_order: float
    order: float | None
    counts: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """By group: found, said, true."""
    tables: list[float] = field(default_factory=list)
    shapes: list[float] = field(default_factory=list)
    false_tables: int = 0
    notes: list[str] = field(default_factory=list)


def score(truth: list[dict], answer: Answer) -> Score:
    wanted = [block for block in truth if block["kind"] not in ("figure", "mark") and tidy(block["text"])]
    said = [
        block
        for block in answer.blocks
        if block["type"] != "image" and (tidy(block["text"]) or block.get("html"))
    ]
    marks = {tidy(block["text"]) for block in truth if block["kind"] == "mark"}
    said = [block for block in said if tidy(block["text"]) not in marks]
    result = Score(
        text_accuracy(wanted, said), right_words(wanted, said), in_order_accuracy(wanted, said), None
    )
    result.order = reading_order(wanted, said, result.notes)
    for group, kinds in GROUPS.items():
        if answer.kinds == "all" or (answer.kinds == "markdown" and group in MARKDOWN):
            result.counts[group] = _count(group, kinds, wanted, said, result.notes)
    if answer.kinds != "none":
        _tables(wanted, said, result)
    return result


def tidy(text: str) -> str:
    """Text without differences that do not matter: spaces, ligatures, leaders, kinds of quotation marks and dashes."""
    text = unicodedata.normalize("NFKC", text).translate(str.maketrans("’‘“”„–—−‐", '\'\'"""----'))
    return " ".join(_LEADER.sub(" ", text.replace("\u00ad", "")).split())


def tokens(text: str) -> list[str]:
    return _CJK.sub(r" \1 ", tidy(text)).split()


# -- text ----------------------------------------------------------------------------------------------


def text_accuracy(truth: list[dict], said: list[dict]) -> float:
    """1 − edit distance, where words pair up wherever they stand: equal ones first, then the most similar ones."""
    rest_true, rest_said = _leftover(_words(truth), _words(said))
    total = sum(len(word) for word in _words(truth))
    cost = 0
    if rest_true and rest_said:
        near = process.cdist(rest_true, rest_said, scorer=Levenshtein.distance)
        pairs = sorted(
            (int(near[i, j]), i, j)
            for i in range(len(rest_true))
            for j in range(len(rest_said))
            if near[i, j] < max(len(rest_true[i]), len(rest_said[j]))
        )
        lost, spare = set(range(len(rest_true))), set(range(len(rest_said)))
        for distance, i, j in pairs:
            if i in lost and j in spare:
                lost.discard(i)
                spare.discard(j)
                cost += distance
        cost += sum(len(rest_true[i]) for i in lost) + sum(len(rest_said[j]) for j in spare)
    else:
        cost = sum(map(len, rest_true)) + sum(map(len, rest_said))
    return max(0.0, 1 - cost / max(1, total))


def right_words(truth: list[dict], said: list[dict]) -> float:
    """Share of the page's words that were read without a fault, wherever they stand."""
    words = _words(truth)
    rest, _ = _leftover(words, _words(said))
    return 1 - len(rest) / max(1, len(words))


def _words(blocks: list[dict]) -> list[str]:
    """Words without the marks of list items."""
    return [
        word for block in blocks for line in block["text"].split("\n") for word in tokens(_MARK.sub("", line))
    ]


def _leftover(left: list[str], right: list[str]) -> tuple[list[str], list[str]]:
    spare: dict[str, int] = {}
    for word in right:
        spare[word] = spare.get(word, 0) + 1
    rest = []
    for word in left:
        if spare.get(word, 0) > 0:
            spare[word] -= 1
        else:
            rest.append(word)
    return rest, [word for word, count in spare.items() for _ in range(count)]


def _free(truth: list[dict], said: list[dict]) -> tuple[list[dict], list[dict]]:
    """Both sides without the blocks whose place is free."""
    free = [tidy(block["text"]) for block in truth if block["kind"] in FREE]
    rest = [
        block
        for block in said
        if not any(Levenshtein.normalized_similarity(tidy(block["text"]), text) >= SAME for text in free)
    ]
    return [block for block in truth if block["kind"] not in FREE], rest


def in_order_accuracy(truth: list[dict], said: list[dict]) -> float:
    """1 − edit distance of the whole text over the longer length, without furniture, notes and marks of items."""
    truth, said = _free(truth, said)
    return Levenshtein.normalized_similarity(" ".join(_words(truth)), " ".join(_words(said)))


def reading_order(truth: list[dict], said: list[dict], notes: list[str]) -> float | None:
    """Share of pairs of blocks in the right order, which is (1 + Kendall's tau) / 2.

    A block whose words are there, but not in one piece, counts as out of order with all others.
    """
    truth, said = _free(truth, said)
    text = " ".join(_words(said))
    there = set(text.split())
    wanted = {number: _start(block) for number, block in enumerate(truth)}
    wanted = {number: start for number, start in wanted.items() if len(start) >= 3}
    places: dict[int, int] = {}
    torn: list[int] = []

    def take(number: int, start: int, end: int) -> str:
        places[number] = start
        return text[:start] + "\0" * (end - start) + text[end:]

    longest_first = sorted(wanted, key=lambda number: -len(wanted[number]))
    for number in longest_first:
        if (start := text.find(wanted[number])) >= 0:
            text = take(number, start, start + len(wanted[number]))
    for number in longest_first:
        start = wanted[number]
        if number in places or len(start) > len(text):
            continue
        if found := fuzz.partial_ratio_alignment(start, text, score_cutoff=FOUND):
            text = take(number, found.dest_start, found.dest_end)
        elif len(start) >= 20 and sum(word in there for word in start.split()) >= 0.6 * len(start.split()):
            torn.append(number)
            notes.append(f"torn: {start[:60]}")
    numbers = sorted([*places, *torn])
    pairs = [(a, b) for k, a in enumerate(numbers) for b in numbers[k + 1 :]]
    if not pairs:
        return None
    right = [(a, b) for a, b in pairs if a in places and b in places and places[a] < places[b]]
    wrong = [
        n for n in numbers if n in places and sum(n in pair for pair in right) < 0.7 * (len(numbers) - 1)
    ]
    notes += [f"out of place: {truth[n]['text'][:60]}" for n in wrong]
    return len(right) / len(pairs)


def _start(block: dict) -> str:
    """What a block is found by: its text, or the first cells of a table."""
    text = " ".join(_words([block]))
    return text[:40] if block["kind"] == "table" else text


# -- kinds ---------------------------------------------------------------------------------------------


def _count(
    group: str, kinds: set[str], truth: list[dict], said: list[dict], notes: list[str]
) -> tuple[int, int, int]:
    wanted = [tidy(block["text"]) for block in truth if block["kind"] in kinds]
    given = [
        tidy(_MARK.sub("", line) if group == "list" else line)
        for block in said
        if block["type"] in kinds
        for line in (block["text"].split("\n") if group == "list" else [block["text"]])
    ]
    pairs = sorted(
        (
            (Levenshtein.normalized_similarity(a, b), i, j)
            for i, a in enumerate(wanted)
            for j, b in enumerate(given)
        ),
        reverse=True,
    )
    left, right, found = set(range(len(wanted))), set(range(len(given))), 0
    for near, i, j in pairs:
        if near >= SAME and i in left and j in right:
            left.discard(i)
            right.discard(j)
            found += 1
    notes += [f"{group} missed: {wanted[i][:60]}" for i in sorted(left)]
    free = [tidy(block["text"]) for block in truth if block["kind"] in ("footnote", "aside", "field")]
    spare = [
        j
        for j in right
        if not any(Levenshtein.normalized_similarity(given[j], text) >= SAME for text in free)
    ]
    notes += [f"{group} wrong: {given[j][:60]}" for j in sorted(spare)]
    return found, found + len(spare), len(wanted)


def f1(found: int, said: int, true: int) -> float | None:
    return 2 * found / (said + true) if said + true else None


# -- tables --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Node:
    name: str
    text: str = ""
    children: list["Node"] = field(default_factory=list)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[list]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            if not self.rows:
                self.rows.append([])
            self.rows[-1].append(["", int(given.get("rowspan") or 1), int(given.get("colspan") or 1)])
        elif tag == "br":
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1][0] += data


def rows_of(markup: str) -> list[list[list]]:
    parser = _Parser()
    parser.feed(html.unescape(markup) if "&lt;t" in markup else markup)
    return parser.rows


class _Costs(Config):
    shape_only = False

    def rename(self, a: Node, b: Node) -> float:
        if a.name != b.name:
            return 1.0
        if self.shape_only or not (a.text or b.text):
            return 0.0
        return Levenshtein.normalized_distance(a.text, b.text)

    def children(self, node: Node) -> list[Node]:
        return node.children


class _Shapes(_Costs):
    shape_only = True


def teds(a: list[list[list]], b: list[list[list]], costs: Config) -> float:
    """Zhong, ShafieiBavani, Jimeno Yepes: Image-based table recognition, 2020, section 5; `th` counts as `td`."""
    one, other = _tree(a), _tree(b)
    size = max(1 + len(a) + sum(map(len, a)), 1 + len(b) + sum(map(len, b)))
    return max(0.0, 1 - APTED(one, other, costs).compute_edit_distance() / size)


def _tree(rows: list[list[list]]) -> Node:
    return Node(
        "table",
        children=[
            Node("tr", children=[Node(f"td {down} {across}", tidy(text)) for text, down, across in row])
            for row in rows
        ],
    )


def _tables(truth: list[dict], said: list[dict], result: Score) -> None:
    given = [rows_of(block.get("html") or "") for block in said if block["type"] == "table"]
    given_text = [" ".join(cell[0] for row in rows for cell in row) for rows in given]
    left = set(range(len(given)))
    for block in truth:
        if block["kind"] != "table":
            continue
        best = max(left, key=lambda j: fuzz.token_set_ratio(given_text[j], block["text"]), default=None)
        if best is None or fuzz.token_set_ratio(given_text[best], block["text"]) < 30:
            result.tables.append(0.0)
            result.shapes.append(0.0)
            result.notes.append(f"table missed: {block['text'][:60]}")
            continue
        left.discard(best)
        result.tables.append(teds(block["rows"], given[best], _Costs()))
        result.shapes.append(teds(block["rows"], given[best], _Shapes()))
        if result.tables[-1] < 0.9:
            result.notes.append(f"table {result.tables[-1]:.2f}: {block['text'][:60]}")
    fields = " ".join(tidy(block["text"]) for block in truth if block["kind"] == "field")
    for j in left:
        if fuzz.partial_token_set_ratio(given_text[j], fields) < 60 or not fields:
            result.false_tables += 1
            result.notes.append(f"no table: {given_text[j][:60]}")
