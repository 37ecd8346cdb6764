"""Trained models: on disk, in memory, and from captions to pictures; independent of training."""
