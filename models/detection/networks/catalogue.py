"""Which detection networks there are. No torch in here: `sightline models` reads it at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field

QUERY_OPTIONS = ("queries", "denoising_queries", "freeze_batch_norm", "freeze")
"""Options of every network of queries with denoising and a convolutional backbone."""
TIMM_OPTIONS = ("backbone", "levels", "hidden_width", "decoder_layers", *QUERY_OPTIONS)
"""Options of such a network on a timm backbone."""
APACHE = "Apache-2.0"


@dataclass(frozen=True)
class Entry:
    """One value of `network.name`."""

    name: str
    architecture: str
    """Name and year of the paper or code that defines it."""
    builder: str
    """`module:function` in this package; called as `function(options, classes, pretrained=...)`."""
    options: tuple[str, ...]
    """The `network` options that have an effect besides name, image_size and weights."""
    image_size: int = 640
    """Input height and width in pixels that it was published with."""
    queries: int | None = None
    """Queries that it was published with."""
    size_multiple: int = 32
    """The input size must be a multiple of this, in pixels."""
    licence: str = APACHE
    """Licence of code and architecture."""
    weights_licence: str = APACHE
    """Licence of the published weights, where they have one of their own."""
    hub: dict[str, str] = field(default_factory=dict)
    """Published weights: the data they were trained on to the hub's repository."""
    ap: float | None = None
    """Published COCO val2017 AP (0.50 to 0.95) in per cent."""
    ap_source: str = ""
    """Who published it."""
    parameters: float | None = None
    """Millions of parameters with 80 classes, computed by `complexity.complexity`."""
    gflops: float | None = None
    """Billions of multiplications and additions at `image_size`, computed likewise."""

    @property
    def published(self) -> bool:
        """Whether its size is a published one, not put together from options."""
        return "backbone" not in self.options


def find(name: str) -> Entry:
    """Find a network by `network.name`.

    Raises:
        ValueError: there is no such network; names the nearest ones.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    near = difflib.get_close_matches(name, CATALOGUE, 3)
    hint = f"; near it: {', '.join(near)}" if near else ""
    raise ValueError(f"network.name: there is no '{name}'{hint}; `sightline models` lists them all")


def _dfine() -> Iterator[Entry]:
    paper = "D-FINE (Peng et al., 2024, arXiv:2410.13842)"
    builder = "dfine:build_dfine"
    yield Entry("dfine", paper, builder, TIMM_OPTIONS, 320)
    for size, coco, long, ap in (
        ("n", "dfine-nano-coco", None, 42.8),
        ("s", "dfine-small-coco", "dfine-small-obj2coco", 48.5),
        ("m", "dfine-medium-coco", "dfine-medium-obj2coco", 52.3),
        ("l", "dfine-large-coco", "dfine-large-obj2coco-e25", 54.0),
        ("x", "dfine-xlarge-coco", "dfine-xlarge-obj2coco", 55.8),
    ):
        hub = {"coco": f"ustc-community/{coco}"}
        if long:
            hub["objects365"] = f"ustc-community/{long}"
        yield Entry(
            f"dfine-{size}", paper, builder, QUERY_OPTIONS, 640, 300, hub=hub, ap=ap,
            ap_source="the paper, COCO only",
        )  # fmt: skip


def _rtdetr() -> Iterator[Entry]:
    for version, paper, infix, figures in (
        (
            "rtdetr",
            "RT-DETR (Zhao et al., 2023, arXiv:2304.08069)",
            "rtdetr",
            (46.5, 48.9, 53.1, 51.3, 54.3),
        ),
        (
            "rtdetrv2",
            "RT-DETRv2 (Lv et al., 2024, arXiv:2407.17140)",
            "rtdetr_v2",
            (48.1, 49.9, 53.4, 51.9, 54.3),
        ),
    ):
        builder = f"rtdetr:build_{version}"
        yield Entry(version, paper, builder, TIMM_OPTIONS, 320)
        for size, ap in zip(("r18", "r34", "r50", "r50-m", "r101"), figures, strict=True):
            hub = {} if size == "r50-m" else {"coco": f"PekingU/{infix}_{size}vd"}
            if version == "rtdetr" and size in ("r18", "r50", "r101"):
                hub["objects365"] = f"PekingU/rtdetr_{size}vd_coco_o365"
            yield Entry(
                f"{version}-{size}", paper, builder, QUERY_OPTIONS, 640, 300, hub=hub, ap=ap,
                ap_source="the paper, COCO only",
            )  # fmt: skip


CATALOGUE: dict[str, Entry] = {
    entry.name: entry for entries in (_dfine(), _rtdetr()) for entry in entries
}
"""Every network by `network.name`. A further one is an `Entry` here and a module with its
builder."""
