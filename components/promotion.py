"""A published model and the champion of its name: who holds the title after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from components.run import Champion, ModelRef, Run
from models.benchmark.options import PromotionOptions

if TYPE_CHECKING:
    from models.benchmark.challenge import Verdict
    from models.benchmark.record import BenchmarkRecord

CHALLENGE = "challenge"
"""Artifact that says how a challenge went."""
_TRIES = 5


class Challenge(Protocol):
    """What `publish` is told about promotion."""

    @property
    def final(self) -> bool:
        """Whether the model is published."""

    @property
    def project(self) -> str | None:
        """Project of the registry."""

    @property
    def promotion(self) -> PromotionOptions:
        """When it wins."""


def challenge_champion(
    config: Challenge, run: Run, model: ModelRef, name: str, record: BenchmarkRecord | None
) -> Verdict:
    """Hold a registered model against the champion of its name, and move the title if it wins.

    Args:
        config: of the stage.
        run: knows the registry.
        model: as it was registered.
        name: its name.
        record: of the benchmark of this model; the champion was measured beside it, if it was the
            champion then.
    """
    from models.benchmark.challenge import Verdict

    champion: Champion | None = None
    verdict = Verdict(False, "it isn't final (final=false), and only published models hold a title")
    if config.final and config.promotion.rule == "never":
        verdict = Verdict(False, "promotion.rule=never")
    elif config.final:
        for _ in range(_TRIES):
            champion = run.champion(name, config.project)
            verdict = _judge(config.promotion, run, model, champion, record)
            # Another model may have been promoted meanwhile: then that one is to be beaten.
            if not verdict.promoted or run.champion(name, config.project) == champion:
                break
    holds = champion is not None and champion.id == model.id
    if verdict.promoted and not holds:
        run.promote(model, verdict.why)
    elif config.final and not verdict.promoted:
        run.explain(model, verdict.why)
    run.artifact(
        CHALLENGE,
        {
            "name": name,
            "model": model.id,
            "champion": champion.id if champion else "",
            "promoted": verdict.promoted,
            "why": verdict.why,
            "forms": list(verdict.forms),
        },
    )
    if verdict.forms:
        columns = list(verdict.forms[0])
        rows = [[form[c] for c in columns] for form in verdict.forms]
        run.table("Champion", "forms", columns, rows)
    run.log(f"{'promoted' if verdict.promoted else 'not promoted'}: {verdict.why}")
    return verdict


def _judge(
    options: PromotionOptions,
    run: Run,
    model: ModelRef,
    champion: Champion | None,
    record: BenchmarkRecord | None,
) -> Verdict:
    from models.benchmark.challenge import Verdict, challenge, unmeasured
    from models.benchmark.record import read_record

    if champion is None:
        return Verdict(True, "there is no other champion of this name")
    if champion.id == model.id:
        return Verdict(True, "it is the champion already")
    if options.rule == "always":
        return Verdict(True, "promotion.rule=always")
    if record is None:
        return unmeasured("no benchmark of the model was given", options)
    if record.baseline == champion.id and any(row.baseline for row in record.rows):
        return challenge(record, record, options)
    said = f"{champion.id} wasn't measured beside this model"
    if not champion.benchmark:
        return unmeasured(f"{said}, and has no benchmark of its own", options)
    try:
        earlier = read_record(run.artifact_of(champion.benchmark, "benchmark"))
    except ValueError as error:
        return unmeasured(f"{said}, and its own benchmark can't be had: {error}", options)
    return challenge(record, earlier, options)
