"""A stage: typed options, a plain function, and the same as a ClearML task.

A stage module holds a config, a function `(config, run) -> result` and `STAGE`, which runs it as
`python -m components.<stage>`: tracked, into a local folder, or as an agent's task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, create_model

from components.options import (
    Layer,
    OptionError,
    Options,
    configure,
    file_layer,
    nearest,
    options_of,
    tables_of,
)
from components.run.door import Run
from components.told import family_told
from models.families import DEFAULT_FAMILY, Family, family

Need = Literal["cpu", "gpu", "services"]


class StageOptions(Options):
    """Options that every stage has."""

    family: str = DEFAULT_FAMILY
    """Task family of the data and the model. A dataset, package or folder of raw data on this
    disk tells it by itself."""


class StageResult(Options):
    """What a stage hands on: ids, numbers and file names, never bulk."""


ConfigT = TypeVar("ConfigT", bound=StageOptions)
ResultT = TypeVar("ResultT", bound=StageResult)


@dataclass(frozen=True)
class Stage(Generic[ConfigT, ResultT]):
    """One stage of a pipeline."""

    name: str
    """Also the name of its module in `components`."""
    title: str
    """One line about what it does."""
    function: Callable[[ConfigT, Run], ResultT]
    config: type[ConfigT]
    """Options that don't depend on the task family."""
    result: type[ResultT]
    needs: Need
    """Kind of machine; the pipeline's config maps it to a queue."""
    task_type: str
    """ClearML task type, such as `training` or `data_processing`."""
    mixin: Callable[[Family], type[BaseModel]] | None = None
    """The family's options that join the config at the top level."""
    tables: Callable[[Family], Mapping[str, type[BaseModel]]] | None = None
    """The family's options that join the config as tables, by table name."""

    @property
    def module(self) -> str:
        """What `python -m` runs."""
        return f"components.{self.name}"

    def config_type(self, family_name: str = DEFAULT_FAMILY) -> type[ConfigT]:
        """Make the config type of this stage for one task family.

        Raises:
            OptionError: no such family.
        """
        if self.mixin is None and self.tables is None:
            return self.config
        try:
            found = family(family_name)
        except ValueError as error:
            raise OptionError(f"family: {error}") from None
        # Fields come in the reverse order of the bases: the stage's own first.
        bases: tuple[type[BaseModel], ...] = (self.config,)
        if self.mixin is not None:
            bases = (self.mixin(found), self.config)
        fields: dict[str, Any] = {}
        if self.tables is not None:
            fields = {name: (t, t()) for name, t in self.tables(found).items()}
        made = create_model(
            self.config.__name__, __base__=bases, __module__=self.config.__module__, **fields
        )
        made.__doc__ = self.config.__doc__
        return made  # type: ignore[return-value]  # the bases include self.config

    def configure(self, *layers: Layer | Mapping[str, Any], file: Path | None = None) -> ConfigT:
        """Make a config: defaults, then `file` (YAML), then the layers in their order.

        Args:
            layers: values by dotted name, as text or as Python values.
            file: options as a YAML file, nested or with dotted names.

        Raises:
            OptionError: one line for each mistake.
        """
        given = [one if isinstance(one, Layer) else Layer("", one) for one in layers]
        # Which names a file may hold depends on the family, which it may name itself.
        bare = [file_layer(file, self.config)] if file is not None else []
        merged = {n: v for one in (*bare, *given) for n, v in one.values.items() if v}
        name = str(merged.get("family") or family_told(merged) or DEFAULT_FAMILY)
        config = self.config_type(name)
        if file is not None:
            given.insert(0, file_layer(file, config))
        return configure(config, [Layer("", {"family": name}), *given])

    def option_names(self, family_name: str = DEFAULT_FAMILY) -> list[str]:
        """List the dotted names of all options."""
        return [option.name for option in options_of(self.config_type(family_name))]

    def check_option(self, name: str, family_name: str = DEFAULT_FAMILY) -> None:
        """Make sure that an option exists.

        Raises:
            OptionError: it doesn't; the message names the nearest one.
        """
        config = self.config_type(family_name)
        names = [option.name for option in options_of(config)]
        if name not in names:
            if name in tables_of(config):
                inside = ", ".join(one for one in names if one.startswith(f"{name}."))
                raise OptionError(f"{self.name}.{name} is a table, set its options: {inside}")
            near = nearest(name, [*names, *tables_of(config)])
            meant = f", did you mean '{near}'?" if near else ""
            raise OptionError(f"stage {self.name} has no option '{name}'{meant}")

    def part(self, config: ConfigT, options: type[BaseModel]) -> BaseModel:
        """Take the options of type `options` out of a config that they joined at the top level."""
        return options.model_validate(
            {name: getattr(config, name) for name in options.model_fields}
        )

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run the stage from a command line, or as the task that an agent has started.

        Ends the process: 0 done, 1 a fault of machine or code, 64 a user's mistake, 130 Ctrl-C.
        """
        from components.launch import launch

        launch(self, arguments)
