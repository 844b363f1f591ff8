"""Annotation formats of detection data."""
