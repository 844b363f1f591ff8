"""Which detection networks there are. No torch in here: `sightline models` reads it at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

QUERY_OPTIONS = ("queries", "denoising_queries", "freeze_batch_norm", "freeze")
"""Options of every network of queries with denoising and a convolutional backbone."""
TIMM_OPTIONS = ("backbone", "levels", "hidden_width", "decoder_layers", *QUERY_OPTIONS)
"""Options of such a network on a timm backbone."""
DENSE_TIMM_OPTIONS = ("backbone", "levels", "hidden_width", "freeze_batch_norm", "freeze")
"""Options of a dense network on a timm backbone."""
APACHE = "Apache-2.0"
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of ImageNet's pictures, RGB, pixels from 0 to 1."""
UNIT = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
"""Of networks that take pixels from 0 to 1."""
BYTES = ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))
"""Of networks that take pixels from 0 to 255."""
Rgb = tuple[float, float, float]


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
    strides: tuple[int, ...] = (8, 16, 32)
    """Of the feature maps that queries start from, in pixels of the input."""
    licence: str = APACHE
    """Licence of code and architecture."""
    weights_licence: str = APACHE
    """Licence of the published weights, where they have one of their own."""
    normalisation: tuple[Rgb, Rgb] = IMAGENET
    """Mean and deviation that bring pixels from 0 to 1 to what the network was published with."""
    hub: dict[str, str] = field(default_factory=dict)
    """Published weights: the data they were trained on to the hub's repository, or to a file's
    URL."""
    note: str = ""
    """What someone who looks for weights must know."""
    auto_backbone: str = "resnet10t"
    """The timm model that `backbone=auto` means."""
    hidden_width: int | None = None
    """Default of the option of this name, where it has one of its own."""
    ap: float | None = None
    """Published COCO val2017 AP (0.50 to 0.95) in per cent."""
    ap_source: str = ""
    """Who published it."""
    parameters: float | None = None
    """Millions of parameters with 80 classes, computed by `complexity.complexity`."""
    gflops: float | None = None
    """Billions of multiplications and of additions at `image_size`, computed likewise."""

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
            ap_source="the paper, COCO only", normalisation=UNIT,
            strides=(16, 32) if size == "n" else (8, 16, 32),
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
                normalisation=UNIT, ap_source="the paper, COCO only",
            )  # fmt: skip


def _deimv2() -> Iterator[Entry]:
    for size, side, queries, ap in (
        ("atto", 320, 100, 23.8),
        ("femto", 416, 150, 31.0),
        ("pico", 640, 200, 38.5),
        ("n", 640, 300, 43.0),
        ("s", 640, 300, 50.9),
        ("m", 640, 300, 53.0),
        ("l", 640, 300, 56.0),
        ("x", 640, 300, 57.8),
    ):
        transformer = size in ("s", "m", "l", "x")
        backbone = "DINOv3" if transformer else "HGNetv2"
        yield Entry(
            f"deimv2-{size}",
            "DEIMv2 (Huang et al., 2025, arXiv:2509.20787)",
            "deimv2:build_deimv2",
            QUERY_OPTIONS if not transformer else ("queries", "denoising_queries"),
            side,
            queries,
            strides=(8, 16, 32) if transformer else (16, 32),
            # The vision transformers of these sizes are DINOv3's, or distilled from it.
            weights_licence="DINOv3 License (Meta)" if transformer else APACHE,
            normalisation=IMAGENET if transformer else UNIT,
            hub={"coco": f"Intellindust/DEIMv2_{backbone}_{size.upper()}_COCO"},
            ap=ap,
            ap_source="the paper",
        )


def _rfdetr() -> Iterator[Entry]:
    for size, word, side, ap in (
        ("n", "nano", 384, 48.4),
        ("s", "small", 512, 53.0),
        ("m", "medium", 576, 54.7),
        ("l", "large", 704, 56.5),
    ):
        yield Entry(
            f"rfdetr-{size}",
            "RF-DETR (Robinson et al., 2025, arXiv:2511.09554)",
            "rfdetr:build_rfdetr",
            ("queries",),
            side,
            300,
            strides=(16,),
            hub={"coco": f"Roboflow/rf-detr-{word}"},
            ap=ap,
            ap_source="its authors",
        )


def _yolox() -> Iterator[Entry]:
    paper, builder = "YOLOX (Ge et al., 2021, arXiv:2107.08430)", "yolox:build_yolox"
    options = ("backbone", "hidden_width", "freeze_batch_norm", "freeze")
    yield Entry("yolox", paper, builder, options, 320, note=_BACKBONE_ONLY)
    release = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"
    for size, side, ap in (
        ("nano", 416, 25.8),
        ("tiny", 416, 32.8),
        ("s", 640, 40.5),
        ("m", 640, 46.9),
        ("l", 640, 49.7),
    ):
        yield Entry(
            f"yolox-{size}", paper, builder, ("freeze",), side, ap=ap, ap_source="its authors",
            normalisation=BYTES, hub={"coco": f"{release}/yolox_{size}.pth"},
        )  # fmt: skip


_BACKBONE_ONLY = "weights of the timm backbone alone (ImageNet)"


def _compact() -> Iterator[Entry]:
    note = f"{_BACKBONE_ONLY}: published detectors of this kind have no portable weights"
    for name, paper, width in (
        ("ssd", "SSD (Liu et al., 2016, arXiv:1512.02325) with SSDLite heads", 128),
        ("atss", "ATSS (Zhang et al., 2020, arXiv:1912.02424)", 64),
    ):
        yield Entry(
            name, paper, f"{name}:build_{name}", DENSE_TIMM_OPTIONS, 320, note=note,
            auto_backbone="mobilenetv2_100", hidden_width=width,
        )  # fmt: skip


_COMPUTED: dict[str, tuple[float, float]] = {
    "dfine": (8.38, 7.5),
    "dfine-n": (3.78, 7.44),
    "dfine-s": (10.32, 27.8),
    "dfine-m": (19.59, 60.5),
    "dfine-l": (31.29, 95.7),
    "dfine-x": (62.72, 209.6),
    "rtdetr": (8.89, 8.3),
    "rtdetr-r18": (20.18, 61.5),
    "rtdetr-r34": (31.44, 93.6),
    "rtdetr-r50": (42.94, 137.8),
    "rtdetr-r50-m": (36.65, 106.4),
    "rtdetr-r101": (76.66, 260.6),
    "rtdetrv2": (8.89, 8.3),
    "rtdetrv2-r18": (20.18, 61.5),
    "rtdetrv2-r34": (31.44, 93.6),
    "rtdetrv2-r50": (42.94, 137.8),
    "rtdetrv2-r50-m": (36.65, 106.4),
    "rtdetrv2-r101": (76.66, 260.6),
    "deimv2-atto": (0.51, 0.77),
    "deimv2-femto": (0.99, 1.72),
    "deimv2-pico": (1.55, 5.32),
    "deimv2-n": (3.62, 7.24),
    "deimv2-s": (9.82, 51.6),
    "deimv2-m": (18.43, 88.4),
    "deimv2-l": (32.6, 148.7),
    "deimv2-x": (51.28, 207.3),
    "rfdetr-n": (30.43, 31.8),
    "rfdetr-s": (32.07, 59.6),
    "rfdetr-m": (33.65, 78.5),
    "rfdetr-l": (33.89, 125.3),
    "yolox": (7.59, 7.77),
    "yolox-nano": (0.91, 1.04),
    "yolox-tiny": (5.06, 6.41),
    "yolox-s": (8.97, 26.7),
    "yolox-m": (25.33, 73.5),
    "yolox-l": (54.21, 155.3),
    "ssd": (2.25, 1.28),
    "atss": (2.37, 2.78),
}
"""Millions of parameters and GFLOPs, as `complexity.complexity` computes them."""

CATALOGUE: dict[str, Entry] = {
    entry.name: replace(entry, parameters=figures[0], gflops=figures[1])
    for entries in (_dfine(), _rtdetr(), _deimv2(), _rfdetr(), _yolox(), _compact())
    for entry in entries
    for figures in (_COMPUTED.get(entry.name, (None, None)),)
}
"""Every network by `network.name`. A further one is an `Entry` here and a module with its
builder."""
