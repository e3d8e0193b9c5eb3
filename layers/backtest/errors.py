"""Three families of error and no fourth.

The caller is wrong (`CallerError`: an answer with a status), the user's code failed (no exception: a `RunFailure`, a
result like any other), or the platform failed (`PlatformError`: tried again by whoever delivered the work).
"""

from __future__ import annotations


class BacktestError(Exception):
    """The base of what this package raises."""


class CallerError(BacktestError):
    """The caller is wrong: HTTP `status`, a stable `code` for programs, a `message` for people, `detail`: where."""

    def __init__(self, status: int, code: str, message: str, **detail: object) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = {k: v for k, v in detail.items() if v is not None}

    def body(self) -> dict[str, object]:
        """Return the JSON body that every edge answers with."""
        return {"error": {"code": self.code, "message": self.message, **self.detail}}


class PlatformError(BacktestError):
    """Something of ours failed, or is not there: the work stays where it was and is tried again."""
