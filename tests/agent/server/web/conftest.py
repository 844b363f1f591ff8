"""Servers with pages, and what stands in for ClearML's web application."""

from __future__ import annotations

from pathlib import Path

import pytest

SCRIPT = "console.log('the application');\n" * 100


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a built single-page application."""
    folder = tmp_path_factory.mktemp("built") / "webapp"
    files = {
        "index.html": '<!doctype html><base href="/"><script src="main-ABCDEF12.js"></script>',
        "main-ABCDEF12.js": SCRIPT,
        "runtime.1a2b3c4d5e6f7a8b.js": "1;",
        "polyfills.js": "2;",
        "styles-XYZ123AB.css": "body{}",
        "assets/logo.svg": "<svg/>",
        "assets/fonts/heebo.woff2": "font",
        "env.js": "window.configuration = undefined;",
        "configuration.json": '{"apiBaseUrl": "https://elsewhere.example"}',
        "secret/.hidden": "hidden",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "outside.txt").symlink_to("/etc/hostname")
    return folder
