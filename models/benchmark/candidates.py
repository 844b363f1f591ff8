"""Which forms of a model can be measured, and with what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from models.package import ModelPackage
from models.package.card import Artifact
from models.runtimes.engines import RUNTIMES

Arithmetic = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Candidate:
    """A form of a model under one runtime."""

    artifact: Artifact
    runtime: str
    """Empty if no runtime opens it."""
    arithmetic: Arithmetic = "float32"

    @property
    def label(self) -> str:
        """Its name for people."""
        words = [self.artifact.file, self.runtime]
        return ", ".join(words if self.arithmetic == "float32" else [*words, self.arithmetic])


def candidates(
    artifacts: Sequence[Artifact], runtimes: Sequence[str], bfloat16: bool
) -> list[Candidate]:
    """Pair each artifact with each runtime that opens its format.

    Args:
        artifacts: of one package.
        runtimes: names of those wanted; empty for all.
        bfloat16: add the same computing in bfloat16, right after it.

    Raises:
        ValueError: no such runtime, or nothing is left.
    """
    for name in runtimes:
        if name not in RUNTIMES:
            raise ValueError(f"runtimes: no runtime '{name}'; there are: {', '.join(RUNTIMES)}")
    found: list[Candidate] = []
    for artifact in artifacts:
        names = [name for name, entry in RUNTIMES.items() if entry.format == artifact.format]
        if not names and not runtimes:
            found.append(Candidate(artifact, ""))
        for name in names:
            if runtimes and name not in runtimes:
                continue
            found.append(Candidate(artifact, name))
            if bfloat16 and artifact.precision in ("float32", "float16"):
                found.append(Candidate(artifact, name, "bfloat16"))
    if not found:
        have = ", ".join(f"{a.file} ({a.format})" for a in artifacts) or "no artifacts"
        raise ValueError(f"runtimes={','.join(runtimes)}: none of them runs what is there: {have}")
    return found


def alone(package: ModelPackage, file: str) -> ModelPackage:
    """Hide all other artifacts of a package, so that whatever opens it opens this very file.

    Raises:
        ValueError: it has no such artifact.
    """
    for artifact in package.card.artifacts:
        if artifact.file == file:
            card = package.card.model_copy(update={"artifacts": (artifact,)})
            return replace(package, card=card)
    raise ValueError(f"{package.folder} has no artifact {file}")
