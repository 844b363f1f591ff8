"""Hyperparameters, configurations and artifacts of every kind."""

import argparse
import ast
from pathlib import Path

import numpy as np
import pandas as pd
from clearml import Task
from PIL import Image

task = Task.init("examples", "parameters and artifacts", auto_resource_monitoring=False)
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--names", nargs="+", default=["a", "b"])
arguments = parser.parse_args([])


class Settings:
    """An object whose fields are parameters."""

    width = 32
    title = "net"


settings = task.connect({"depth": 3, "nested": {"rate": 0.5}, "off": None, "on": True}, name="net")
task.connect(Settings, name="object")
task.connect_configuration({"graph": {"nodes": 3}}, name="graph", description="as a dictionary")
Path("settings.yaml").write_text("a: 1\n")
task.connect_configuration("settings.yaml", name="file")
task.connect_label_enumeration({"background": 0, "cat": 1})
task.set_parameter("General/extra", 5, description="set by hand", value_type=int)
task.set_user_properties(owner="me", note={"value": "n", "description": "a note"})
task.set_base_docker("image:1", docker_arguments="-e A=1", docker_setup_bash_script="echo hi")

frame = pd.DataFrame({"x": [1, 2, 3]})
Path("folder").mkdir()
Path("folder/one.txt").write_text("one")
things = {
    "dictionary": {"a": 1}, "frame": frame, "array": np.eye(2), "file": "settings.yaml",
    "folder": "folder", "pattern": "folder/*.txt", "image": Image.new("RGB", (4, 4)),
    "text": "just a text",
}  # fmt: skip
for name, thing in things.items():
    task.upload_artifact(name, thing)
task.upload_artifact("pickled", {1, 2}, auto_pickle=True)
task.upload_artifact("described", {"b": 2}, metadata={"rows": 3}, wait_on_upload=True)
task.register_artifact("watched", frame)
task.flush(wait_for_uploads=True)

seen = Task.get_task(task.id)
parameters = seen.get_parameters(cast=True)
assert parameters["Args/lr"] == 0.1
assert ast.literal_eval(str(parameters["Args/names"])) == ["a", "b"]
assert parameters["net/nested/rate"] == 0.5
assert parameters["object/width"] == 32
assert seen.get_parameter("General/extra", cast=True) == 5
assert seen.get_parameters_as_dict(cast=True)["net"]["nested"] == {"rate": 0.5}
assert seen.get_configuration_object_as_dict("graph")["graph"]["nodes"] == 3
assert seen.get_configuration_object("file") == "a: 1\n"
assert seen.get_labels_enumeration() == {"background": 0, "cat": 1}
assert seen.get_user_properties(value_only=True) == {"owner": "me", "note": "n"}
assert seen.get_base_docker().startswith("image:1")
artifacts = seen.artifacts
assert artifacts["dictionary"].get() == {"a": 1}
assert artifacts["frame"].get()["x"].tolist() == [1, 2, 3]
assert artifacts["array"].get().tolist() == [[1, 0], [0, 1]]
assert artifacts["pickled"].get() == {1, 2}
assert artifacts["text"].get() == "just a text"
assert Path(artifacts["file"].get_local_copy()).read_text() == "a: 1\n"
assert Path(artifacts["folder"].get_local_copy(), "one.txt").read_text() == "one"
assert artifacts["described"].metadata == {"rows": "3"}
assert "watched" in artifacts
assert seen.delete_artifacts(["text"])
seen.reload()
assert "text" not in seen.artifacts
seen.delete_user_properties([("properties", "note")])
seen.reload()
assert list(seen.get_user_properties()) == ["owner"]
task.close()
