"""The writer of all Markdown and table HTML: blocks become Markdown that renders as what is on the page.

Readers have two kinds of text. `escape` writes text of a page, in which nothing is markup. `disarm` writes Markdown of
a model, which keeps its emphasis, lists and formulas. A document can make either contain anything. Rendered, neither
makes a link, an image, HTML or a fence. This holds for CommonMark 0.31 with the extensions of GFM (tables,
strikethrough, task lists, autolinks), and for renderers that link bare domains as well, such as linkify-it.

A character gets a backslash only where it would be active: `3 * 4`, `snake_case` and `[sic]` stay as they are. The
conditions are local and a little wider than those of the specification, so they hold for renderers that differ in
details.
"""

import html
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from fovea.result.page_result import Block, TableCell

_PUNCTUATION = r"[!-/:-@\[-`{-~]"  # ASCII punctuation: what a backslash escapes
_TOP_DOMAIN = (
    r"(?:[a-z]{2}|biz|com|edu|gov|net|org|pro|web|xxx|aero|asia|coop|info|museum|name|shop|рф|xn--[a-z0-9-]+)"
    r"(?![^\W_])"
)
# Each alternative matches one character, without which there is no link, image, tag or entity.
_ACTIVE = (
    r"\](?=[(:])"  # a link or an image; the definition of a link or a footnote
    r"|(?<=[ps]:)/(?=/)|(?<=mailto):|(?<=xmpp):|/(?=/\S{0,120}(?:\.|localhost))"  # an address with a scheme
    rf"|(?<=www)\.(?=[a-z0-9-])|(?<=[^\s.])\.(?={_TOP_DOMAIN})"  # a domain
    rf"|(?<=\S)@(?=[a-z0-9_-]+\.(?!{_TOP_DOMAIN})[a-z0-9_-])"
    r"|<(?=[a-z/!?]|[^\s<>]*@)"
)
_LINKING = re.compile(_ACTIVE, re.IGNORECASE)
_PLAIN = re.compile(
    rf"{_ACTIVE}|&(?=(?:\#[0-9]{{1,7}}|\#x[0-9a-f]{{1,6}}|[a-z][a-z0-9]{{1,31}});)|\\(?={_PUNCTUATION}|\n|$)",
    re.IGNORECASE,
)
# Inline formulas do not nest, so the match takes linear time. The character after a backslash is already escaped.
_WRITTEN = re.compile(
    rf"\\\((?P<formula>(?:[^\\\n]|\\(?![()]))+)\\\)|(?P<escaped>\\{_PUNCTUATION})"
    rf"|(?P<active>{_ACTIVE}|`(?=``)|~(?=~~))",
    re.IGNORECASE,
)
_RUN = re.compile(r"\*+|_+|~+")
_BACKTICKS = re.compile(r"`+")
_NUMBERED = re.compile(r"([0-9]{1,9})[.)](?=\s|$)")
_TASK = re.compile(r"\[[ xX]\](?=\s|$)")
_SECTION_NUMBER = re.compile(r"[0-9A-Z][0-9]{0,2}(?:\.[0-9]{1,2})+(?=\.?\s+[^\W\d_])")
_CLOSING_HASHES = re.compile(r"(?:^|\s)(#+)$")
# What renderers take for white space or drop. Only line feeds end lines.
_BLANKS = dict.fromkeys(map(ord, "\0\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029\ufeff"), " ")

_NUMBER = re.compile(r"^\s*(\(?\w{1,3}[.)])\s+(.*)$", re.DOTALL)
_CHECK_BOX = re.compile(r"^\s*([☐☑☒])\s+(.*)$", re.DOTALL)
_BULLET = re.compile(r"^\s*[-–—•◦▪●*·‣]\s+(.*)$", re.DOTALL)

_BLOCK_START = r"[-+*>#=~`|:_]|[0-9]{1,9}[.)]"
_BROKEN_LINE = re.compile(rf"\s*\n\s*(?:\n\s*|(?={_BLOCK_START}))")


def escape(text: str, starts_lines: bool = True) -> str:
    """Text of a page as Markdown, whose rendering is the text up to white space. Linear time.

    `starts_lines`: the text is a paragraph of its own, so its lines must not begin another kind of block.
    """
    text = "\n".join(line.strip() for line in _lines(text))
    marks = {match.start() for match in _PLAIN.finditer(text)}
    marks.update(_delimiters(text), _backticks(text))
    if starts_lines:
        marks.update(_line_marks(text, listed=True))
    return _marked(text, marks)


def disarm(text: str, starts_lines: bool = True) -> str:
    r"""Markdown of a model without links, images, HTML and fences. Formulas `\(…\)` become `$…$`. Linear time.

    `starts_lines`: the lines of the text must not begin headings, quotes or rules, but they may be items of a list.
    """
    lines = [line.rstrip() for line in _lines(text)]
    # An indented line after a blank one would be code.
    text = "\n".join(line if above else line.lstrip() for above, line in itertools.pairwise(["", *lines]))
    if starts_lines:
        text = _marked(text, set(_line_marks(text, listed=False)))
    return _WRITTEN.sub(_disarmed, text)


def formula(latex: str) -> str:
    """LaTeX without links, images, HTML and fences. White space, which LaTeX ignores, takes the place of escapes."""
    latex = _LINKING.sub(lambda match: f"{match[0]} ", "\n".join(_lines(latex)).strip())
    return _BROKEN_LINE.sub(" ", latex)


def to_markdown(blocks: Iterable[Block], write: Callable[..., str] = escape) -> str:
    """The Markdown of blocks. `write` is `escape` or `disarm`, depending on what their texts are.

    Sets `place` and `markdown` of the blocks, see `join_parts`.
    """
    return join_parts((block, _block(block, write)) for block in blocks)


def join_parts(parts: Iterable[tuple[Block, str]]) -> str:
    """The Markdown of a page from that of its blocks.

    Sets what is needed to write tables, images and links in another form: `place`, where a block stands (one that is
    not in the Markdown: behind what precedes it), and `markdown`, a table without spans in GitHub's Markdown.
    """
    texts: list[str] = []
    length = 0
    for block, part in parts:
        start = length
        if part:
            start += 2 if texts else 0
            length = start + len(part)
            texts.append(part)
        block.place = (start, length)
        if block.type == "table" and block.cells is not None:
            block.markdown = pipe_table(block.cells)
    return "\n\n".join(texts)


def pipe_table(cells: Sequence[TableCell]) -> str | None:
    """A table in GitHub's Markdown, whose first row is the head; `None` if it has spans, which Markdown lacks."""
    if not cells or any(cell.rowspan > 1 or cell.colspan > 1 for cell in cells):
        return None
    columns = 1 + max(cell.column for cell in cells)
    rows = [[""] * columns for _ in range(1 + max(cell.row for cell in cells))]
    for cell in cells:
        words = escape(" ".join(cell.text.split()), starts_lines=False)
        rows[cell.row][cell.column] = words.replace("|", "\\|")
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|{' --- |' * columns}", *body])


def paragraphs(blocks: Iterable[Block]) -> str:
    """The Markdown of blocks without headings, tables and lists: their texts as paragraphs."""
    return "\n\n".join(escape(block.text) for block in blocks)


def table_cell(text: str, header: bool = False, rowspan: int = 1, colspan: int = 1) -> str:
    """A cell of an HTML table."""
    tag = "th" if header else "td"
    rows = f' rowspan="{rowspan}"' if rowspan > 1 else ""
    columns = f' colspan="{colspan}"' if colspan > 1 else ""
    # A blank line would end the table in Markdown.
    return f"<{tag}{rows}{columns}>{html.escape(' '.join(text.split()), quote=False)}</{tag}>"


def _block(block: Block, write: Callable[..., str]) -> str:
    text = block.text
    match block.type:
        case "title" | "sub_title":
            return _heading("#" * heading_level(block), text, write)
        case "table" if block.html:
            return block.html
        case "list":
            return _list(text, write)
        case "code":
            fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
            return f"{fence}\n{text}\n{fence}"
        case "equation" if block.latex:
            latex = formula(block.latex)
            # An empty group keeps a sign from beginning a list, a quote or a heading.
            return f"$$\n{'{}' if re.match(_BLOCK_START, latex) else ''}{latex}\n$$"
        case "image":
            return ""
        case _:
            # Two spaces at the end of a line keep the line break.
            return write(text).replace("\n", "  \n")


def heading_level(block: Block) -> int:
    """The level of a heading, 1 to 6: 1 for a title and 2 for a sub-title, or below, if its number has more parts.

    A number such as `2.1.3` means the same on every page, so levels agree over the pages of a document.
    """
    number = _SECTION_NUMBER.match(block.text)
    parts = number[0].count(".") + 1 if number else 0
    return max(1 if block.type == "title" else 2, min(parts + 1, 6) if parts > 1 else 1)


def _heading(sign: str, text: str, write: Callable[..., str]) -> str:
    words = write(" ".join(text.split()), starts_lines=False)
    if closing := _CLOSING_HASHES.search(words):
        words = _marked(words, {closing.start(1)})
    return f"{sign} {words}"


def _list(text: str, write: Callable[..., str]) -> str:
    """A list with one item a line. In `text` each level of nesting is indented by two spaces."""
    lines: list[str] = []
    widths: list[int] = []  # of the signs of the items around the next one
    for item in text.split("\n"):
        level = min((len(item) - len(item.lstrip(" "))) // 2, len(widths))
        del widths[level:]
        sign, words = _item(item, write)
        lines.append(f"{' ' * sum(widths)}{sign} {words}")
        widths.append(len(sign) + 1)
    return "\n".join(lines)


def _item(text: str, write: Callable[..., str]) -> tuple[str, str]:
    """The sign of an item, and its words. An item with a check box is a task (GFM)."""
    if box := _CHECK_BOX.match(text):
        return "-", f"[{' ' if box[1] == '☐' else 'x'}] {write(' '.join(box[2].split()))}"
    sign = "-"
    if bullet := _BULLET.match(text):
        text = bullet[1]
    elif (number := _NUMBER.match(text)) and number[1][:-1].isascii() and number[1][:-1].isdigit():
        sign, text = number[1], number[2]
    words = write(" ".join(text.split()))
    if task := _TASK.match(words):
        words = _marked(words, {task.end() - 1})
    return sign, words


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_BLANKS).split("\n")


def _marked(text: str, marks: set[int]) -> str:
    """The text with the characters at `marks` escaped."""
    parts, at = [], 0
    for mark in sorted(marks):
        parts += (text[at:mark], _escaped(text[mark]))
        at = mark + 1
    return "".join([*parts, text[at:]])


def _escaped(character: str) -> str:
    # Some renderers do not know the backslash before <, and HTML must not depend on it.
    return "&lt;" if character == "<" else "\\" + character


def _disarmed(match: re.Match[str]) -> str:
    if match["formula"]:
        return f"${formula(match['formula'])}$"
    return match["escaped"] or _escaped(match["active"])


def _delimiters(text: str) -> Iterator[int]:
    """Places of the delimiters of emphasis and strikethrough that open before one that closes.

    Without the first, the second is text. A run opens before and closes after anything but white space; an underscore
    does neither inside a word.
    """
    runs, last = list(_RUN.finditer(text)), {}
    for run in runs:
        before, after = _beside(text, run)
        if before.strip() and not (run[0][0] == "_" and after.isalnum()):
            last[run[0][0]] = run.start()
    for run in runs:
        before, after = _beside(text, run)
        if (
            after.strip()
            and run.start() < last.get(run[0][0], -1)
            and not (run[0][0] == "_" and before.isalnum())
        ):
            yield from range(*run.span())


def _beside(text: str, run: re.Match[str]) -> tuple[str, str]:
    """The characters before and after a run; empty at the ends of the text."""
    return text[max(0, run.start() - 1) : run.start()], text[run.end() : run.end() + 1]


def _backticks(text: str) -> Iterator[int]:
    """Places of the backticks of code and fences: runs of one length, of which the last may stay.

    A backslash does not keep a backtick from ending code, so each escaped backtick is a run of its own.
    """
    later: set[int] = set()
    for run in reversed(list(_BACKTICKS.finditer(text))):
        length = len(run[0])
        fence = length >= 3 and text[max(0, run.start() - 1) : run.start()] in ("", "\n")
        if fence or length in later:
            yield from range(*run.span())
            length = 1
        later.add(length)


def _line_marks(text: str, listed: bool) -> Iterator[int]:
    """Places of what begins a block at the start of a line. `listed`: items of lists are text, too."""
    at, first = 0, True
    for line in text.split("\n"):
        words = line.lstrip(" \t")
        start = at + len(line) - len(words)
        at += len(line) + 1
        words = words.rstrip()
        if not words:
            first = True
            continue
        sign, alone = words[0], words.replace(" ", "").replace("\t", "")
        run = len(words) - len(words.lstrip(sign))
        blank = words[run : run + 1].strip() == ""  # white space follows the run
        if (sign in "`~" and run >= 3) or (sign in "*_" and set(alone) == {sign} and len(alone) >= 3):
            yield from range(start, start + run)
        elif (
            (sign == "#" and run <= 6 and blank)
            or sign == ">"
            or (sign == "=" and len(words) == run)
            or (sign in "-:|" and "-" in words and set(alone) <= set("-:|"))
            or (sign in ("-+*" if listed else "+") and run == 1 and blank)
        ):
            yield start
        elif listed and (number := _NUMBERED.match(words)) and (first or int(number[1]) == 1):
            yield start + number.end() - 1
        first = False
