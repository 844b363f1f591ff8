"""Running model packages: one `Predictor` over all runtimes, on this machine and on servers."""

from models.runtimes.engines import RUNTIMES, Engine, EngineOptions, StreamingEngine
from models.runtimes.predictor import Predictor, load_predictor

__all__ = ["RUNTIMES", "Engine", "EngineOptions", "Predictor", "StreamingEngine", "load_predictor"]
