"""Choose a reading network for a dataset: what its lines need, what each network gives."""

from models.ocr.design.candidates import candidates
from models.ocr.design.designing import Design, design
from models.ocr.design.options import DesignOptions
from models.ocr.design.recommending import recipe, recommend
from models.ocr.design.survey import Survey, survey

__all__ = [
    "Design",
    "DesignOptions",
    "Survey",
    "candidates",
    "design",
    "recipe",
    "recommend",
    "survey",
]
