"""Well-known classifiers of timm with the accuracy that timm publishes for their weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A network and the weights its figures are for."""

    name: str
    tag: str
    """Of the weights: `name.tag` in timm."""
    parameters: float
    """Millions, with 1,000 classes."""
    image_size: int
    """Pixels, in the measurement."""
    top1: float
    """Per cent on ImageNet-1k's validation split."""
    top5: float
    licence: str | None = None


CATALOGUE: tuple[Entry, ...] = (
    Entry("resnet18", "a1_in1k", 11.69, 288, 73.158, 91.026, "apache-2.0"),
    Entry("resnet18d", "ra2_in1k", 11.71, 288, 73.794, 91.838, "apache-2.0"),
    Entry("resnet26t", "ra2_in1k", 16.01, 320, 78.332, 94.124, "apache-2.0"),
    Entry("resnet34", "a1_in1k", 21.8, 288, 77.918, 93.766, "apache-2.0"),
    Entry("resnet50", "a1_in1k", 25.56, 288, 81.214, 95.102, "apache-2.0"),
    Entry("resnet50d", "ra2_in1k", 25.58, 288, 81.356, 95.738, "apache-2.0"),
    Entry("resnet152", "a1h_in1k", 60.19, 288, 83.45, 96.538, "apache-2.0"),
    Entry("resnetrs50", "tf_in1k", 35.69, 224, 79.896, 94.972, "apache-2.0"),
    Entry("mobilenetv2_100", "ra_in1k", 3.5, 224, 72.976, 91.01, "apache-2.0"),
    Entry("mobilenetv3_large_100", "ra_in1k", 5.48, 224, 75.766, 92.538, "apache-2.0"),
    Entry("ghostnet_100", "in1k", 5.18, 224, 73.982, 91.466, "apache-2.0"),
    Entry("mnasnet_100", "rmsp_in1k", 4.38, 224, 74.65, 92.124, "apache-2.0"),
    Entry("tinynet_a", "in1k", 6.19, 192, 77.658, 93.54, "apache-2.0"),
    Entry("efficientnet_b0", "ra_in1k", 5.29, 224, 77.694, 93.532, "apache-2.0"),
    Entry("efficientnet_b1", "ft_in1k", 7.79, 256, 78.8, 94.342, "apache-2.0"),
    Entry("efficientnet_b2", "ra_in1k", 9.11, 288, 80.61, 95.314, "apache-2.0"),
    Entry("efficientnet_b4", "ra2_in1k", 19.34, 384, 83.414, 96.598, "apache-2.0"),
    Entry("tf_efficientnetv2_s", "in21k_ft_in1k", 21.46, 384, 84.288, 97.252, "apache-2.0"),
    Entry("regnety_004", "tv2_in1k", 4.34, 224, 75.598, 92.696, "bsd-3-clause"),
    Entry("regnety_016", "tv2_in1k", 11.2, 224, 80.668, 95.33, "bsd-3-clause"),
    Entry("convnext_atto", "d2_in1k", 3.7, 288, 77.008, 93.702, "apache-2.0"),
    Entry("convnext_femto", "d1_in1k", 5.22, 288, 78.716, 94.43, "apache-2.0"),
    Entry("convnext_pico", "d1_in1k", 9.05, 288, 80.414, 95.05, "apache-2.0"),
    Entry("convnext_tiny", "in12k_ft_in1k", 28.59, 288, 84.45, 97.34, "apache-2.0"),
    Entry("convnext_base", "fb_in1k", 88.59, 288, 84.428, 96.968, "apache-2.0"),
    Entry("convnextv2_tiny", "fcmae_ft_in1k", 28.64, 288, 83.464, 96.718, "cc-by-nc-4.0"),
    Entry("vit_tiny_patch16_224", "augreg_in21k_ft_in1k", 5.72, 224, 75.454, 92.844, "apache-2.0"),
    Entry(
        "vit_small_patch16_224", "augreg_in21k_ft_in1k", 22.05, 224, 81.384, 96.136, "apache-2.0"
    ),
    Entry("vit_base_patch16_224", "augreg2_in21k_ft_in1k", 86.57, 224, 85.096, 97.53, "apache-2.0"),
    Entry("deit3_small_patch16_224", "fb_in1k", 22.06, 224, 81.37, 95.456, "apache-2.0"),
    Entry("deit3_base_patch16_224", "fb_in1k", 86.59, 224, 83.786, 96.588, "apache-2.0"),
    Entry("swin_tiny_patch4_window7_224", "ms_in1k", 28.29, 224, 81.376, 95.544, "mit"),
    Entry("swin_base_patch4_window7_224", "ms_in1k", 87.77, 224, 83.606, 96.452, "mit"),
    Entry("mobilevit_s", "cvnets_in1k", 5.58, 256, 78.312, 94.144, "cvnets-license"),
    Entry("mobilevitv2_100", "cvnets_in1k", 4.9, 256, 78.076, 94.17, "cvnets-license"),
    Entry("efficientformerv2_s0", "snap_dist_in1k", 3.6, 224, 76.118, 92.86, "apache-2.0"),
    Entry("edgenext_small", "usi_in1k", 5.59, 320, 81.564, 95.712, "mit"),
    Entry("levit_128", "fb_dist_in1k", 9.21, 224, 78.49, 94.012, "apache-2.0"),
    Entry("densenet121", "ra_in1k", 7.98, 288, 76.5, 93.368, "apache-2.0"),
)
"""Figures from results-imagenet.csv in timm's repository (commit 0173a139); licences from timm's
own records of the weights."""
