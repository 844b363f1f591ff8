"""The one form that pictures have in memory."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""A picture: RGB, shape (height, width, 3)."""
