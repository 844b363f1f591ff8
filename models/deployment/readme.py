"""The texts beside a shipped model: how to run it, how good it is, under which terms."""

from __future__ import annotations

from models.deployment.entry import Standalone
from models.package import Artifact, ModelCard

REQUIREMENTS = {
    "onnxruntime": "onnxruntime>=1.23",
    "openvino": "openvino>=2025.4",
}
_ALWAYS = ("numpy>=2.0", "opencv-python-headless>=4.12")


def requirements(runtime: str) -> str:
    """Write `requirements.txt`."""
    lines = [*_ALWAYS, REQUIREMENTS[runtime], "pillow>=11  # for --draw only"]
    return "\n".join(lines) + "\n"


def weights_licence(card: ModelCard) -> str:
    """Write under which terms the weights may be used."""
    stated = card.licence.id
    if stated == "unstated":
        stated = "not stated by whoever trained them; ask before you pass them on"
    note = f"\n{card.licence.note}\n" if card.licence.note else ""
    return f"Licence of the model's weights: {stated}\n{note}\nThe code: Apache-2.0, see LICENSE.\n"


def readme(
    name: str, card: ModelCard, standalone: Standalone, artifact: Artifact, runtime: str
) -> str:
    """Write `README.md`.

    Args:
        name: of the model.
        card: its description.
        standalone: what the family says of it.
        artifact: the form that is shipped.
        runtime: what runs it.
    """
    size = f"{card.preprocessing.width} x {card.preprocessing.height}"
    return "\n".join(
        [
            f"# {name}",
            "",
            f"A model that {standalone.does}. It runs on the CPU with {runtime}, NumPy and OpenCV; "
            f"nothing else is installed, and nothing is downloaded.",
            "",
            "## Run it",
            "",
            "```",
            "python -m venv .venv",
            ".venv/bin/pip install -r requirements.txt",
            ".venv/bin/python predict.py picture.jpg folder/ --json found.json --draw drawn/",
            "```",
            "",
            "`python predict.py --help` lists the options. Python 3.11 or newer.",
            "",
            "In Python:",
            "",
            "```python",
            "import cv2",
            "from sightline_model import Model",
            "",
            "model = Model()",
            'picture = cv2.imread("picture.jpg", cv2.IMREAD_COLOR_RGB)',
            "(found,) = model([picture])",
            *standalone.usage,
            "```",
            "",
            "One `Model` is for one thread at a time.",
            "",
            "## What it is",
            "",
            f"- File: `{artifact.file}` ({artifact.format}, {artifact.precision}, "
            f"{artifact.bytes / 1e6:.1f} MB)",
            f"- Input: RGB, {size} pixels ({card.preprocessing.resize_mode}); any picture is "
            f"brought to it",
            f"- Confidence threshold: {card.threshold.value:.4g}"
            + (" (some classes have their own)" if card.threshold.per_class else ""),
            "- Licence of the weights: LICENSE-WEIGHTS.txt",
            "- More about it: model_card.html, or model_card.md",
            "",
            "## How good it is",
            "",
            *_figures(card, artifact),
            "",
        ]
    )


def _figures(card: ModelCard, artifact: Artifact) -> list[str]:
    own = [metric for metric in card.metrics if metric.artifact == artifact.file]
    if not own:
        others = sorted({metric.artifact for metric in card.metrics})
        where = f" Those of {', '.join(others)} are in model_card.md." if others else ""
        return [f"No figures were measured on this very file.{where}"]
    lines = ["Measured on this very file:", "", "| figure | value | data |", "|---|---|---|"]
    for metric in own:
        pictures = f", {metric.pictures} pictures" if metric.pictures else ""
        lines.append(f"| {metric.name} | {metric.value:.4f} | {metric.split}{pictures} |")
    if artifact.parity is not None:
        parity = artifact.parity
        same = parity.compared - parity.outside
        lines += [
            "",
            f"{same} of {parity.compared} results on {parity.pictures} pictures are those of "
            f"{parity.reference} under PyTorch, within the tolerance.",
        ]
    return lines
