"""Code that is shipped with a model, the same for all families. Needs NumPy, OpenCV and a runtime.

A family adds one module with a subclass of `model.StandaloneModel`; see `Family.standalone`.
"""
