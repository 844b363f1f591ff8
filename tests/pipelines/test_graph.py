from __future__ import annotations

import pytest

from pipelines.graph import GRAPHS, Graph, Result, Step, TaskId, check, graph


@pytest.mark.parametrize("name", GRAPHS)
def test_the_graphs_are_sound(name: str) -> None:
    check(graph(name))


def test_detection_runs_every_stage_after_the_one_before() -> None:
    one = graph("detection")
    assert one.stages == [
        "ingest",
        "prepare",
        "train",
        "tune",
        "evaluate",
        "export",
        "quantize",
        "benchmark",
        "publish",
    ]
    assert one.step("evaluate").parents == ["tune", "prepare"]
    # A model that fails the gate is never exported.
    assert "evaluate" in one.step("export").parents


def test_classification_holds_the_model_against_a_baseline() -> None:
    one = graph("classification")
    assert one.family == "classification"
    assert one.step("baseline").parents == ["prepare"]
    assert one.step("evaluate").inputs["beside"] == Result("baseline", "model")
    assert [s for s in one.stages if s != "baseline"] == graph("detection").stages


def test_references_are_written_as_clearml_reads_them() -> None:
    assert str(Result("prepare", "dataset")) == "${prepare.parameters.Result/dataset}"
    assert str(TaskId("evaluate")) == "${evaluate.id}"


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((Step("ingest"), Step("ingest")), "there twice"),
        ((Step("ingst"),), "no such stage"),
        ((Step("prepare", {"dataset": Result("ingest", "dataset")}),), "isn't a result"),
        ((Step("ingest"), Step("prepare", {"data": Result("ingest", "dataset")})), "no option"),
        (
            (Step("ingest"), Step("prepare", {"dataset": Result("ingest", "data")})),
            "isn't a result",
        ),
        ((Step("ingest", after=("prepare",)), Step("prepare")), "doesn't come earlier"),
    ],
)
def test_a_wrong_graph_is_refused(steps: tuple[Step, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(Graph("wrong", "", steps))


def test_an_unknown_pipeline_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no pipeline 'detect'; there are: data, train-eval"):
        graph("detect")
