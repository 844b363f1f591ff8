"""Object detection: data, networks, training, metrics."""
