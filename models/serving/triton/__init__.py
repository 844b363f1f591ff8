"""A model package in Triton: its model repository, and a Triton that serves it."""
