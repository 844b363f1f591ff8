"""A picture's upload as the file that came: decoding is ours, so that it is timed and limited."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio import component_meta

# Gradio writes a stub file beside the module of any subclass; this folder isn't its to write to.
_write_stub = component_meta.create_or_modify_pyi
component_meta.create_or_modify_pyi = lambda *_: None
try:

    class PictureUpload(gr.Image):  # type: ignore[misc,unused-ignore]
        """A `gr.Image` whose handler gets the path of the upload, whatever it holds."""

        is_template = True  # in the browser it's a plain gr.Image

        def preprocess(self, payload: Any) -> str | None:
            """Give the path; gradio has made sure that it is an upload or may be served."""
            return payload.path if payload is not None else None

finally:
    component_meta.create_or_modify_pyi = _write_stub
