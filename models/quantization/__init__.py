"""INT8 forms of trained models, each checked on real pictures and by the family's main metric."""

from models.quantization.options import QuantizeOptions
from models.quantization.quantizer import quantize
from models.quantization.report import BudgetError, QuantizedForm, QuantizeReport

__all__ = ["BudgetError", "QuantizeOptions", "QuantizeReport", "QuantizedForm", "quantize"]
