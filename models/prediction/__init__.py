"""Run a model package over pictures, PDFs, videos and streams, and write what it finds."""

from models.prediction.options import PredictionOptions

__all__ = ["PredictionOptions"]
