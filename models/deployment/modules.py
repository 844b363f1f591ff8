"""Our own modules as a small package of their own: chosen by following imports, not copied by hand.

What is shipped is thus the code that is tested here; only the lines that import from `models` are
written anew, as imports between neighbours.
"""

from __future__ import annotations

import ast
import sys
from importlib.metadata import version
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_LIBRARIES = frozenset({"numpy", "cv2", "PIL"})
"""What shipped modules may import besides the standard library; runtimes are loaded by name."""


def shipped_modules(*entries: str) -> dict[str, str]:
    """Collect modules and all of ours that they need.

    Args:
        entries: full names of the modules, such as `models.detection.standalone`.

    Returns:
        Source text by file name, flat; all import one another relatively.

    Raises:
        RuntimeError: one of them can't be shipped: it needs another library, or two have one name.
    """
    texts: dict[str, str] = {}
    origins: dict[str, str] = {}
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        name = f"{module.rpartition('.')[2]}.py"
        if origins.setdefault(name, module) != module:
            raise RuntimeError(f"{origins[name]} and {module} can't both be shipped as {name}")
        if name not in texts:
            texts[name], needed = _rewritten(module)
            waiting += needed
    return dict(sorted(texts.items()))


def _rewritten(module: str) -> tuple[str, list[str]]:
    """Source of a module with its imports of ours made relative, and the modules it imports."""
    file = _file(module)
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    needed = []
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "models":
            imported, line = _relative(node, lines[node.lineno - 1])
            lines[node.lineno - 1] = line
            needed += imported
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "models"]
        for name in names:
            top = name.partition(".")[0]
            if top not in _LIBRARIES and top not in sys.stdlib_module_names:
                raise RuntimeError(f"{module} can't be shipped: it imports {name}")
    origin = file.relative_to(_ROOT).as_posix()
    head = f"# From Sightline {version('sightline')}, {origin}. Apache-2.0, see LICENSE."
    return "\n".join([head, *lines]) + "\n", needed


def _relative(node: ast.ImportFrom, line: str) -> tuple[list[str], str]:
    source = node.module or ""
    below = [alias.name for alias in node.names if _exists(f"{source}.{alias.name}")]
    if not below:
        plain = source.rpartition(".")[2]
        return [source], line.replace(f"from {source} import", f"from .{plain} import", 1)
    if len(below) < len(node.names):
        raise RuntimeError(f"line {node.lineno}: modules and other names of {source} in one import")
    imported = [f"{source}.{name}" for name in below]
    return imported, line.replace(f"from {source} import", "from . import", 1)


def _exists(module: str) -> bool:
    return _ROOT.joinpath(*module.split(".")).with_suffix(".py").is_file()


def _file(module: str) -> Path:
    return _ROOT.joinpath(*module.split(".")).with_suffix(".py")
