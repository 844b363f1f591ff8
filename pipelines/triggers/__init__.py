"""Pipelines that start by themselves: on a dataset's new version, a model's tag, or a schedule."""
