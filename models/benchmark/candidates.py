"""Which forms of a model can be measured, and with what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from models.package import ModelPackage
from models.package.card import Artifact
from models.runtimes.engines import RUNTIMES

Variant = Literal["", "bfloat16", "throughput", "compiled"]
"""Another way to run the same file; empty for the usual one."""

SETTINGS: dict[Variant, dict[str, Any]] = {
    "": {},
    "bfloat16": {"arithmetic": "bfloat16"},
    "throughput": {"mode": "throughput"},
    "compiled": {"compiled": True},
}
"""What each asks of `load_predictor`. A runtime that has no such way says so when it starts."""


@dataclass(frozen=True)
class Candidate:
    """A form of a model under one runtime."""

    artifact: Artifact
    runtime: str
    """Empty if no runtime opens it."""
    variant: Variant = ""

    @property
    def label(self) -> str:
        """Its name for people."""
        return ", ".join(filter(None, (self.artifact.file, self.runtime, self.variant)))


def candidates(
    artifacts: Sequence[Artifact], runtimes: Sequence[str], variants: Sequence[Variant]
) -> list[Candidate]:
    """Pair each artifact with each runtime that opens its format.

    Args:
        artifacts: of one package.
        runtimes: names of those wanted; empty for all.
        variants: other ways to run them, which come right after the usual one.

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
            # What is in INT8 doesn't get faster by bfloat16.
            wide = artifact.precision in ("float32", "float16")
            found += [Candidate(artifact, name, v) for v in variants if wide or v != "bfloat16"]
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
