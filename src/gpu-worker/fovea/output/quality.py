"""Warnings about readings that cannot be trusted. Clients see them."""

from collections.abc import Iterator

from fovea.output.blocks import Reading

# Limits beyond which a page is `suspect`.
MIN_CONFIDENCE = 0.6  # geometric mean of the token probabilities
MAX_BROKEN = 3  # broken references and stray control tokens


def quality_warnings(reading: Reading, confidence: float, located: bool) -> Iterator[str]:
    """The warnings. `located`: the task was to locate something, which may not be on the page."""
    if not any(block.text or block.type == "image" for block in reading.blocks):
        if not located:
            yield "The page is not blank, but no text was read."
    elif confidence < MIN_CONFIDENCE:
        yield f"The mean probability of the text's tokens is only {confidence:.2f}."
    if reading.malformed + reading.noise > MAX_BROKEN:
        yield "The layout markup of the answer is broken in many places."
