"""Every family answers what the stages ask, in the same words."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from models.families import Family, families, family
from models.serving.tensors import datatype

ASKED = sorted(name for name in vars(Family) if not name.startswith("_"))


@pytest.mark.parametrize("name", families())
def test_a_family_has_all_that_is_asked_for(name: str) -> None:
    found = family(name)
    assert found.name == name
    assert not [asked for asked in Family.__annotations__ if not hasattr(found, asked)]
    assert not [asked for asked in ASKED if not callable(getattr(found, asked, None))]
    for asked in ASKED:
        ours = list(inspect.signature(getattr(found, asked)).parameters)
        assert ours == list(inspect.signature(getattr(Family, asked)).parameters)[1:], asked


@pytest.mark.parametrize("name", families())
def test_results_are_of_types_that_a_service_can_send(name: str) -> None:
    card: Any = SimpleNamespace(class_names=("a", "b"))
    tensors = family(name).result_tensors(card, [])
    assert tensors["count"].dtype.name == "int32"
    assert all(datatype(array) for array in tensors.values())
