"""Checks whether a text is a chemical formula in SMILES: its alphabet and structure, not its chemistry."""

import re

MAX_LENGTH = 1000

# Atoms of the organic subset need no brackets, all others do (OpenSMILES, sections 3.1 and 3.5).
_TOKEN = re.compile(
    r"(?P<atom>Cl|Br|[BCNOPSFI]|[bcnops]|\*)"
    r"|(?P<bracket>\[[0-9]{0,3}(?:[A-Z][a-z]?|[bcnops]|se|as|\*)@{0,2}(?:H[0-9]?)?"
    r"(?:[+-]{1,3}|[+-][0-9]{1,2})?(?::[0-9]{1,4})?\])"
    r"|(?P<bond>[-=#$:/\\])"
    r"|(?P<ring>[0-9]|%[0-9]{2})"
    r"|(?P<open>\()|(?P<close>\))|(?P<dot>\.)"
)


def is_smiles(text: str) -> bool:
    """Whether the text is one well-formed SMILES string: known tokens, and all rings and branches closed."""
    if not 0 < len(text) <= MAX_LENGTH:
        return False
    at, depth, rings, before = 0, 0, set(), "start"
    aromatic = closed = False
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return False
        kind, at = match.lastgroup, match.end()
        if kind == "bracket":
            kind = "atom"
        elif kind == "atom":
            aromatic |= match[0].islower()
        if kind != "atom" and before in ("start", "dot"):
            return False
        if (kind == "bond" and before == "bond") or (kind in ("close", "open", "dot") and before == "bond"):
            return False
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
            if depth < 0 or before == "open":
                return False
        elif kind == "ring":
            if before not in ("atom", "ring", "bond"):
                return False
            rings ^= {int(match[0].lstrip("%"))}
            closed = True
        before = kind
    # Aromatic atoms must be in rings. Otherwise "spoon" and "cocoon" would be molecules.
    return depth == 0 and not rings and before in ("atom", "ring", "close") and (closed or not aromatic)
