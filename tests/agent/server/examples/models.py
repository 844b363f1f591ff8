"""The model registry: output and input models, metadata, tags, queries, publication."""

from pathlib import Path

from clearml import InputModel, Model, OutputModel, Task

task = Task.init("examples/registry", "models", output_uri=True, auto_resource_monitoring=False)
made = OutputModel(
    task, name="net", framework="PyTorch", label_enumeration={"cat": 1}, tags=["registry"],
    comment="a comment",
)  # fmt: skip
made.update_design(config_dict={"layers": 3})
Path("weights.pt").write_bytes(b"weights")
made.update_weights("weights.pt", iteration=4, async_enable=False)
made.set_metadata("accuracy", "0.9", "float")
made.set_all_metadata({"epochs": {"type": "int", "value": "3"}}, replace=False)
made.report_scalar("quality", "accuracy", 0.9, 1)
made.report_single_value("best", 0.9)
other = InputModel.import_model(
    "https://example.com/net.onnx", name="imported", framework="ONNX", project="examples/registry"
)
task.connect(other)
task.flush(wait_for_uploads=True)

model = Model(made.id)
assert (model.name, model.framework, model.labels) == ("net", "PyTorch", {"cat": 1})
assert {key: item["value"] for key, item in model.get_all_metadata().items()} == {
    "accuracy": "0.9", "epochs": "3",
}  # fmt: skip
assert Path(model.get_weights()).read_bytes() == b"weights"
assert model.config_dict == {"layers": 3}
assert model.task == task.id
assert [item.name for item in task.models["output"]] == ["net"]
assert [item.name for item in task.models["input"]] == ["imported"]


def names(**query: object) -> list[str]:
    return sorted(item.name for item in Model.query_models("examples/registry", **query))


assert names() == ["imported", "net"]
assert names(tags=["registry"]) == ["net"]
assert names(tags=["-registry"]) == ["imported"]
assert names(metadata={"accuracy": "0.9"}) == ["net"]
assert names(model_name="net", max_results=1) == ["net"]
assert names(only_published=True) == []
made.tags = ["x", "y"]
assert Model(made.id).tags == ["x", "y"]
made.publish()
assert names(only_published=True) == ["net"]
made.archive()
assert names() == ["imported"]
assert names(include_archived=True) == ["imported", "net"]
made.unarchive()
task.close()
assert Model.remove(made.id, delete_weights_file=True, force=True)
assert names() == ["imported"]
