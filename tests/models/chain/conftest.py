"""A small reader, for tests of what stands behind a detector."""

from tests.models.ocr.conftest import lines, taught

__all__ = ["lines", "taught"]
