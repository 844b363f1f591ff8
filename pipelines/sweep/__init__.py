"""Sweeps: many trials of one training task, and what was learned from them."""
