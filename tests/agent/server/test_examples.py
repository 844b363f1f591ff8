"""Scripts in the manner of ClearML's public examples, unmodified SDK, against the server.

Each script asserts what it has done and read back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.py"))
QUICK = ("task_management", "models")
"""Those that take seconds; the others load much or wait for pollers."""


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else pytest.mark.slow)
        for path in EXAMPLES
    ],
)
def test_example(home: Any, example: Path) -> None:
    home.run(example.read_text(), timeout=300)
