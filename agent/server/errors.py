"""Errors that reach the client in the API's envelope."""

from __future__ import annotations

from typing import Any


class ApiError(ValueError):
    """A call that is refused.

    Args:
        message: One line: what is wrong, where.
        code: HTTP status, which is also the envelope's `result_code`. Never 503 and never above
            500: the SDK repeats such calls for ever.
        subcode: The envelope's `result_subcode`; clients tell some cases apart by it.
        data: Details, shown in the envelope as `error_data`.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int = 400,
        subcode: int = 0,
        data: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.subcode = subcode
        self.data = data or {}


class BadRequestError(ApiError):
    """A field that is missing or has the wrong type or value."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Validation error ({message})", code=400, subcode=12)
        self.reason = message


class UnauthorizedError(ApiError):
    """Credentials that are missing."""

    def __init__(self, message: str, *, subcode: int = 20) -> None:
        super().__init__(f"Unauthorized ({message})", code=401, subcode=subcode)


class BadCredentialsError(UnauthorizedError):
    """A key or a secret that is wrong."""

    def __init__(self) -> None:
        super().__init__("invalid credentials", subcode=22)


class BadTokenError(UnauthorizedError):
    """A token that is forged, expired or none."""

    def __init__(self, reason: object) -> None:
        super().__init__("invalid token", subcode=30)
        self.message = f"Invalid token (invalid jwt token): reason={reason}"


_SUBCODES = {
    "task": 101, "model": 201, "project": 401, "queue": 701, "user": 801, "worker": 1001,
}  # fmt: skip


class NotFoundError(ApiError):
    """An id that names nothing.

    The subcodes for tasks and models are those the SDK looks for, those for projects and queues
    stand in what users of ClearML report; the others are ours.
    """

    def __init__(self, kind: str, identity: str) -> None:
        super().__init__(
            f"Invalid {kind} id: id={identity}", code=400, subcode=_SUBCODES.get(kind, 100)
        )


class BadReferenceError(ApiError):
    """A field that shall hold the id of something and names nothing."""

    def __init__(self, kind: str, identity: str, field: str) -> None:
        super().__init__(
            f"Invalid value for fields (expecting {kind.capitalize()} id): "
            f"id={identity}, field={field}",
            subcode=16,
        )


class TakenError(ApiError):
    """A name that something else of its kind has already."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "Value combination already exists (unique field already contains this value): "
            f"name={name}",
            subcode=801,
        )


class InvalidStatusError(ApiError):
    """A step of the task life cycle that the task's status doesn't allow."""

    def __init__(self, task: str, status: str, action: str) -> None:
        super().__init__(
            f"Invalid task status: task={task}, status={status}, action={action}", subcode=110
        )
