"""One set of names: a stage's config as flat dotted options, whatever they came from.

An option such as `optimizer.lr` is reached by the same name from the command line, a YAML file,
the web UI, a pipeline and a sweep. Everywhere it is text (lists and tables as JSON), and only the
config's own types decide what the text means: `007` stays text where text is asked for.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticUndefined

from components.option_types import decode, expected

Config = TypeVar("Config", bound=BaseModel)


class Options(BaseModel):
    """Base of every table of options: frozen, unknown keys refused, documented by docstrings."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class OptionError(ValueError):
    """Wrong options. The message has one line for each."""


@dataclass(frozen=True)
class Option:
    """One leaf of a config."""

    name: str
    """Dotted, as `optimizer.lr`."""
    annotation: Any
    metadata: Sequence[Any]
    """Constraints such as `annotated_types.Gt`."""
    default: Any
    """`PydanticUndefined` where the user must give a value."""
    description: str

    @property
    def required(self) -> bool:
        """True when there is no default."""
        return self.default is PydanticUndefined

    @property
    def expected(self) -> str:
        """What may be given, in a few words."""
        return expected(self.annotation, self.metadata)


@dataclass(frozen=True)
class Layer:
    """Values from one place; later layers override earlier ones."""

    source: str
    """Said in errors, as `command line`; empty when it goes without saying."""
    values: Mapping[str, Any]
    """By dotted name: text, or what YAML made of a list, a table or a null."""


def is_table(annotation: Any) -> TypeGuard[type[BaseModel]]:
    """Tell whether a field of this type is a table of further options."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def options_of(config: type[BaseModel]) -> list[Option]:
    """List the options of a config type in the order of its fields, tables after plain ones."""
    return list(_walk(config, "", None))


def tables_of(config: type[BaseModel]) -> dict[str, str]:
    """Map each table's dotted name to what it is about."""
    return dict(_tables(config, ""))


def _tables(config: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in config.model_fields.items():
        if is_table(field.annotation):
            about = field.description or (field.annotation.__doc__ or "").split("\n")[0]
            yield prefix + name, about
            yield from _tables(field.annotation, f"{prefix}{name}.")


def _walk(config: type[BaseModel], prefix: str, instance: BaseModel | None) -> Iterator[Option]:
    plain_first = sorted(config.model_fields.items(), key=lambda item: is_table(item[1].annotation))
    for name, field in plain_first:
        if instance is not None:
            default = getattr(instance, name)
        else:
            default = field.get_default(call_default_factory=True, validated_data={})
        if is_table(field.annotation):
            # The table's default may differ from what its type would say alone. Where it doesn't,
            # the type's own is said: `auto`, where the table has resolved that.
            same = isinstance(default, BaseModel) and default == type(default)()
            given = default if isinstance(default, BaseModel) and not same else None
            yield from _walk(field.annotation, f"{prefix}{name}.", given)
        else:
            description = " ".join((field.description or "").split())
            metadata = tuple(field.metadata)
            yield Option(prefix + name, field.annotation, metadata, default, description)


def encode(value: Any) -> str:
    """Write an option's value as the text that `configure` reads back as the same value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return encode(value.value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str | int | Path):
        return str(value)
    return json.dumps(TypeAdapter(type(value)).dump_python(value, mode="json"), ensure_ascii=False)


def flatten(config: BaseModel) -> dict[str, str]:
    """Write every option of a config as text, by dotted name."""
    flat = {}
    for option in options_of(type(config)):
        value: Any = config
        for part in option.name.split("."):
            value = getattr(value, part)
        flat[option.name] = encode(value)
    return flat


def defaults(config: type[BaseModel]) -> dict[str, str]:
    """Write the default of every option as text; a needed option is empty."""
    return {o.name: "" if o.required else encode(o.default) for o in options_of(config)}


def configure(config: type[Config], layers: Sequence[Layer]) -> Config:
    """Merge layers over the defaults and validate.

    Raises:
        OptionError: one line for each unknown name, wrong value or missing option.
    """
    options = {option.name: option for option in options_of(config)}
    tables = tables_of(config)
    problems: list[str] = []
    values = {n: o.default for n, o in options.items() if not o.required}
    origin: dict[str, tuple[Any, str]] = {}
    for layer in layers:
        for name, given in layer.values.items():
            where = f" ({layer.source})" if layer.source else ""
            if name not in options:
                problems.append(_unknown(name, options, tables) + where)
                continue
            option = options[name]
            if option.required and given in ("", None):
                values.pop(name, None)  # the empty place of a template
                continue
            origin[name] = (given, where)
            try:
                values[name] = decode(given, option.annotation)
            except ValueError as error:
                problems.append(f"{name}: {error}{where}")
                values[name] = option.default
    for name, option in options.items():
        if option.required and name not in values:
            about = f": {option.description}" if option.description else ""
            problems.append(f"{name} is needed{about}")
    spoilt = {line.split(":")[0].split(" is needed")[0] for line in problems}
    try:
        made = config.model_validate(_nest(values))
    except ValidationError as error:
        for details in error.errors(include_url=False):
            name, line = _explain(details, options, origin)
            if name not in spoilt:
                problems.append(line)
    if problems:
        raise OptionError("\n".join(dict.fromkeys(problems)))
    return made


def _nest(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *path, leaf = name.split(".")
        table = nested
        for part in path:
            table = table.setdefault(part, {})
        table[leaf] = value
    return nested


def _unknown(name: str, options: Mapping[str, Option], tables: Mapping[str, str]) -> str:
    if name in tables:
        inside = ", ".join(o for o in options if o.startswith(name + "."))
        return f"{name} is a table, set its options one by one: {inside}"
    near = nearest(name, list(options))
    if near is None:
        return f"unknown option '{name}', see --help for the list"
    return f"unknown option '{name}', did you mean '{near}' ({options[near].expected})?"


def nearest(name: str, names: Sequence[str]) -> str | None:
    """Find the name that was probably meant, or None; upper and lower case count for little."""
    whole = {known.lower(): known for known in reversed(names)}
    tails = {known.rpartition(".")[2].lower(): known for known in reversed(names)}
    wanted = name.lower()
    for cutoff in (0.75, 0.5):
        if found := difflib.get_close_matches(wanted, list(whole), 1, cutoff):
            return whole[found[0]]
        if found := difflib.get_close_matches(wanted.rpartition(".")[2], list(tails), 1, cutoff):
            return tails[found[0]]
    return None


def _explain(
    details: Any, options: Mapping[str, Option], origin: Mapping[str, tuple[Any, str]]
) -> tuple[str, str]:
    """Turn one of pydantic's errors into the option's name and one line."""
    path = [str(part) for part in details["loc"]]
    name = next(
        (dotted for end in range(len(path), 0, -1) if (dotted := ".".join(path[:end])) in options),
        "",
    )
    message = str(details["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if not name:
        table = ".".join(path)
        return table, f"{table}: {message}" if table else message
    given, where = origin.get(name, (details["input"], ""))
    if details["type"] in ("value_error", "assertion_error"):
        return name, f"{name}: {message}{where}"
    shown = given if isinstance(given, str) else json.dumps(given, default=str, ensure_ascii=False)
    return name, f"{name}: expected {options[name].expected}, got '{shown}'{where}"


class _TextLoader(yaml.SafeLoader):
    """Reads every plain scalar but null as text: the option's type decides what it means."""


_TextLoader.yaml_implicit_resolvers = {
    letter: [(tag, regex) for tag, regex in resolvers if tag.endswith((":null", ":merge"))]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: _TextLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Make a table; YAML itself would keep the last of two entries and drop the first."""
    seen: list[Any] = []
    for key_node, _ in node.value:
        key = None if key_node.tag == _MERGE else loader.construct_object(key_node)
        if key is not None and key in seen:
            line = key_node.start_mark.line + 1
            raise OptionError(f"'{key}' is there twice, again in line {line}: put them together")
        seen.append(key)
    made: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return made


_MERGE = "tag:yaml.org,2002:merge"
_TextLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose scalars are all text (or None).

    Raises:
        OptionError: the file isn't there, isn't YAML or isn't a table.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _TextLoader)  # noqa: S506 (is safe)
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from None
    except OSError as error:
        raise OptionError(f"{path}: {error.strerror or error}; give a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise OptionError(f"{path}: expected 'option: value' lines, got a {type(content).__name__}")
    return content


def file_layer(path: Path, config: type[BaseModel]) -> Layer:
    """Read a YAML file of options, nested or with dotted names, as a layer."""
    tables = tables_of(config)
    flat: dict[str, Any] = {}

    def add(prefix: str, table: Mapping[Any, Any]) -> None:
        for key, value in table.items():
            name = f"{prefix}{key}"
            inner = isinstance(value, dict) and (
                name in tables or name not in {o.name for o in options_of(config)}
            )
            if inner and value:
                add(f"{name}.", value)
            elif not inner:
                flat[name] = value

    add("", read_yaml(path))
    return Layer(str(path), flat)


def command_line_layer(arguments: Sequence[str]) -> Layer:
    """Read `key=value` arguments as a layer.

    Raises:
        OptionError: an argument without `=`.
    """
    values: dict[str, Any] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not name:
            raise OptionError(f"'{argument}' isn't key=value, as in optimizer.lr=0.001")
        values[name.removeprefix("--")] = value
    return Layer("command line", values)
