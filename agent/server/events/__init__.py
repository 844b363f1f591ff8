"""What tasks report while they run: scalars, log lines, plots and debug images.

Events belong to an owner: a task, or a model when an event says so. They lie in tables of their
own, out of the documents.
"""
