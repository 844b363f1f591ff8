from __future__ import annotations

import pytest

from pipelines.state import STATE_KEY, PipelineState, StepState, stored_state


def test_a_state_survives_the_way_through_a_task() -> None:
    state = PipelineState(
        "c", {"train": StepState("train", "running", "t", "k", put_back=2)}, "why"
    )
    assert PipelineState.from_json(state.to_json()) == state


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"controller": "c", "steps": [1]}', "no json"])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        PipelineState.from_json(text)


def test_the_state_of_another_controller_is_not_taken_for_ones_own() -> None:
    runtime = {STATE_KEY: PipelineState("original").to_json()}
    assert stored_state({"id": "original", "runtime": runtime}) is not None
    assert stored_state({"id": "clone", "runtime": runtime}) is None
    assert stored_state({"id": "original", "runtime": {STATE_KEY: "broken"}}) is None
    assert stored_state({"id": "original"}) is None
