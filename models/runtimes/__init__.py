"""Running model packages: one `Predictor` over PyTorch, ONNX Runtime, OpenVINO and servers."""

from models.runtimes.engines import RUNTIMES, Engine, EngineOptions
from models.runtimes.predictor import Predictor, load_predictor

__all__ = ["RUNTIMES", "Engine", "EngineOptions", "Predictor", "load_predictor"]
