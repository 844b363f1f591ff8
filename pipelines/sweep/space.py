"""What a sweep searches: options by their dotted names, each with a range or with choices.

An entry is written as YAML of one line, in a file, on a command line and in the web UI alike:

    space.optimizer.lr={low: 1e-4, high: 1e-2, log: true}
    space.batch_size={low: 8, high: 64, step: 8}
    space.network.backbone=[resnet10t, resnet18]
    space.optimizer.momentum={low: 0.8, high: 0.99, when: {optimizer.name: sgd}}
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from components.options import OptionError, encode, nearest

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Value = float | int | str
_WORDS = ("low", "high", "step", "log", "choices", "when")
_TIDY = 10
"""Letters of a number that a step was meant to reach; what was drawn freely has more."""
_SHAPE = "expected {low: …, high: …} with log or step, or [choices]"


@dataclass(frozen=True)
class Dimension:
    """One option that is searched."""

    name: str
    """Dotted, as `optimizer.lr`."""
    whole: bool = False
    """Whether only whole numbers lie in the range."""
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    choices: tuple[str, ...] = ()
    """Not empty for an option without a range."""
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Values that other searched options must have for this one to be searched."""

    def distribution(self) -> BaseDistribution:
        """What Optuna draws from."""
        from optuna import distributions as kinds

        if self.choices:
            return kinds.CategoricalDistribution(self.choices)
        if self.whole:
            step = int(self.step or 1)
            return kinds.IntDistribution(int(self.low), int(self.high), self.log, step)
        return kinds.FloatDistribution(self.low, self.high, self.log, self.step)

    def ends(self) -> list[Value]:
        """The values at which an option's limits show first: both ends, or every choice."""
        if self.choices:
            return list(self.choices)
        ends = [self.low, self.high]
        return [int(end) for end in ends] if self.whole else list(ends)

    def count(self) -> int | None:
        """How many values there are; None for any number of them."""
        if self.choices:
            return len(self.choices)
        step = self.step or (1 if self.whole else None)
        return None if step is None else math.floor((self.high - self.low) / step + 1e-9) + 1

    def values(self) -> list[Value]:
        """All values of a dimension that has a count."""
        if self.choices:
            return list(self.choices)
        step = self.step or 1
        steps = range(self.count() or 0)
        if self.whole:
            return [int(self.low) + int(step) * number for number in steps]
        return [_tidy(self.low + step * number) for number in steps]


@dataclass(frozen=True)
class Space:
    """The searched options, each after those that its conditions name."""

    dimensions: tuple[Dimension, ...]

    def __iter__(self) -> Iterator[Dimension]:
        """Go through the dimensions in the order in which they are drawn."""
        return iter(self.dimensions)

    @property
    def names(self) -> list[str]:
        """The options' names."""
        return [one.name for one in self.dimensions]

    def suggest(self, trial: Trial) -> dict[str, Value]:
        """Draw one value for each option whose conditions hold."""
        drawn: dict[str, Value] = {}
        for one in self.dimensions:
            if not is_active(one, drawn):
                continue
            if one.choices:
                drawn[one.name] = trial.suggest_categorical(one.name, one.choices)
            elif one.whole:
                step = int(one.step or 1)
                low, high = int(one.low), int(one.high)
                drawn[one.name] = trial.suggest_int(one.name, low, high, step=step, log=one.log)
            else:
                drawn[one.name] = trial.suggest_float(
                    one.name, one.low, one.high, step=one.step, log=one.log
                )
        return drawn

    def distributions(self, drawn: Mapping[str, Value]) -> dict[str, BaseDistribution]:
        """The distributions of the options that were drawn."""
        return {one.name: one.distribution() for one in self.dimensions if one.name in drawn}

    def count(self) -> int | None:
        """How many different trials there can be at most; None for any number."""
        counts = [one.count() for one in self.dimensions]
        if any(count is None for count in counts):
            return None
        return math.prod(count for count in counts if count is not None)

    def grid(self) -> Iterator[dict[str, Value]]:
        """Go through all different trials of a space that has a count."""

        def below(number: int, drawn: dict[str, Value]) -> Iterator[dict[str, Value]]:
            if number == len(self.dimensions):
                yield drawn
                return
            one = self.dimensions[number]
            if not is_active(one, drawn):
                yield from below(number + 1, drawn)
                return
            for value in one.values():
                yield from below(number + 1, {**drawn, one.name: value})

        return below(0, {})

    def probes(self) -> Iterator[tuple[str, dict[str, Value]]]:
        """Go through trials that show whether every end of every range can be taken.

        Yields:
            The option that is put to the test, and the whole trial.
        """
        for one in self.dimensions:
            for value in one.ends():
                yield one.name, self._around({one.name: value, **self._needed(one)})

    def _needed(self, one: Dimension) -> dict[str, Value]:
        found: dict[str, Value] = {}
        known = {other.name: other for other in self.dimensions}
        for name, values in one.when.items():
            first = next(v for v in known[name].ends() if encode(v) in values)
            found |= {name: first, **self._needed(known[name])}
        return found

    def _around(self, given: Mapping[str, Value]) -> dict[str, Value]:
        drawn: dict[str, Value] = {}
        for one in self.dimensions:
            if one.name in given:
                drawn[one.name] = given[one.name]
            elif is_active(one, drawn):
                drawn[one.name] = one.ends()[0]
        return drawn


def is_active(one: Dimension, drawn: Mapping[str, Value]) -> bool:
    """Tell whether an option's conditions hold."""
    return all(name in drawn and encode(drawn[name]) in values for name, values in one.when.items())


def texts(drawn: Mapping[str, Value]) -> dict[str, str]:
    """Write a trial's values as options are written."""
    return {
        name: encode(_tidy(value) if isinstance(value, float) else value)
        for name, value in drawn.items()
    }


def _tidy(value: float) -> float:
    """Take off what adding steps leaves at the end of a number, as in 0.30000000000000004."""
    short = float(f"{value:.12g}")
    return short if len(repr(short)) <= _TIDY else value


def parse_space(entries: Mapping[str, Any], whole: Mapping[str, bool | None]) -> Space:
    """Read a space.

    Args:
        entries: by option, what YAML or a text says of it; an empty one is left out.
        whole: for each option that there is, whether it takes whole numbers, any numbers (False),
            or no numbers (None).

    Raises:
        OptionError: one line for each mistake.
    """
    found: dict[str, Dimension] = {}
    problems = []
    for name, entry in entries.items():
        if entry in ("", None):
            continue
        try:
            if name not in whole:
                near = nearest(name, list(whole))
                raise OptionError(f"no such option{f', did you mean {near!r}?' if near else ''}")
            found[name] = _dimension(name, _content(entry), whole[name])
        except OptionError as error:
            problems.append(f"space.{name}: {error}")
    problems += [line for one in found.values() for line in _wrong_conditions(one, found)]
    if not problems and not found:
        problems.append("space is needed: what to search, as space.optimizer.lr={low: 1e-4, …}")
    if not problems:
        return Space(_sorted(found))
    raise OptionError("\n".join(problems))


def _content(entry: Any) -> Any:
    if not isinstance(entry, str):
        return entry
    try:
        return yaml.load(entry, yaml.BaseLoader)  # noqa: S506 (only text comes out)
    except yaml.YAMLError as error:
        raise OptionError(f"{_SHAPE}, but {' '.join(str(error).split())}") from None


def _dimension(name: str, content: Any, whole: bool | None) -> Dimension:
    if isinstance(content, list):
        content = {"choices": content}
    if not isinstance(content, dict):
        raise OptionError(f"{_SHAPE}, got '{content}'")
    for word in content:
        if word not in _WORDS:
            near = nearest(str(word), _WORDS)
            raise OptionError(f"'{word}' isn't known{f', did you mean {near!r}?' if near else ''}")
    when = _conditions(content.get("when") or {})
    if "choices" in content:
        if strange := [word for word in ("low", "high", "step", "log") if word in content]:
            raise OptionError(f"choices have no '{strange[0]}'")
        choices = tuple(dict.fromkeys(encode(choice) for choice in content["choices"]))
        if len(choices) < 2:
            raise OptionError("choices are at least two different values")
        return Dimension(name, choices=choices, when=when)
    if whole is None:
        raise OptionError("it takes no numbers, so name its choices: [a, b]")
    missing = [word for word in ("low", "high") if word not in content]
    if missing:
        raise OptionError(f"{_SHAPE}, but '{missing[0]}' is missing")
    numbers = {w: _number(w, content[w], whole) for w in ("low", "high", "step") if w in content}
    low, high, step = numbers["low"], numbers["high"], numbers.get("step")
    log = str(content.get("log", "false")).lower()
    if log not in ("true", "false"):
        raise OptionError(f"log: expected true|false, got '{content['log']}'")
    if low >= high:
        raise OptionError(f"low is {encode(low)}, which isn't below high, {encode(high)}")
    if step is not None and (log == "true" or step <= 0 or step > high - low):
        reason = (
            "a log range has no step" if log == "true" else "a step is above 0 and in the range"
        )
        raise OptionError(f"step: {reason}")
    if log == "true" and low < (1 if whole else 1e-300):
        raise OptionError(f"a log range begins above 0, not at {encode(low)}")
    if step is not None:
        # The last value is the last step's: what lies beyond could never be drawn.
        high = _tidy(low + step * math.floor((high - low) / step + 1e-9))
    return Dimension(name, whole, low, high, step, log == "true", when=when)


def _number(word: str, given: Any, whole: bool) -> float:
    try:
        value = float(str(given))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        raise OptionError(f"{word}: expected {kind}, got '{given}'")
    return value


def _conditions(given: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict):
        raise OptionError(
            f"when: expected {{option: value}} or {{option: [values]}}, got '{given}'"
        )
    found = {}
    for name, values in given.items():
        several = values if isinstance(values, list) else [values]
        found[str(name)] = tuple(encode(value) for value in several)
    return found


def _wrong_conditions(one: Dimension, known: Mapping[str, Dimension]) -> Iterator[str]:
    for name, values in one.when.items():
        if name not in known:
            near = nearest(name, [other for other in known if other != one.name])
            hint = f"; did you mean '{near}'?" if near else ""
            yield f"space.{one.name}: when: '{name}' isn't searched itself{hint}"
        elif known[name].count() is None:
            yield f"space.{one.name}: when: '{name}' takes any number; it has to have choices"
        else:
            there = [encode(value) for value in known[name].values()]
            for value in values:
                if value not in there:
                    said = ", ".join(there)
                    yield f"space.{one.name}: when: '{name}' is never '{value}', but: {said}"
    seen, names = {one.name}, list(one.when)
    while names:
        name = names.pop()
        if name == one.name:
            yield f"space.{one.name}: when: it waits for itself"
            return
        if name not in seen and name in known:
            seen.add(name)
            names += known[name].when


def _sorted(found: Mapping[str, Dimension]) -> tuple[Dimension, ...]:
    """Put each option after those that its conditions name; else as they were given."""
    done: dict[str, Dimension] = {}
    while len(done) < len(found):
        for name, one in found.items():
            if name not in done and all(needed in done for needed in one.when):
                done[name] = one
                break
    return tuple(done.values())


def flat_space(table: Mapping[Any, Any], options: Sequence[str]) -> dict[str, Any]:
    """Flatten what a file has under `space`, whose tables may be nested as options are."""
    flat: dict[str, Any] = {}

    def add(prefix: str, inner: Mapping[Any, Any]) -> None:
        for key, value in inner.items():
            name = f"{prefix}{key}"
            nested = isinstance(value, dict) and not set(value) & set(_WORDS)
            if nested and name not in options:
                add(f"{name}.", value)
            else:
                flat[name] = value

    add("", table)
    return flat


def entry_text(entry: Any) -> str:
    """Write an entry as the text that a task holds and `parse_space` reads."""
    return entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=False)


def different(drawn: Mapping[str, Value]) -> str:
    """A text that two trials share only if they are the same."""
    return json.dumps(texts(drawn), sort_keys=True)


def first_unseen(space: Space, seen: set[str], limit: int = 100_000) -> list[dict[str, Value]]:
    """List the trials of a space with a count that weren't seen yet, among the first so many."""
    few = itertools.islice(space.grid(), limit)
    return [drawn for drawn in few if different(drawn) not in seen]
