"""What is learned and how it is run: families, networks, data, training, metrics, packages.

Nothing here knows ClearML. Modules that only handle data never import torch.
"""
