"""Number formats of spreadsheets (ECMA-376, part 1, section 18.8.31): a value as its cell shows it.

Signs are those of the format's code: a point before decimals, commas between thousands. Dates in the form of the
reader's own country are ISO dates. A format that is not understood leaves the value as the file has it.
"""

import datetime
import math
import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

BUILT_IN = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    14: "yyyy-mm-dd",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm",
    37: "#,##0;(#,##0)",
    38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
    49: "@",
}
"""By their ids. 14 and 22 are in the form of the reader's country."""
DATES = (*range(27, 37), *range(50, 59))
"""Ids of dates in East Asian forms."""
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MAX_CODE = 255
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill>.)|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<meridiem>AM/PM|A/P)|(?P<general>General)|(?P<date>[yY]+|[mM]+|[dD]+|[hH]+|[sS]+(?:\.0+)?)"
    r"|(?P<exponent>[eE][+-])|(?P<digit>[0#?])|(?P<plain>.)",
    re.DOTALL,
)
_ELAPSED = re.compile(r"[hms]+", re.IGNORECASE)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)(-?[0-9.]+)$")
_CURRENCY = re.compile(r"\$([^-]*)(?:-([0-9A-Fa-f]+))?$")
_ENGLISH = 0x09
Token = tuple[str, str]


def shown(value: float, code: str, is_1904: bool = False) -> str:
    """A number with a format. `is_1904`: whether days count from 1904."""
    try:
        return _shown(value, code[:MAX_CODE], is_1904)
    except (ValueError, OverflowError, ArithmeticError):
        return plain(value)


def plain(value: float) -> str:
    """A number as it is, to 15 digits: more are noise of the binary form."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    text = f"{value:.15g}"
    return text.upper()


def _shown(value: float, code: str, is_1904: bool) -> str:
    section, value = _section(value, code)
    if section is None:
        return plain(value)
    kinds = [kind for kind, _ in section]
    if "general" in kinds:
        texts = [plain(abs(value)) if kind == "general" else text for kind, text in section]
        return ("-" if value < 0 else "") + "".join(texts).strip()
    if any(kind in ("date", "elapsed", "meridiem") for kind in kinds):
        return _date(value, section, is_1904)
    if ("plain", "@") in section:
        return plain(value)
    if "digit" not in kinds:
        return "".join(text for kind, text in section if _is_text(kind)).strip()
    return _number(value, section)


def _is_text(kind: str) -> bool:
    return kind in ("text", "plain", "percent")


@lru_cache(maxsize=1000)
def _sections(code: str) -> tuple[tuple[Token, ...], ...]:
    sections: list[list[Token]] = [[]]
    for match in _TOKEN.finditer(code):
        kind = match.lastgroup or "plain"
        text = match[kind]
        if kind == "plain" and text == ";":
            sections.append([])
            continue
        if kind == "bracket":
            kind, text = _bracket(text)
        elif kind in ("quoted", "escaped"):
            kind = "text"
        elif kind == "space":
            kind, text = "text", " "
        elif kind == "fill":
            continue
        elif kind == "plain" and text == "%":
            kind = "percent"
        sections[-1].append((kind, text))
    return tuple(map(tuple, sections[:4]))


def _bracket(text: str) -> Token:
    if _ELAPSED.fullmatch(text):
        return "elapsed", text.lower()
    if _CONDITION.match(text):
        return "condition", text
    if currency := _CURRENCY.match(text):
        if currency[2] and int(currency[2], 16) & 0xFF not in (0, _ENGLISH):
            return "foreign", currency[1]
        return "text", currency[1]
    return "color", ""


def _section(value: float, code: str) -> tuple[tuple[Token, ...] | None, float]:
    """The section of the code for this value. A section for negative numbers writes their sign itself."""
    sections = _sections(code)
    conditions = [next((text for kind, text in section if kind == "condition"), None) for section in sections]
    if any(conditions):
        for section, condition in zip(sections, conditions, strict=True):
            if condition is None or _holds(value, condition):
                return section, value
        return None, value
    numbers = sections[:3]
    if value > 0 or len(numbers) == 1:
        return numbers[0], value
    if value < 0:
        return numbers[1], -value
    return numbers[2] if len(numbers) > 2 else numbers[0], value


def _holds(value: float, condition: str) -> bool:
    match = _CONDITION.match(condition)
    limit = float(match[2])
    return {
        "<": value < limit,
        ">": value > limit,
        "<=": value <= limit,
        ">=": value >= limit,
        "=": value == limit,
        "<>": value != limit,
    }[match[1]]


def _number(value: float, section: tuple[Token, ...]) -> str:
    """Fills the digits of a section."""
    slots = [i for i, (kind, _) in enumerate(section) if kind == "digit"]
    texts = [text for _, text in section]
    if any(
        kind == "plain" and text == "/" and slots[0] < i < slots[-1] for i, (kind, text) in enumerate(section)
    ):
        return plain(value)  # a fraction
    point = next((i for i in range(slots[0], len(section)) if section[i] == ("plain", ".")), None)
    if point is None and slots[0] > 0 and section[slots[0] - 1] == ("plain", "."):
        point = slots[0] - 1
    exponent = next((i for i, (kind, _) in enumerate(section) if kind == "exponent"), None)
    whole = [i for i in slots if (point is None or i < point) and (exponent is None or i < exponent)]
    decimals = [i for i in slots if point is not None and i > point and (exponent is None or i < exponent)]
    end = max([*whole, *decimals], default=slots[0])
    commas = [i for i in range(len(section)) if section[i] == ("plain", ",")]
    thousands = any(whole and whole[0] < i < whole[-1] for i in commas)
    scale = 0
    while end + scale + 1 in commas:
        scale += 1
    number = Decimal(repr(abs(value)))
    number *= Decimal(100) ** sum(kind == "percent" for kind, _ in section)
    number /= Decimal(1000) ** scale
    power = 0
    if exponent is not None and number:
        power = math.floor(number.log10())
        power -= power % len(whole) if len(whole) > 1 else 0
        number = number.scaleb(-power)
    rounded = number.quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP)
    digits, _, rest = f"{rounded:f}".partition(".")
    least = sum(texts[i] == "0" for i in whole)
    digits = (digits.lstrip("0") or "").rjust(least, "0")
    kept = len(rest)
    while kept and rest[kept - 1] == "0" and texts[decimals[kept - 1]] != "0":
        kept -= 1
    rest = rest[:kept]
    if thousands:
        digits = f"{int(digits or '0'):,}".rjust(least, "0") if digits else digits
    sign = "-" if value < 0 and (rounded or not rest) and rounded != 0 else ""
    head, *_ = [*whole, point, *slots]
    out: list[str] = []
    is_written = False
    for i, (kind, text) in enumerate(section):
        if i == head and not is_written:
            out += [sign, digits]
            is_written = True
        if i == point:
            # Text between the digits, such as that of a telephone number, is not expected behind the point.
            out.append(f".{rest}" if rest or any(texts[j] == "0" for j in decimals) else "")
        elif kind == "exponent":
            out.append(f"E{'-' if power < 0 else '+' if text.endswith('+') else ''}")
            width = sum(texts[j] == "0" for j in slots if j > i)
            out.append(str(abs(power)).rjust(width, "0"))
        elif kind in ("text", "percent", "foreign") or (kind == "plain" and i not in commas):
            if whole and whole[0] < i < whole[-1] and kind != "percent":
                return _masked(value, section, whole, decimals)
            out.append(text)
    return "".join(out).strip()


def _masked(value: float, section: tuple[Token, ...], whole: list[int], decimals: list[int]) -> str:
    """Digits with other signs between them, such as `000-00-0000`."""
    if decimals:
        return plain(value)
    digits = str(round(abs(value))).rjust(sum(section[i][1] == "0" for i in whole), "0")
    out = []
    for place, i in enumerate(reversed(whole)):
        following = whole[len(whole) - place] if place else len(section)
        between = [text for kind, text in section[i + 1 : following] if kind in ("text", "plain", "foreign")]
        is_last = place == len(whole) - 1
        taken = digits if is_last else digits[-1:]
        digits = "" if is_last else digits[:-1]
        if taken or section[i][1] == "0":
            out.append(taken + "".join(between))
    before = [text for kind, text in section[: whole[0]] if kind in ("text", "plain", "foreign")]
    return ("-" if value < 0 else "") + "".join([*before, *reversed(out)]).strip()


def _date(value: float, section: tuple[Token, ...], is_1904: bool) -> str:
    moment = date_of(value, is_1904)
    names = any(kind == "date" and len(text) > 2 and text[0] in "mMdD" for kind, text in section)
    if names and any(kind == "foreign" for kind, _ in section):
        return iso(moment)  # names of months in another language
    is_half = any(kind == "meridiem" for kind, _ in section)
    parts = [i for i, (kind, _) in enumerate(section) if kind in ("date", "elapsed")]
    finest = next((text for kind, text in section if kind == "date" and "." in text), "")
    shown = _rounded(moment, finest)
    out = []
    for i, (kind, text) in enumerate(section):
        if kind == "elapsed":
            total = round(value * 86400)
            unit = {"h": 3600, "m": 60, "s": 1}[text[0]]
            out.append(str(total // unit).rjust(len(text), "0"))
        elif kind == "meridiem":
            out.append(("AM" if shown.hour < 12 else "PM")[: 2 if text == "AM/PM" else 1])
        elif kind == "date":
            out.append(_date_part(text, shown, is_half, _is_minute(i, parts, section)))
        elif kind in ("text", "plain", "percent"):
            out.append(text)
    return "".join(out).strip()


def _is_minute(i: int, parts: list[int], section: tuple[Token, ...]) -> bool:
    """`m` behind hours or before seconds is a minute."""
    at = parts.index(i)
    before = section[parts[at - 1]][1].lower() if at > 0 else ""
    after = section[parts[at + 1]][1].lower() if at + 1 < len(parts) else ""
    return before.startswith("h") or after.startswith("s")


def _rounded(moment: datetime.datetime, finest: str) -> datetime.datetime:
    """Times are rounded to their last digit."""
    digits = len(finest.partition(".")[2])
    step = 10 ** (6 - min(digits, 6))
    extra = moment.microsecond % step
    add = step - extra if 2 * extra >= step else -extra
    return moment + datetime.timedelta(microseconds=add)


def _date_part(text: str, moment: datetime.datetime, is_half: bool, is_minute: bool) -> str:
    code, length = text[0].lower(), len(text)
    match code:
        case "y":
            return f"{moment.year:04d}" if length > 2 else f"{moment.year % 100:02d}"
        case "m" if is_minute:
            return f"{moment.minute:0{min(length, 2)}d}"
        case "m":
            name = MONTHS[moment.month - 1]
            return [str(moment.month), f"{moment.month:02d}", name[:3], name, name[0]][min(length, 5) - 1]
        case "d":
            name = DAYS[moment.weekday()]
            return [str(moment.day), f"{moment.day:02d}", name[:3], name][min(length, 4) - 1]
        case "h":
            hour = (moment.hour + 11) % 12 + 1 if is_half else moment.hour
            return f"{hour:0{min(length, 2)}d}"
        case _:
            whole, _, digits = text.partition(".")
            second = f"{moment.second:0{min(len(whole), 2)}d}"
            fraction = f"{moment.microsecond:06d}"[: len(digits)]
            return f"{second}.{fraction}" if digits else second


def date_of(value: float, is_1904: bool = False) -> datetime.datetime:
    """Days since the end of 1899 as a date. Raises `ValueError` or `OverflowError`."""
    if value < 0:
        raise ValueError("a date before the first one")
    # The first spreadsheets took 1900 for a leap year.
    first = (
        datetime.datetime(1904, 1, 1) if is_1904 else datetime.datetime(1899, 12, 31 if value < 60 else 30)
    )
    return first + datetime.timedelta(milliseconds=round(value * 86_400_000))


def iso(moment: datetime.datetime) -> str:
    if moment.time() == datetime.time():
        return moment.date().isoformat()
    return moment.isoformat(" ", "minutes" if moment.second == 0 else "seconds")


def is_date(code: str) -> bool:
    return any(kind in ("date", "elapsed") for section in _sections(code[:MAX_CODE]) for kind, _ in section)
