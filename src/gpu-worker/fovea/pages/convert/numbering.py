"""Styles and numbering of Word documents: which paragraph is a heading, and which number it shows.

ECMA-376, part 1, sections 17.7 and 17.9.
"""

import re
from dataclasses import dataclass, field

from fovea.pages.convert.labels import label
from fovea.pages.convert.opc import Element, attribute, child, is_on, name, value

MAX_LEVEL = 8
MAX_CHAIN = 20
"""Styles that a style may be based on."""
BULLET = "•"
BOXES = frozenset("☐☑☒")
"""Signs of items that are tasks."""
WINGDINGS = {0xA8: "☐", 0x6F: "☐", 0x71: "☐", 0xA3: "☐", 0x78: "☒", 0xFD: "☒", 0xFE: "☑", 0x52: "☑"}
"""The same in Wingdings and Wingdings 2, by their codes."""
CODE = frozenset(("source code", "code", "html preformatted", "preformatted text", "macro text"))
"""Names of styles whose white space counts."""
_HEADING = re.compile(r"heading ?([1-9])$")
_PLACE = re.compile(r"%([1-9])")


def _number(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,9}", text) else default


@dataclass(slots=True)
class Style:
    name: str = ""
    based_on: str = ""
    outline: int | None = None
    """From 0; 9 is the text."""
    numbering: tuple[str | None, int | None] = (None, None)
    """Id of the numbering, and level."""
    is_hidden: bool = False
    breaks_before: bool = False


class Styles:
    def __init__(self, root: Element | None):
        self._styles: dict[str, Style] = {}
        self.default = ""
        for one in root if root is not None else ():
            if name(one) != "style":
                continue
            key = attribute(one, "styleId") or ""
            properties = child(one, "pPr")
            self._styles[key] = Style(
                (value(one, "name") or "").lower(),
                value(one, "basedOn") or "",
                outline_of(properties),
                numbering_of(properties),
                is_on(one, "rPr", "vanish"),
                is_on(properties, "pageBreakBefore"),
            )
            if attribute(one, "default") in ("1", "true") and attribute(one, "type") == "paragraph":
                self.default = key

    def chain(self, key: str | None) -> list[Style]:
        """A style and those that it is based on."""
        chain: list[Style] = []
        key = key or self.default
        while (style := self._styles.get(key)) and len(chain) < MAX_CHAIN:
            chain.append(style)
            key = style.based_on
        return chain

    def level(self, key: str | None, properties: Element | None) -> int:
        """The level of a heading, 1 to 6; 0 for other paragraphs."""
        if (own := outline_of(properties)) is not None:
            return own + 1 if own < 6 else 0
        chain = self.chain(key)
        if chain and chain[0].name == "title":
            return 1
        for style in chain:
            if match := _HEADING.match(style.name):
                return min(int(match[1]), 6)
            if style.outline is not None:
                return style.outline + 1 if style.outline < 6 else 0
        return 0

    def is_subtitle(self, key: str | None) -> bool:
        return [style.name for style in self.chain(key)[:1]] == ["subtitle"]

    def is_code(self, key: str | None) -> bool:
        return any(style.name in CODE for style in self.chain(key))

    def is_hidden(self, key: str | None) -> bool:
        return key is not None and any(style.is_hidden for style in self.chain(key))


def outline_of(properties: Element | None) -> int | None:
    text = value(properties, "outlineLvl")
    return _number(text, 9) if text is not None else None


def numbering_of(properties: Element | None) -> tuple[str | None, int | None]:
    own = child(properties, "numPr")
    level = value(own, "ilvl")
    return value(own, "numId"), _number(level, 0) if level is not None else None


@dataclass(slots=True)
class _Level:
    start: int = 1
    form: str = "decimal"
    text: str = ""
    style: str = ""
    is_legal: bool = False


@dataclass(slots=True)
class _List:
    """A numbering: its levels, and the counters that it shares with others of the same definition."""

    levels: dict[int, _Level]
    counters: dict[int, int]
    restarts: dict[int, int] = field(default_factory=dict)
    """Levels that this numbering starts anew, and with which number."""


class Numbering:
    def __init__(self, root: Element | None, styles: Styles):
        self._styles = styles
        self._lists: dict[str, _List] = {}
        nodes = list(root) if root is not None else []
        definitions = {
            attribute(one, "abstractNumId"): ({}, _levels(one), value(one, "numStyleLink"))
            for one in nodes
            if name(one) == "abstractNum"
        }
        for one in nodes:
            if name(one) != "num":
                continue
            counters, levels, _ = definitions.get(value(one, "abstractNumId"), ({}, {}, None))
            changed, restarts = dict(levels), {}
            for override in one:
                if name(override) != "lvlOverride":
                    continue
                at = _number(attribute(override, "ilvl"), 0)
                changed.update(_levels(override))
                if (start := value(override, "startOverride")) is not None:
                    restarts[at] = _number(start, 1)
            self._lists[attribute(one, "numId") or ""] = _List(changed, counters, restarts)

    def marker(self, key: str | None, properties: Element | None) -> tuple[int, str] | None:
        """The level of an item, from 0, and its sign, which may be empty; `None` for other paragraphs. Counts it."""
        number, level = numbering_of(properties)
        for style in self._styles.chain(key):
            number = number if number is not None else style.numbering[0]
            level = level if level is not None else style.numbering[1]
        found = self._lists.get(number or "")
        if found is None:
            return None
        if level is None:
            level = next((at for at, one in found.levels.items() if one.style and one.style == key), 0)
        level = min(max(level, 0), MAX_LEVEL)
        return level, self._counted(found, level)

    def _counted(self, found: _List, level: int) -> str:
        own = found.levels.get(level, _Level(text=f"%{level + 1}."))
        counters = found.counters
        if (start := found.restarts.pop(level, None)) is not None:
            counters[level] = start
        else:
            counters[level] = counters.get(level, own.start - 1) + 1
        for deeper in [one for one in counters if one > level]:
            del counters[deeper]
        if own.form == "bullet":
            sign = own.text.strip()
            sign = WINGDINGS.get(ord(sign) - 0xF000, sign) if len(sign) == 1 else sign
            return sign if sign in BOXES else BULLET if sign else ""
        for above in range(level):
            counters.setdefault(above, found.levels.get(above, _Level()).start)
        return _PLACE.sub(lambda match: self._at(found, own, int(match[1]) - 1), own.text).strip()

    def _at(self, found: _List, own: _Level, level: int) -> str:
        form = "decimal" if own.is_legal else found.levels.get(level, _Level()).form
        return label(found.counters.get(level, 1), form)


def _levels(parent: Element) -> dict[int, _Level]:
    return {
        _number(attribute(one, "ilvl"), 0): _Level(
            _number(value(one, "start"), 1),
            value(one, "numFmt") or "decimal",
            (value(one, "lvlText") or "")[:100],
            value(one, "pStyle") or "",
            is_on(one, "isLgl"),
        )
        for one in parent
        if name(one) == "lvl"
    }
