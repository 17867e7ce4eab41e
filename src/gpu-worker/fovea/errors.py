"""Errors that clients see. docs/WORKER-PROTOCOL.md, section 2, lists the codes."""


class FoveaError(Exception):
    """`code` is stable. `message` goes to the client that sent the document: no paths, no internals."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message

    def to_json(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message}


class DocumentError(FoveaError):
    """The document cannot be read; no page of it has a result."""


class PageError(FoveaError):
    """One page cannot be read."""
