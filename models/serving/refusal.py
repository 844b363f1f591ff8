"""Why a request wasn't served."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - most often it's the client that was wrong
    """A request that is answered with an error: one line, and an HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        """Say why.

        Args:
            status: HTTP status.
            message: one line for the client: what, where, what to do.
        """
        super().__init__(message)
        self.status = status


def bad_request(message: str) -> Refusal:
    """Make a refusal of something that the client sent."""
    return Refusal(400, message)
