"""A detector that predicts with NumPy, OpenCV and one runtime alone: the code that is shipped.

`models.deployment` copies these modules and those that they import out of this project.
"""
