"""What a trigger's service task is told. Nothing heavy in here."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from components.options import Options

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EVERY = re.compile(r"(\d+)(m|h|d)")
_AT = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class TriggerOptions(Options):
    """Options of a trigger."""

    on: Literal["dataset", "model", "schedule"]
    """What it waits for: a dataset's new version, a model that gets a tag, or a time."""
    pipeline: str = Field(min_length=1)
    """Id of the pipeline that each run is a clone of; a draft that `sightline register` has made,
    or any run."""
    watched: str = ""
    """Dataset or model that is watched, as project/name."""
    tag: str = ""
    """Tag that a model must get."""
    into: str = ""
    """Parameter of the pipeline that takes the id of the dataset version or model."""
    every: str = ""
    """How often: 30m, 6h, 2d."""
    at: str = ""
    """Time of day for days and weekdays, UTC, as 22:30; for hours the minute, as 00:15."""
    weekdays: tuple[str, ...] = ()
    """Days of the week, in place of `every`."""
    queue: str = "services"
    """Queue of the pipeline's controller."""
    poll: float = Field(60.0, ge=0.2, le=86400.0)
    """Seconds between two looks at the server; a schedule needs none."""

    @field_validator("every")
    @classmethod
    def _a_time_span(cls, value: str) -> str:
        found = _EVERY.fullmatch(value)
        if value and not (found and int(found[1]) > 0):
            raise ValueError(f"expected minutes, hours or days as 30m, 6h, 2d, got '{value}'")
        limits = {"m": 60, "h": 24, "d": 365}
        if found and int(found[1]) > limits[found[2]]:
            raise ValueError(f"expected at most {limits[found[2]]}{found[2]}, got '{value}'")
        return value

    @field_validator("at")
    @classmethod
    def _a_time_of_day(cls, value: str) -> str:
        if value and not _AT.fullmatch(value):
            raise ValueError(f"expected a time of day as 22:30, got '{value}'")
        return value

    @field_validator("weekdays")
    @classmethod
    def _known_days(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        full = []
        for day in value:
            meant = [one for one in DAYS if len(day) > 1 and one.startswith(day.lower())]
            if len(meant) != 1:
                raise ValueError(f"expected days as monday or mon, got '{day}'")
            full += meant
        return tuple(sorted(set(full), key=DAYS.index))

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.on == "schedule":
            if bool(self.every) == bool(self.weekdays):
                raise ValueError("a schedule needs either every=6h or weekdays=monday,thursday")
            if self.at and self.every.endswith("m"):
                raise ValueError("at: minutes have no time of day")
            if self.at and self.every.endswith("h") and not self.at.startswith(("0:", "00:")):
                raise ValueError("at: every so many hours, only the minute counts: say 00:15")
        elif "/" not in self.watched:
            raise ValueError(f"watched: expected project/name, got '{self.watched}'")
        elif self.on == "model" and not self.tag:
            raise ValueError("tag is needed: which one must a model get?")
        return self

    def times(self) -> list[dict[str, object]]:
        """Give the schedule as ClearML's TaskScheduler takes it, an entry for each weekday.

        (With several in one it skips those left of the week it begins in.)
        """
        found = _AT.fullmatch(self.at)
        clock = {"hour": int(found[1]) if found else 0, "minute": int(found[2]) if found else 0}
        if self.weekdays:
            return [{"day": 1, "weekdays": [day], **clock} for day in self.weekdays]
        number, unit = int(self.every[:-1]), self.every[-1]
        if unit == "m":
            return [{"minute": number}]
        if unit == "h":
            return [{"hour": number, "minute": clock["minute"] or None}]
        return [{"day": number, **clock}]

    def said(self) -> str:
        """Say in a few words what it waits for."""
        if self.on == "dataset":
            return f"each new version of {self.watched}"
        if self.on == "model":
            return f"tag '{self.tag}' on {self.watched}"
        days = ", ".join(self.weekdays) if self.weekdays else f"every {self.every}"
        return f"{days}{f' at {self.at} UTC' if self.at else ''}"
