"""A page in the browser to try a model on pictures and videos."""
