"""From the weights that a training ended with to a model package."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from models.outcomes import Checkpoints, TrainingOutcome
from models.training.devices import first_process
from models.training.files import BEST, save_weights
from models.training.loop import Fitted


def ship(
    fitted: Fitted, checkpoints: Checkpoints, save: Callable[[Path, Path], object]
) -> TrainingOutcome:
    """Make the package `package` below the checkpoints' folder, in place of an earlier one.

    Args:
        fitted: what training ended with.
        checkpoints: where its files lie.
        save: writes a package; takes its folder and the file of the weights. Of several processes
            that train together only the first one is asked.
    """
    package = checkpoints.folder / "package"
    if first_process():
        # A resume on another machine has the best weights in its checkpoint only.
        weights = checkpoints.folder / BEST
        save_weights(fitted.weights, weights)
        shutil.rmtree(package, ignore_errors=True)
        save(package, weights)
    return TrainingOutcome(
        package=package,
        metrics=fitted.metrics,
        best_epoch=fitted.best_epoch,
        epochs=fitted.epochs,
        seconds=fitted.seconds,
        interrupted=fitted.interrupted,
    )
