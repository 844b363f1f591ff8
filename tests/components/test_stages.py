"""What every stage has in common, and the options that users rely on."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.failure import full_disk
from components.launch import help_text, launch
from components.options import OptionError, defaults, encode, flatten, options_of
from components.registry import STAGES, stage
from models.families import DEFAULT_FAMILY, families

SNAPSHOT = Path(__file__).with_name("options.txt")


def lines_of(name: str, family: str) -> list[str]:
    lines = []
    for option in options_of(stage(name).config_type(family)):
        default = "needed" if option.required else f"= {encode(option.default)}"
        lines.append(f"{option.name} <{option.expected}> {default}".rstrip())
    return lines


def listing() -> str:
    """All options of the default family, and what the other families have in their place."""
    lines = []
    for name in STAGES:
        one = stage(name)
        usual = lines_of(name, DEFAULT_FAMILY)
        lines += [f"[{name}] needs {one.needs}, a {one.task_type} task", *usual]
        lines += [f"-> {field}" for field in one.result.model_fields]
        for family in families():
            if family == DEFAULT_FAMILY:
                continue
            own = lines_of(name, family)
            lines += [f"{family} has no {line.split()[0]}" for line in usual if line not in own]
            lines += [f"{family} has {line}" for line in own if line not in usual]
        lines.append("")
    return "\n".join(lines)


def test_options_and_results_are_what_users_rely_on() -> None:
    """A changed name or default breaks recipes: change `options.txt` on purpose.

    `SIGHTLINE_SNAPSHOT=1 pytest tests/components/test_stages.py` writes it anew.
    """
    if os.environ.get("SIGHTLINE_SNAPSHOT"):
        SNAPSHOT.write_text(listing(), encoding="utf-8")
    assert listing() == SNAPSHOT.read_text(encoding="utf-8")


@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize("name", STAGES)
def test_every_option_is_explained(name: str, family: str) -> None:
    text = help_text(stage(name), family)
    for option in options_of(stage(name).config_type(family)):
        assert option.description, f"{option.name} has no docstring"
        assert f"  {option.name}  <" in text


@pytest.mark.parametrize("name", STAGES)
def test_module_name_and_stage_name_agree(name: str) -> None:
    one = stage(name)
    assert (one.name, one.module) == (name, STAGES[name])


def test_loading_all_stages_loads_nothing_heavy() -> None:
    code = (
        "import sys, components.registry as r\n"
        "for n in r.STAGES: r.stage(n).config_type()\n"
        "heavy = {'torch', 'lightning', 'transformers', 'timm', 'openvino', 'onnxruntime',"
        " 'onnx', 'clearml', 'cv2', 'plotly'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_stage_and_option_are_named() -> None:
    with pytest.raises(ValueError, match="no stage 'trian'; there are: ingest, prepare, train"):
        stage("trian")
    with pytest.raises(OptionError, match=r"no option 'optimiser\.lr', did you mean 'optimizer"):
        stage("train").check_option("optimiser.lr")
    stage("train").check_option("optimizer.lr")


def shell(name: str, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        launch(stage(name), arguments)
    code = ended.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["dataset=d", "optimizer.lrr=1"], "unknown option 'optimizer.lrr', did you mean"),
        (["epochs=3"], "dataset is needed: Prepared dataset"),
        (["epochs"], "'epochs' isn't key=value, as in optimizer.lr=0.001"),
        (["--lr=3", "dataset=d"], "unrecognized arguments: --lr=3"),
        (["--config", "/no.yaml"], "/no.yaml: No such file or directory; give a YAML file"),
        (["dataset=d", "family=sound"], "family: no task family 'sound'; there are: detection"),
        (["--local", "TMP", "dataset=nothing"], "no dataset 'nothing'; there is no dataset yet"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    line: str,
) -> None:
    monkeypatch.delenv("CLEARML_TASK_ID", raising=False)
    given = [argument.replace("TMP", str(tmp_path)) for argument in arguments]
    assert shell("train", *given) == 64
    errors = capsys.readouterr().err
    assert line in errors and errors.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/d/x.jpg"), "left on the disk, at /d/x"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "left on the disk: make room"),
        (shutil.Error([("a", "/d/b", "[Errno 28] No space left on device: 'a'")]), "at /d/b: make"),
        (shutil.Error([("a", "/d/b", "[Errno 13] Permission denied: 'a'")]), ""),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), ""),
        (shutil.SameFileError("a and b are the same file"), ""),
        (ValueError("[Errno 28]"), ""),
    ],
)
def test_a_full_disk_is_told_in_a_line(error: Exception, line: str) -> None:
    said = full_disk(error)
    assert line in said and bool(said) == bool(line)


def test_help_is_printed_and_ends_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLEARML_TASK_ID", raising=False)
    assert shell("train", "--help") == 0
    text: Any = capsys.readouterr().out
    assert "python -m components.train [--config FILE] [--local FOLDER]" in text
    assert "  optimizer.lr  <number > 0>  default: 0.001" in text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (320, 100, 128)),
        ({"network.name": "dfine-n"}, (640, 300, 128)),
        ({"network.name": "rfdetr-n"}, (384, 300, 128)),
        ({"network.name": "atss"}, (320, 100, 64)),
        ({"network.name": "dfine-n", "network.image_size": "320"}, (320, 300, 128)),
        ({"network.name": "dfine-n", "network.queries": "auto"}, (640, 300, 128)),
    ],
)
def test_a_network_brings_its_own_size_through_the_stage(
    given: dict[str, str], expected: tuple[int, int, int]
) -> None:
    """Defaults go through a stage as text, and must not drown what the network was published with.

    A task's parameters hold what came out; its template holds `auto`.
    """
    train = stage("train")
    template = defaults(train.config_type()) | {"dataset": "x"}
    for layers in ([{"dataset": "x", **given}], [template, given]):
        config = train.configure(*layers)
        found = config.network  # type: ignore[attr-defined]
        assert (found.image_size, found.queries, found.hidden_width) == expected
        again = train.configure(flatten(config))
        assert flatten(again) == flatten(config)
