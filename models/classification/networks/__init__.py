"""timm classifiers, with their starts and parts that can be frozen."""
