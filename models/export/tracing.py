"""Make networks of `transformers` traceable without changing what they compute."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from torch import Tensor, nn


@contextmanager
def traceable(network: nn.Module) -> Iterator[None]:
    """Prepare for `torch.export`, for the time of the context.

    - `transformers` asserts on tensor values, for which there is no ONNX operator
      (`aten._is_all_true`); its own switch turns that off.
    - `len(tensor)` is a plain number to Python, so a batch size that is taken that way would be
      frozen into the graph without a word. In the modules that define the network, `len` of a
      tensor becomes its symbolic first size.
    """
    modules = {
        sys.modules[type(part).__module__]
        for part in network.modules()
        if type(part).__module__.startswith("transformers.")
    }
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, {"TRANSFORMERS_DISABLE_TORCH_CHECK": "1"}))
        for module in modules:
            stack.enter_context(patch.dict(vars(module), {"len": _symbolic_len}))
        yield


def _symbolic_len(value: Any) -> Any:
    return value.shape[0] if isinstance(value, Tensor) else builtins.len(value)
