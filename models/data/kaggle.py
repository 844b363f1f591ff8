"""Datasets on Kaggle: their address, and the user's key to them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

KAGGLE = "https://www.kaggle.com/api/v1/datasets/download/"
"""Where Kaggle's public API gives a dataset as one zip."""
_NAME = re.compile(r"[\w-]+/[\w-]+")
_HOW = (
    "Kaggle wants a key: put the kaggle.json that its settings page makes into ~/.kaggle, or set "
    "KAGGLE_USERNAME and KAGGLE_KEY, where the stage runs; or download the archive by hand and "
    "give its path"
)


def kaggle_url(name: str) -> str:
    """Give the address of a dataset.

    Raises:
        ValueError: it isn't called as datasets are.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"'kaggle:{name}': expected kaggle:OWNER/DATASET, as in its page's address"
        )
    return f"{KAGGLE}{name}"


def login_for(url: str) -> tuple[str, str] | None:
    """Find the user's name and key for an address of Kaggle's; None for any other address.

    They are where Kaggle's own client looks: in `KAGGLE_USERNAME` and `KAGGLE_KEY`, or in
    `kaggle.json` in `KAGGLE_CONFIG_DIR` or `~/.kaggle`.

    Raises:
        ValueError: there are none, or the file is broken.
    """
    if not url.startswith(KAGGLE):
        return None
    name, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    if name and key:
        return name, key
    folder = os.environ.get("KAGGLE_CONFIG_DIR") or Path.home() / ".kaggle"
    file = Path(folder) / "kaggle.json"
    try:
        held = json.loads(file.read_text())
        return str(held["username"]), str(held["key"])
    except FileNotFoundError:
        raise ValueError(_HOW) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} holds no username and key ({type(error).__name__})") from error
