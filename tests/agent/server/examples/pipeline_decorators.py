"""A pipeline of decorated functions, run on this machine."""

from clearml import TaskTypes
from clearml.automation.controller import PipelineDecorator


@PipelineDecorator.component(
    return_values=["numbers"], cache=True, task_type=TaskTypes.data_processing
)
def load(count):
    return list(range(count))


@PipelineDecorator.component(return_values=["total"])
def total(numbers):
    return sum(numbers)


@PipelineDecorator.pipeline(name="decorated", project="examples/pipelines", version="0.1")
def run(count=4):
    return int(total(load(count)))


if __name__ == "__main__":
    PipelineDecorator.run_locally()
    assert run(count=5) == 10
