"""Why a reading is not to be trusted, in words for the person who sent the page."""

from collections.abc import Iterator

from fovea.output.blocks import Reading

LEAST_CONFIDENCE = 0.6  # geometric mean of the token probabilities below which a page is `suspect`
MOST_BROKEN = 3  # broken references and stray control tokens beyond which it is


def doubts(reading: Reading, confidence: float, located: bool) -> Iterator[str]:
    """What in a reading itself is not to be trusted. `located`: something was looked for."""
    if not any(block.text or block.type == "image" for block in reading.blocks):
        if not located:  # what was looked for need not be there
            yield "There is something on the page, but no text was read."
    elif confidence < LEAST_CONFIDENCE:
        yield f"The text was read with a mean token probability of only {confidence:.2f}."
    if reading.malformed + reading.noise > MOST_BROKEN:
        yield "The layout markup of the answer is broken in many places."
