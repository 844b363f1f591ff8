"""Under which terms a detector's weights are, as far as their start tells."""

from __future__ import annotations

from models.detection.networks.catalogue import APACHE, find
from models.detection.networks.options import NetworkOptions
from models.package import Licence


def licence_of(options: NetworkOptions) -> Licence:
    """Say what the weights started from and what that asks for.

    Whoever trains decides about the licence of the result: the id stays unstated.
    """
    weights = options.weights
    if weights == "none":
        return Licence(note="Trained from scratch: no published weights are in them.")
    entry = find(options.name)
    if not weights.startswith("hub"):
        return Licence(
            note="They started from a local file, whose terms this package doesn't know."
        )
    if not entry.published:
        return Licence(
            note=f"The backbone started from timm's weights {options.timm_backbone}, whose licence "
            f"stands on their page."
        )
    note = f"They started from the published weights of {entry.name} ({entry.weights_licence})."
    if entry.weights_licence != APACHE:
        note += " That licence's terms, also on passing weights on, hold for these too."
    return Licence(note=note)
