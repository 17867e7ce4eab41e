"""Faults that a person is told about. Codes and their meaning: docs/WORKER-PROTOCOL.md, section 2."""


class FoveaError(Exception):
    """`code` is stable, `message` is for the person who sent the document: no paths, no internals."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message

    def to_json(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message}


class DocumentError(FoveaError):
    """The whole document cannot be read."""


class PageError(FoveaError):
    """One page cannot be read."""
