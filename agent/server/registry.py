"""The actions of the API: each is a function registered under its `service.action` name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import BadRequestError
from .peer import Peer

if TYPE_CHECKING:
    from .credentials import Keys, User
    from .settings import Settings
    from .store import Session

Data = dict[str, Any]


class Mode(Enum):
    """Where an action runs."""

    READ = "read"
    """In the event loop: it reads a document or two."""
    SCAN = "scan"
    """In a reader's thread: it may read a lot."""
    WRITE = "write"
    """In the writer's thread, inside a transaction that commits before the answer is sent."""


@dataclass
class Call:
    """One request to one action: who asks for what, and the means to answer it."""

    action: str
    body: Data
    db: Session
    user: User
    settings: Settings
    keys: Keys
    batch: list[Any] | None = None
    worker: str | None = None
    address: str = ""
    version: str = ""
    """The API version that the request names, the newest if it names none."""
    peer: Peer = field(default_factory=Peer)
    """The other end of the connection."""
    cookies: list[str] = field(default_factory=list)
    """`Set-Cookie` lines for the answer."""
    after: list[Callable[[], None]] = field(default_factory=list)
    """What to do once the transaction is committed."""

    def text(self, name: str, default: str | None = None) -> str | None:
        """A text, or the default if it's absent or null."""
        value = self.body.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise BadRequestError(f"{name} must be a text")
        return value

    def need(self, name: str) -> str:
        """A text that must be there."""
        value = self.text(name)
        if value is None:
            raise BadRequestError(f"{name} is missing")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean; the texts `true`, `1`, `false`, `0` serve too (queries in an address)."""
        value = self.body.get(name)
        if value is None:
            return default
        if isinstance(value, str):
            value = {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), value)
        if not isinstance(value, (bool, int)):
            raise BadRequestError(f"{name} must be true or false")
        return bool(value)

    def number(self, name: str, default: float | None = None) -> float | None:
        """A number, or the default if it's absent or null."""
        value = self.body.get(name)
        if value is None:
            return default
        try:
            if isinstance(value, bool):
                raise ValueError
            return float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise BadRequestError(f"{name} must be a number") from error

    def integer(self, name: str, default: int) -> int:
        """A whole number of at most 53 bits, or the default if it's absent or null."""
        value = self.number(name)
        if value is None:
            return default
        if not abs(value) < 2**53:
            raise BadRequestError(f"{name} is out of range")
        return int(value)

    def items(self, name: str) -> list[Any]:
        """A list; empty if it's absent or null."""
        value = self.body.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise BadRequestError(f"{name} must be a list")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts; empty if it's absent or null. A lone text counts as a list of one."""
        if isinstance(self.body.get(name), str):
            return [self.body[name]]
        values = self.items(name)
        if not all(isinstance(value, str) for value in values):
            raise BadRequestError(f"{name} must be a list of texts")
        return values

    def tables(self, name: str) -> list[Data]:
        """A list of objects; empty if it's absent or null."""
        values = self.items(name)
        if not all(isinstance(value, dict) for value in values):
            raise BadRequestError(f"{name} must be a list of objects")
        return values

    def table(self, name: str) -> Data | None:
        """An object, or None."""
        value = self.body.get(name)
        if value is not None and not isinstance(value, dict):
            raise BadRequestError(f"{name} must be an object")
        return value


@dataclass(frozen=True)
class Attachment:
    """An answer that is a file instead of data in an envelope."""

    name: str
    kind: str
    content: bytes


Handler = Callable[[Call], "Data | Attachment"]
F = TypeVar("F", bound=Handler)


@dataclass(frozen=True)
class Action:
    """A registered action."""

    name: str
    handler: Handler
    mode: Mode
    public: bool


ACTIONS: dict[str, Action] = {}


def action(*names: str, mode: Mode = Mode.READ, public: bool = False) -> Callable[[F], F]:
    """Register a function under one or more `service.action` names.

    Args:
        names: The names it answers to.
        mode: Where it runs.
        public: Whether it needs no token.
    """

    def register(handler: F) -> F:
        for name in names:
            if name in ACTIONS:
                raise RuntimeError(f"{name} is registered twice")
            ACTIONS[name] = Action(name, handler, mode, public)
        return handler

    return register
