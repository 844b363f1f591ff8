"""Figures of detectors, in numpy: COCO's, and those at a threshold."""
