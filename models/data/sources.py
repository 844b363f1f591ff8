"""Public data by name, files on Google Drive, datasets on Kaggle: what URL they mean."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from models.data.kaggle import kaggle_url

DRIVE = "https://drive.usercontent.google.com/download"
"""Where Google Drive gives files from; `confirm=t` skips its page about virus scans."""
_DRIVE_HOSTS = ("drive.google.com", "docs.google.com")
_DRIVE_ID = re.compile(r"[\w-]{20,}")
_PAGE = 200_000
"""Bytes of which a page of Google Drive's never has more."""


@dataclass(frozen=True)
class Source:
    """Public data that have a name here."""

    url: str
    about: str
    licence: str


SOURCES = {
    "bccd": Source(
        "https://github.com/Shenggan/BCCD_Dataset/archive/refs/heads/master.zip",
        "blood cells, 364 pictures, Pascal VOC",
        "MIT",
    ),
    "barcodes": Source(
        "gdrive:1g4Z-j9k3fuKGYFd-leOBpYN-qkmPrVRW",
        "photos of barcodes, those of vladimir-sashin/rt-detr-barcode-detection",
        "not stated",
    ),
    "rice-images": Source(
        "kaggle:muratkokludataset/rice-image-dataset",
        "rice of five varieties, 75,000 pictures in a folder each; needs a key to Kaggle",
        "as its page on Kaggle says",
    ),
}
"""By name."""


def resolve(source: str) -> str:
    """Turn a name or a share link into the address that the file comes from.

    Args:
        source: a name of `SOURCES` (a file or folder that is called so goes first), `gdrive:ID`,
            `kaggle:OWNER/DATASET`, a link that Google Drive's share button gives, or anything else,
            which stays as it is.

    Raises:
        ValueError: a link to Google Drive that names no single file, no dataset of Kaggle's, or a
            broken address.
    """
    if not source.strip():
        # A path of nothing is the present folder.
        raise ValueError("data.source is empty: give a folder, an archive or a URL")
    if source in SOURCES and not Path(source).exists():
        source = SOURCES[source].url
    if source.startswith("gdrive:"):
        identity = source.removeprefix("gdrive:").strip("/")
        if not _DRIVE_ID.fullmatch(identity):
            raise ValueError(f"'{source}': expected gdrive: and the id of a file")
        return _drive_url(identity)
    if source.startswith("kaggle:"):
        return kaggle_url(source.removeprefix("kaggle:").strip("/"))
    try:
        parts = urlsplit(source)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"data.source isn't an address that can be read: {error}") from None
    if parts.scheme not in ("http", "https") or parts.hostname not in _DRIVE_HOSTS:
        return source
    found = re.search(r"/d/([\w-]{20,})", parts.path)
    identity = found.group(1) if found else parse_qs(parts.query).get("id", [""])[0]
    if not _DRIVE_ID.fullmatch(identity) or "/folders/" in parts.path:
        raise ValueError(
            f"'{source}' names no single file on Google Drive: share an archive and give its link"
        )
    return _drive_url(identity)


def _drive_url(identity: str) -> str:
    return f"{DRIVE}?{urlencode({'id': identity, 'export': 'download', 'confirm': 't'})}"


def page_instead(url: str, file: Path) -> str | None:
    """Tell what to do with a page that Google Drive gave instead of a file.

    Args:
        url: what was downloaded.
        file: what came.

    Returns:
        The address that the page's form leads to; None if it isn't such a page.

    Raises:
        ValueError: a page without a way on: the file isn't shared, or too many have fetched it.
    """
    if not url.startswith(DRIVE) or file.stat().st_size > _PAGE:
        return None
    content = file.read_bytes()
    if not content.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return None
    page = content.decode("utf-8", "replace")
    fields = {
        _attribute(field, "name"): _attribute(field, "value")
        for field in re.findall(r"<input\b[^>]*>", page)
        if _attribute(field, "type") == "hidden"
    }
    if {"id", "confirm"} <= fields.keys():
        return f"{DRIVE}?{urlencode(fields)}"
    found = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    title = html.unescape(found.group(1)).strip() if found else "a page"
    raise ValueError(
        f"Google Drive gave no file but '{title}': share it with everyone who has the link; if it "
        f"is, too many have fetched it lately: try tomorrow, or download it by hand"
    )


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf"""\b{name}=["']([^"']*)["']""", tag)
    return html.unescape(found.group(1)) if found else ""
