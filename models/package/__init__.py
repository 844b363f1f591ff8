"""Model packages: a folder with all that is needed to run a model, also without this code."""

from models.package.archive import unzip_package, zip_package
from models.package.card import (
    SCHEMA,
    Artifact,
    DatasetLineage,
    Device,
    Input,
    Licence,
    Lineage,
    Metric,
    ModelCard,
    ModelClass,
    Output,
    PackageFile,
    Parity,
    Quantization,
    Threshold,
    Training,
)
from models.package.folder import ModelPackage, NewArtifact
from models.package.libraries import library_versions
from models.preprocessing import Preprocessing

__all__ = [
    "SCHEMA",
    "Artifact",
    "DatasetLineage",
    "Device",
    "Input",
    "Licence",
    "Lineage",
    "Metric",
    "ModelCard",
    "ModelClass",
    "ModelPackage",
    "NewArtifact",
    "Output",
    "PackageFile",
    "Parity",
    "Preprocessing",
    "Quantization",
    "Threshold",
    "Training",
    "library_versions",
    "unzip_package",
    "zip_package",
]
