"""Reporting of every kind, and reading it back."""

import io
import time
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from clearml import Task
from PIL import Image

task = Task.init("examples", "reporting", auto_resource_monitoring=False)
logger = task.get_logger()
for step in range(10):
    logger.report_scalar("loss", "train", value=1 / (step + 1), iteration=step)
    logger.report_scalar("loss", "val", value=1.2 / (step + 1), iteration=step)
logger.report_single_value("best", 0.93)
ten = np.arange(10)
logger.report_histogram("histogram", "h", values=ten, iteration=0, xlabels=[str(i) for i in ten])
logger.report_confusion_matrix(
    "confusion", "c", matrix=np.eye(3), iteration=0, xlabels=list("abc"), ylabels=list("abc")
)
logger.report_surface("surface", "s", matrix=np.random.rand(4, 4), iteration=0)
logger.report_scatter2d("scatter2d", "a", scatter=np.random.rand(9, 2), iteration=0)
logger.report_scatter3d("scatter3d", "a", scatter=np.random.rand(9, 3), iteration=0)
logger.report_table("table", "t", iteration=0, table_plot=pd.DataFrame({"x": [1, 2]}))
logger.report_table("table", "list", iteration=0, table_plot=[["a", "b"], [1, 2]])
logger.report_plotly("plotly", "bars", iteration=0, figure=go.Figure(go.Bar(y=[3, 4])))
for step in range(2):
    logger.report_image("image", "pil", iteration=step, image=Image.new("RGB", (8, 8)))
Path("page.html").write_text("<b>text</b>")
logger.report_media("media", "html", iteration=0, local_path="page.html")
logger.report_media("media", "text", iteration=0, stream=io.StringIO("x"), file_extension="txt")
logger.report_text("a line of text")
print("a printed line")
task.flush(wait_for_uploads=True)
time.sleep(1)

seen = Task.get_task(task.id)
scalars = seen.get_reported_scalars()
assert list(scalars["loss"]) == ["train", "val"]
assert scalars["loss"]["val"]["x"] == list(range(10))
assert len(seen.get_reported_scalars(max_samples=3)["loss"]["train"]["x"]) <= 4
for axis in ("timestamp", "iso_time"):
    assert len(seen.get_reported_scalars(x_axis=axis)["loss"]["train"]["x"]) >= 1
assert seen.get_reported_single_values() == {"best": 0.93}
assert seen.get_reported_single_value("best") == 0.93
assert seen.get_last_scalar_metrics()["loss"]["train"] == {"last": 0.1, "min": 0.1, "max": 1.0}
assert seen.get_last_iteration() == 9
assert {plot["metric"] for plot in seen.get_reported_plots()} == {
    "histogram", "confusion", "surface", "scatter2d", "scatter3d", "table", "plotly",
}  # fmt: skip
assert len(seen.get_debug_samples("image", "pil", n_last_iterations=2)) == 2
console = "".join(seen.get_reported_console_output(10))
assert "a line of text" in console
assert "a printed line" in console
task.close()
