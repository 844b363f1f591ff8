"""Folders and zips that predict on a machine without this project installed."""

from models.deployment.packing import Deployment, pack

__all__ = ["Deployment", "pack"]
