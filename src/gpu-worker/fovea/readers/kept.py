"""Vision tokens that outlive a page: how a reader takes up those that were kept, and hands over its own.

A reader with vision tokens calls `recall` before it encodes and `keep` when it has read; that is all that the
rest of the service needs of it.
"""

import logging

from fovea.engine import VisionTokens, VisionTokensError, load_tokens, save_tokens
from fovea.readers.base import ENCODE, ReadRequest
from fovea.result.page_result import PageResult

log = logging.getLogger(__name__)


def recall(request: ReadRequest, *, page: int, mode: str, digest: str, width: int) -> VisionTokens | None:
    """The kept tokens of a page in a mode, made by the model `digest` (`request.digest` may say more); `None`
    where the page must be encoded.

    Nothing that is found raises: a broken file costs an encoding and no more. Blocks.
    """
    data = request.recall(mode)
    if data is None:
        return None
    try:
        seen, its_mode, its_page = load_tokens(data, digest=request.digest or digest, width=width)
    except VisionTokensError as error:
        log.warning("kept vision tokens of page %d are not used: %s", page, error)
        return None
    if (its_mode, its_page) != (mode, page):
        log.warning("kept vision tokens of page %d are those of page %d, %s", page, its_page, its_mode)
        return None
    return seen


def keep(result: PageResult, request: ReadRequest, seen: VisionTokens) -> None:
    """Attaches the tokens from which `result` was read, where they are wanted."""
    if request.keep_tokens or request.task == ENCODE:
        result.attachments["tokens"] = save_tokens(
            seen, digest=request.digest or result.model_digest, mode=result.mode, page=result.page
        )
