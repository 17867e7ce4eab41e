"""Reuses and stores vision tokens: a reader calls `recall` before it encodes a page, and `keep` after reading it."""

import logging

from fovea.engine import VisionTokens, VisionTokensError, load_tokens, save_tokens
from fovea.readers.base import ENCODE, ReadRequest
from fovea.result.page_result import PageResult

log = logging.getLogger(__name__)


def recall(request: ReadRequest, *, page: int, mode: str, digest: str, width: int) -> VisionTokens | None:
    """The stored tokens of a page in a mode, made by the model `digest` (or `request.digest`, if set).

    `width` is the size of an embedding. Returns `None` if there are none, or if the file is not valid; then the page
    is encoded. Blocks.
    """
    data = request.recall(mode)
    if data is None:
        return None
    try:
        tokens, stored_mode, stored_page = load_tokens(data, digest=request.digest or digest, width=width)
    except VisionTokensError as error:
        log.warning("stored vision tokens of page %d are not used: %s", page, error)
        return None
    if (stored_mode, stored_page) != (mode, page):
        log.warning(
            "stored vision tokens of page %d, %s belong to page %d, %s", page, mode, stored_page, stored_mode
        )
        return None
    return tokens


def keep(result: PageResult, request: ReadRequest, tokens: VisionTokens) -> None:
    """Attaches the tokens from which `result` was read, if the request asks for them."""
    if request.keep_tokens or request.task == ENCODE:
        result.attachments["tokens"] = save_tokens(
            tokens, digest=request.digest or result.model_digest, mode=result.mode, page=result.page
        )
