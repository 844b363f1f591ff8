"""A run without a server: everything lies in one folder, in formats that any tool reads."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from components.run.door import Champion, DatasetCopy, DatasetRef, ModelCopy, ModelRef
from components.run.links import fetch_files
from components.run.local_store import LocalStore
from components.run.progress import Progress
from components.run.records import (
    file_name,
    plain,
    write_figure,
    write_image,
    write_json,
    write_table,
)
from components.run.stop import StopRequest
from models.reporting import Image
from models.training.nodes import ALONE, Node


class LocalRun:
    """Keeps a stage's records below `folder`.

    ```
    folder/datasets/<project>/<name>/<version>/   shared by all stages that run into this folder
    folder/models/<name>/
    folder/<stage>/config.json result.json log.txt scalars.jsonl values.json
                   images/ plots/ tables/ artifacts/ checkpoints/ scratch/
    ```
    """

    def __init__(
        self,
        folder: Path | str,
        stage: str = "run",
        *,
        project: str = "Sightline",
        commit: str = "",
        quiet: bool = False,
    ) -> None:
        """Open or make the folder; `quiet` keeps log lines off standard output.

        Raises:
            ValueError: it can't be made.
        """
        self.root = Path(folder).absolute()
        self.home = self.root / stage
        self.project = project
        self.commit = commit
        self.folder = self.home / "scratch"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"{folder} can't be the folder of a run ({error.strerror}): give another one"
            ) from None
        self._store = LocalStore(self.root, project)
        self._quiet = quiet
        self._values: dict[str, float] = {}
        self._drawn: set[tuple[str, str, int]] = set()
        """Points of curves that lie in `scalars.jsonl`: a resumed training repeats its own."""
        self._stop = StopRequest()
        self.progress = Progress(self.log)

    @property
    def id(self) -> str:
        """The folder of this stage."""
        return str(self.home)

    def begin(self, options: Mapping[str, str]) -> None:
        """Start, or go on if an unfinished run with the same options lies here.

        Raises:
            ValueError: the folder holds something else than a run.
        """
        said = self.home / "config.json"
        before = _options_in(said)
        if before is None and any(one != self.folder for one in self.home.iterdir()):
            with suppress(OSError):
                self.folder.rmdir()  # ours, unless there was one
            raise ValueError(
                f"{self.home} holds files that are no run of this stage, and would be replaced: "
                f"give another folder than {self.root}"
            )
        same = before == dict(options)
        if not same or (self.home / "result.json").is_file():
            write_json({}, said)  # a kill from here on leaves what is a run, and is to be replaced
            for one in self.home.iterdir():
                if one.is_dir() and not one.is_symlink():
                    shutil.rmtree(one)
                elif one != said:
                    one.unlink()
            self.folder.mkdir(parents=True)
        write_json(dict(options), said)
        self._take_up_records()

    def _take_up_records(self) -> None:
        """Read what an earlier attempt recorded, and drop the line that its end cut short."""
        values = self.home / "values.json"
        if values.is_file():
            self._values = json.loads(values.read_text(encoding="utf-8"))
        scalars = self.home / "scalars.jsonl"
        if scalars.is_file():
            text = scalars.read_text(encoding="utf-8")
            whole = text[: text.rfind("\n") + 1]
            scalars.write_text(whole, encoding="utf-8")
            points = (json.loads(line) for line in whole.splitlines())
            self._drawn = {(title, series, step) for title, series, step, _ in points}

    def finish(self, result: Mapping[str, Any]) -> None:
        """Keep the result and drop the scratch folder and the checkpoints."""
        write_json(json.loads(json.dumps(dict(result), default=plain)), self.home / "result.json")
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.home / "checkpoints", ignore_errors=True)
        self._stop.forget()

    def scalar(self, title: str, series: str, value: float, step: int) -> None:
        """Append one point to `scalars.jsonl`, unless an earlier attempt has drawn it."""
        if (title, series, step) in self._drawn:
            return
        self._drawn.add((title, series, step))
        with (self.home / "scalars.jsonl").open("a", encoding="utf-8") as file:
            point = [title, series, step, float(value)]
            file.write(json.dumps(point, ensure_ascii=False) + "\n")

    def value(self, name: str, value: float) -> None:
        """Keep a single value in `values.json`."""
        self._values[name] = float(value)
        write_json(self._values, self.home / "values.json")

    def image(self, title: str, series: str, image: Image, step: int) -> None:
        """Write `images/<title>/<series>_<step>.jpg`."""
        name = f"{file_name(series)}_{step:06d}.jpg"
        write_image(image, self.home / "images" / file_name(title) / name)

    def figure(self, title: str, series: str, figure: Any, step: int = 0) -> None:
        """Write `plots/<title>_<series>.html` and `.json`."""
        write_figure(figure, self.home / "plots" / self._plot_name(title, series, step))

    def table(
        self,
        title: str,
        series: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        step: int = 0,
    ) -> None:
        """Write `tables/<title>_<series>.csv`."""
        name = self._plot_name(title, series, step) + ".csv"
        write_table(columns, rows, self.home / "tables" / name)

    @staticmethod
    def _plot_name(title: str, series: str, step: int) -> str:
        parts = [file_name(part) for part in (title, series) if part]
        return "_".join(parts) + (f"_{step:06d}" if step else "")

    def log(self, message: str) -> None:
        """Write one line to `log.txt` and standard output."""
        with (self.home / "log.txt").open("a", encoding="utf-8") as file:
            file.write(message + "\n")
        if not self._quiet:
            sys.stdout.write(message + "\n")
            sys.stdout.flush()

    def dataset(self, reference: str, keep: bool = True) -> DatasetCopy:
        """Find a dataset of this folder by id or name, or take a folder on disk. Copies nothing."""
        return self._store.dataset(reference)

    def model(self, reference: str) -> ModelCopy:
        """Find a model of this folder by id or name, or take a package on disk."""
        return self._store.model(reference, self.folder)

    def published_model(self, name: str) -> ModelCopy | None:
        """Find the model of this folder that was published under a name."""
        return self._store.published_model(name, self.folder)

    def champion(self, name: str, project: str | None = None) -> Champion | None:
        """A folder keeps one model of a name, the last published: there is nothing to beat."""
        return None

    def promote(self, model: ModelRef, why: str) -> None:
        """A folder has no titles."""

    def explain(self, model: ModelRef, why: str) -> None:
        """A folder has no titles."""

    def save_dataset(
        self,
        folder: Path,
        *,
        project: str,
        name: str,
        version: str | None = None,
        parents: Sequence[str] = (),
        tags: Sequence[str] = (),
        previews: Sequence[tuple[str, Image]] = (),
        statistics: Mapping[str, Any] | None = None,
        increment: bool = True,
        links: Mapping[str, str] | None = None,
    ) -> DatasetRef:
        """Copy the folder to `datasets/<project>/<name>/<version>`."""
        facts = {"parents": list(parents), "tags": list(tags), "statistics": statistics}
        if links:  # a local folder has no one else to keep what it needs
            fetch_files(links, folder)
        saved = self._store.save_dataset(folder, project, name, version, facts, increment=increment)
        for number, (label, image) in enumerate(previews):
            self.image("Previews", f"{number:02d}_{label}", image, 0)
        return saved

    def save_model(
        self,
        folder: Path,
        *,
        name: str,
        tags: Sequence[str] = (),
        labels: Mapping[str, int] | None = None,
        metadata: Mapping[str, Any] | None = None,
        comment: str = "",
        project: str | None = None,
        publish: bool = False,
    ) -> ModelRef:
        """Copy the package to `models/<name>`, in place of an earlier one of that name."""
        facts = {
            **{"tags": list(tags), "labels": dict(labels or {}), "metadata": dict(metadata or {})},
            **{"comment": comment, "published": publish},
        }
        return self._store.save_model(folder, name, facts)

    def result_of(self, reference: str) -> dict[str, Any]:
        """Read `result.json` of a stage's folder, given by its path or the stage's name."""
        for home in (Path(reference), self.root / reference):
            path = home / "result.json"
            if path.is_file():
                found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                return found
        raise ValueError(f"{reference}: no folder of a finished run (there is no result.json)")

    def artifact_of(self, reference: str, name: str) -> Path:
        """Find an artifact in a stage's folder, given by its path or the stage's name."""
        for home in (Path(reference), self.root / reference):
            found = sorted((home / "artifacts").glob(f"{file_name(name)}.*"))
            if found:
                return found[0]
        raise ValueError(f"{reference}: no folder of a run with the artifact '{name}'")

    def page(self) -> str:
        """The stage's folder."""
        return str(self.home)

    def artifact(self, name: str, content: Any) -> str:
        """Keep a file, a folder or JSON below `artifacts/`."""
        home = self.home / "artifacts"
        home.mkdir(exist_ok=True)
        if isinstance(content, Path):
            target = home / (file_name(name) + content.suffix if content.is_file() else name)
            if content.is_dir():
                shutil.copytree(content, target, dirs_exist_ok=True)
            else:
                shutil.copy2(content, target)
        else:
            target = home / f"{file_name(name)}.json"
            write_json(json.loads(json.dumps(content, default=plain)), target)
        return str(target)

    def checkpoint(self) -> Path | None:
        """Return the last checkpoint of an unfinished run with the same options."""
        path = self.home / "checkpoints" / "last.ckpt"
        return path if path.is_file() else None

    def save_checkpoint(self, path: Path) -> None:
        """Copy the checkpoint; a kill in the middle leaves the earlier one."""
        target = self.home / "checkpoints" / "last.ckpt"
        if path.absolute() == target:
            return
        target.parent.mkdir(exist_ok=True)
        draft = target.with_suffix(".part")
        shutil.copy2(path, draft)
        draft.replace(target)

    def nodes(self, count: int) -> AbstractContextManager[Node]:
        """Refuse more than one: there are no agents here.

        Raises:
            ValueError: `count` is above 1.
        """
        if count > 1:
            raise ValueError(
                f"nodes={count} trains on several agents of a ClearML server, which a local run "
                "hasn't; use devices for several processes here"
            )
        return nullcontext(ALONE)

    def stop_requested(self) -> bool:
        """Tell whether Ctrl-C was pressed since the first call."""
        self._stop.listen()
        return bool(self._stop)


def _options_in(file: Path) -> dict[str, str] | None:
    """The options that a run has noted; None if it's no such file."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    return found if ours else None
