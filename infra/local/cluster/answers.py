"""The API's errors, as Kubernetes words them: a `Status` object with a reason."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A request that the API refuses."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason

    def status(self) -> dict[str, Any]:
        """Return the `Status` object that goes over the wire."""
        return {
            "apiVersion": "v1",
            "kind": "Status",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "code": self.code,
        }


def unauthorized(why: str) -> ApiError:
    """Return a 401; `why` is not secret."""
    return ApiError(401, "Unauthorized", f"Unauthorized: {why}")


def forbidden(user: str, what: str) -> ApiError:
    """Return a 403 that names the user and what was asked for."""
    return ApiError(403, "Forbidden", f"{what} is forbidden: User {user!r} is not allowed to do this")


def not_found(resource: str, name: str) -> ApiError:
    """Return a 404."""
    return ApiError(404, "NotFound", f'{resource} "{name}" not found')


def already_exists(resource: str, name: str) -> ApiError:
    """Return a 409."""
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists')


def invalid(kind: str, detail: str) -> ApiError:
    """Return a 422 with the path of what is wrong."""
    return ApiError(422, "Invalid", f"{kind} is invalid: {detail}")


def bad_request(detail: str) -> ApiError:
    """Return a 400."""
    return ApiError(400, "BadRequest", detail)


def deleted(kind: str, name: str) -> dict[str, Any]:
    """Return the `Status` that answers a deletion."""
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Success",
        "details": {"name": name, "kind": kind},
    }
