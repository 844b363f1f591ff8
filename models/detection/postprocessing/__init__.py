"""From a detector's output tensors to detections: the same for every runtime."""

from models.detection.postprocessing.base import Postprocessing
from models.detection.postprocessing.dense import DensePostprocessing
from models.detection.postprocessing.package import postprocessor
from models.detection.postprocessing.queries import QueryPostprocessing

__all__ = ["DensePostprocessing", "Postprocessing", "QueryPostprocessing", "postprocessor"]
