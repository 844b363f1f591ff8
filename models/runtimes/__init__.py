"""Running model packages: one `Predictor` over PyTorch, ONNX Runtime and OpenVINO."""

from models.runtimes.engines import RUNTIMES, Engine, EngineOptions
from models.runtimes.predictor import Predictor, load_predictor

__all__ = ["RUNTIMES", "Engine", "EngineOptions", "Predictor", "load_predictor"]
