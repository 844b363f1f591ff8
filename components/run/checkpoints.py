"""Checkpoints as two artifacts in turn, so that a kill during an upload costs only the new one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from components.failure import say
from components.run.trees import file_hash

NAMES = ("checkpoint_a", "checkpoint_b")


class Checkpoints:
    """The checkpoints of one task.

    An artifact's metadata holds the number of the save, the file's SHA-256 and a mark; the newest
    one with our mark whose file still has that hash is the one to resume from.
    """

    def __init__(self, task: Any, mark: str, seconds: float = 20.0) -> None:
        """Upload at most every `seconds`, and not for more than a tenth of the time.

        Args:
            task: of this process.
            mark: names the task and its options: with others, nothing can be resumed.
            seconds: between two uploads.
        """
        self._mark = mark
        self._task = task
        self._seconds = seconds
        self._number = max((number for number, _ in self._entries()), default=0)
        self._next_upload = 0.0

    def _entries(self) -> list[tuple[int, Any]]:
        artifacts = self._task.artifacts
        entries = [artifacts[name] for name in NAMES if name in artifacts]
        ours = [entry for entry in entries if (entry.metadata or {}).get("mark") == self._mark]
        return [(int(entry.metadata.get("number", 0)), entry) for entry in ours]

    def restore(self) -> Path | None:
        """Download the newest whole checkpoint, or return None."""
        for number, entry in sorted(self._entries(), key=lambda item: -item[0]):
            # A later upload of the same name may lie in the cache under the same URL.
            found = entry.get_local_copy(raise_on_error=False, force_download=True)
            if found and file_hash(Path(found)) == (entry.metadata or {}).get("sha256"):
                self._number = max(self._number, number)
                return Path(found)
        return None

    def save(self, path: Path, now: bool = False) -> bool:
        """Upload a checkpoint file unless the last upload was a moment ago.

        Returns:
            Whether it was uploaded.
        """
        start = time.monotonic()
        if start < self._next_upload and not now:
            return False
        number = self._number + 1
        digest = file_hash(path)
        try:
            uploaded = self._task.upload_artifact(
                NAMES[number % 2],
                artifact_object=str(path),
                metadata={"number": str(number), "sha256": digest, "mark": self._mark},
                wait_on_upload=True,
                retries=3,
            )
        except Exception as error:  # whatever a storage raises: training is worth more than this
            say(f"the checkpoint couldn't be uploaded, training goes on: {error}")
            uploaded = False
        took = time.monotonic() - start
        self._next_upload = time.monotonic() + max(self._seconds, 9 * took)
        if uploaded:
            self._number = number
        return bool(uploaded)
