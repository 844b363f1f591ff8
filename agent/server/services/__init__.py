"""The services of the API, one module each; importing one registers its actions."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ..registry import Call


def load() -> None:
    """Import every module of this package, so that all actions are registered."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")


def prepare(call: Call) -> None:
    """Make what every server has from its first start: the default queue and the first user."""
    from .queues import default_queue
    from .users import ensure

    default_queue(call)
    ensure(call, call.keys.user)
    for known in call.keys.users:
        ensure(call, known.user, known.role)
