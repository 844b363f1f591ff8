"""A pipeline of functions whose results go from step to step."""

from clearml import PipelineController, Task


def load(url):
    import pandas as pd

    return pd.DataFrame({"x": [1, 2, 3], "url": [url] * 3})


def total(frame, factor=2):
    return int(frame["x"].sum()) * factor, len(frame)


def average(value, count):
    return value / count


if __name__ == "__main__":
    pipe = PipelineController("functions", "examples/pipelines", "1.0")
    pipe.add_parameter("url", "http://example.com", "where from")
    pipe.add_function_step(
        "load", load, function_kwargs={"url": "${pipeline.url}"}, function_return=["frame"],
        cache_executed_step=True,
    )  # fmt: skip
    pipe.add_function_step(
        "total", total, function_kwargs={"frame": "${load.frame}", "factor": 5},
        function_return=["value", "count"],
    )  # fmt: skip
    pipe.add_function_step(
        "average", average, function_kwargs={"value": "${total.value}", "count": "${total.count}"},
        function_return=["mean"],
    )  # fmt: skip
    pipe.start_locally(run_pipeline_steps_locally=True)
    nodes = pipe.get_processed_nodes()
    assert sorted(nodes) == ["average", "load", "total"]
    last = Task.get_task(nodes["average"].executed)
    assert last.status == "completed"
    assert last.get_parameter("return/mean", cast=True) == 10  # plain values are parameters
    assert pipe.is_successful()
    pipe.stop()
