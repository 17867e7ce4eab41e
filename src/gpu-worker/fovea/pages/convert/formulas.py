"""Formulas of Office documents (ECMA-376, part 1, section 22.1) in a line of text, such as `x^2` and `(a+b)/c`."""

from fovea.pages.convert.opc import Element, child, name, value

MAX_DEPTH = 60
_ATOMS = 1
"""Characters of an operand that needs no parentheses."""


def formula_text(element: Element | None, depth: int = 0) -> str:
    """The text of `oMath`, or of a part of it."""
    if element is None or depth > MAX_DEPTH:
        return ""

    def of(*path: str) -> str:
        return formula_text(child(element, *path), depth + 1)

    match name(element):
        case "t":
            return element.text or ""
        case "f":
            return f"{_grouped(of('num'))}/{_grouped(of('den'))}"
        case "sSup":
            return f"{of('e')}^{_grouped(of('sup'))}"
        case "sSub":
            return f"{of('e')}_{_grouped(of('sub'))}"
        case "sSubSup":
            return f"{of('e')}_{_grouped(of('sub'))}^{_grouped(of('sup'))}"
        case "rad":
            return f"{of('deg')}√{_grouped(of('e'))}"
        case "nary":
            sign = value(element, "naryPr", "chr") or "∫"
            lower, upper = of("sub"), of("sup")
            limits = (f"_{_grouped(lower)}" if lower else "") + (f"^{_grouped(upper)}" if upper else "")
            return f"{sign}{limits} {of('e')}"
        case "d":
            begin = value(element, "dPr", "begChr")
            end = value(element, "dPr", "endChr")
            parts = [formula_text(one, depth + 1) for one in element if name(one) == "e"]
            return ("(" if begin is None else begin) + ", ".join(parts) + (")" if end is None else end)
        case "m":
            rows = [
                ", ".join(formula_text(cell, depth + 1) for cell in row if name(cell) == "e")
                for row in element
                if name(row) == "mr"
            ]
            return "; ".join(rows)
        case "eqArr":
            return "; ".join(formula_text(one, depth + 1) for one in element if name(one) == "e")
        case tag if tag.endswith("Pr"):
            return ""
        case _:
            return "".join(formula_text(one, depth + 1) for one in element)


def _grouped(text: str) -> str:
    return text if len(text) <= _ATOMS or text.isalnum() else f"({text})"
