"""Divides text without layout markup into headings, tables, equations, code, lists and paragraphs.

The model writes a mixture of Markdown, HTML tables and LaTeX. One pass from left to right divides it; every part has
its range of characters in the source. An answer may end anywhere: a table or code that is not closed reaches to the end
of the text, but an equation counts only if it is closed.
"""

import re
from dataclasses import dataclass, field

from fovea.output.tables import repair_table
from fovea.result.markdown import formula, table_cell
from fovea.result.page_result import TableCell

MAX_LATEX = 100_000

# The start of anything that is not a paragraph. Fences and $$ count only at the start of a line.
_OPENING = re.compile(r"<table\b|<tr>|<td>|\\\[|^[ \t]*(?:```|\$\$)", re.IGNORECASE | re.MULTILINE)
_BLANK_LINES = re.compile(r"\n[ \t\r]*\n\s*")
_TABLE_END = re.compile(r"</table\s{0,9}>", re.IGNORECASE)
_HEADING = re.compile(r"\s*(#{1,6})\s+(?=\S)")
_CENTER = re.compile(r"</?center>", re.IGNORECASE)
_ITEM = re.compile(r"\s*(?:[-*+•◦▪●‣·]|\(?[0-9]{1,3}[.)])\s+\S")
_GLUED_BULLET = re.compile(r"(?<=\S)[ \t]*(?=[•◦▪●‣]\s)")
_GLUED_NUMBER = re.compile(r"(?:(?<=^)|(?<=\s))([0-9]{1,3})[.)]\s")
_RULE_CELL = re.compile(r":?-+:?")
_SPELLED = (("\\coloneqq", ":="), ("\\eqqcolon", "=:"))


@dataclass(slots=True)
class Part:
    """A part of one type. `start` and `end` are its range of characters in the source."""

    type: str
    text: str
    start: int
    end: int
    html: str | None = None
    latex: str | None = None
    cells: list[TableCell] | None = None
    warnings: list[str] = field(default_factory=list)


def divide(text: str) -> list[Part]:
    """The parts in order. Takes any text, in linear time."""
    parts: list[Part] = []
    at = 0
    unclosed: set[str] = (
        set()
    )  # closing marks that do not occur in the rest, so that they are searched only once
    plain = 0  # start of the text that is not in a part yet
    while match := _OPENING.search(text, at):
        start, opening = match.start(), match[0].strip().lower()
        begin = match.end()
        if opening in ("\\[", "$$"):
            closing = "\\]" if opening == "\\[" else "$$"
            stop = -1 if closing in unclosed else text.find(closing, begin)
            if stop < 0:
                unclosed.add(closing)
                at = begin
                continue
            part, end = equation_part(text[begin:stop], start, stop + 2), stop + 2
        elif opening == "```":
            part, end = _code(text, start, begin)
        else:
            part, end = _table(text, start)
        parts += _paragraphs(text, plain, start)
        if part is not None:
            parts.append(part)
        at = plain = end
    return parts + _paragraphs(text, plain, len(text))


def table_part(source: str, start: int, end: int) -> Part | None:
    """A table from HTML or from Markdown lines with bars; `None` if there is no cell."""
    lines = source.strip().split("\n")
    if "<t" not in source.lower() and (rows := _bars(lines)):
        source = "".join(f"<tr>{''.join(map(table_cell, row))}</tr>" for row in rows)
    elif "<t" not in source.lower():
        return None
    table = repair_table(source)
    if not table.columns:
        return None
    return Part(
        "table", table.text(), start, end, html=table.html(), cells=table.cells(), warnings=table.warnings
    )


def equation_part(source: str, start: int, end: int) -> Part:
    """LaTeX without its delimiters and without what Markdown would take for markup."""
    latex = source.strip()
    for opening, closing in (("\\[", "\\]"), ("\\(", "\\)"), ("$$", "$$"), ("$", "$")):
        if len(latex) > len(opening + closing) and latex.startswith(opening) and latex.endswith(closing):
            latex = latex[len(opening) : -len(closing)].strip()
            break
    for command, sign in _SPELLED:
        latex = latex.replace(command, sign)
    # A blank line or a $$ would end the formula in Markdown.
    latex = formula(_BLANK_LINES.sub("\n", latex).replace("$$", ""))[:MAX_LATEX]
    return Part("equation", latex, start, end, latex=latex)


def list_lines(text: str) -> str:
    """A list with one item per line. Items in one line are split at bullets and at consecutive numbers."""
    text = _GLUED_BULLET.sub("\n", text)
    wanted, cuts = None, []
    for match in _GLUED_NUMBER.finditer(text):
        number = int(match[1])
        if wanted is None and match.start() == 0:
            wanted = number + 1
        elif number == wanted:
            cuts.append(match.start())
            wanted += 1
    for cut in reversed(cuts):
        text = text[:cut].rstrip() + "\n" + text[cut:]
    return "\n".join(line.strip() for line in text.split("\n") if line.strip())


def tidy(text: str) -> str:
    """Paragraph text without `<center>`, leading and trailing white space, and repeated empty lines."""
    return _BLANK_LINES.sub("\n\n", _CENTER.sub("", text)).strip()


def _table(text: str, start: int) -> tuple[Part | None, int]:
    """The table at `start` and its end. Without a `<table>` tag it ends at a blank line."""
    tagged = text[start : start + 6].lower() == "<table"
    stop = (_TABLE_END if tagged else _BLANK_LINES).search(text, start)
    end = len(text) if stop is None else stop.end() if tagged else stop.start()
    part = table_part(text[start:end], start, end)
    if part is not None and tagged and stop is None:
        part.warnings.append("a table is incomplete")
    return part, end


def _code(text: str, start: int, begin: int) -> tuple[Part, int]:
    """The code block at `start` and its end. The language after the opening fence is dropped."""
    line_end = text.find("\n", begin)
    if line_end < 0:
        return Part("code", text[begin:].strip(), start, len(text)), len(text)
    stop = text.find("\n```", line_end)
    end = len(text) if stop < 0 else stop + 4
    return Part("code", text[line_end + 1 : stop if stop >= 0 else end].rstrip(), start, end), end


def _paragraphs(text: str, start: int, end: int) -> list[Part]:
    """The parts of a range without any match of `_OPENING`."""
    parts: list[Part] = []
    at = start
    cuts = [(match.start(), match.end()) for match in _BLANK_LINES.finditer(text, start, end)]
    for stop, following in [*cuts, (end, end)]:
        for part in _paragraph(text, at, stop):
            if part.type == "list" and parts and parts[-1].type == "list":
                parts[-1].text += "\n" + part.text
                parts[-1].end = part.end
            else:
                parts.append(part)
        at = following
    return parts


def _paragraph(text: str, start: int, end: int) -> list[Part]:
    parts: list[Part] = []
    # A heading ends with its line, even if no empty line follows.
    while heading := _HEADING.match(text, start, end):
        stop = text.find("\n", heading.end(), end)
        stop = end if stop < 0 else stop
        if words := tidy(text[heading.end() : stop]).rstrip("#").rstrip():
            kind = "title" if len(heading[1]) == 1 else "sub_title"
            parts.append(Part(kind, words, start, stop))
        start = stop
    rest = text[start:end]
    if "|" in rest and (table := table_part(rest, start, end)):
        return [*parts, table]
    words = tidy(rest)
    if not words:
        return parts
    lines = [line for line in words.split("\n") if line.strip()]
    # A single line that starts with a number may also be a numbered heading or a date.
    listed = all(map(_ITEM.match, lines)) and (len(lines) > 1 or not words[0].isdigit())
    if listed:
        return [*parts, Part("list", list_lines(words), start, end)]
    return [*parts, Part("text", words, start, end)]


def _bars(lines: list[str]) -> list[list[str]] | None:
    """The cells of a Markdown table without its delimiter row; `None` if the lines are not a table."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if line.strip()]
    if len(rows) < 2 or not all(_RULE_CELL.fullmatch(cell) for cell in rows[1]):
        return None
    return [rows[0], *rows[2:]]
