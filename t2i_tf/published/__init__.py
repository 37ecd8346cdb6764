"""Reads published PyTorch weights: their files, names and sizes; assigns them to networks."""
