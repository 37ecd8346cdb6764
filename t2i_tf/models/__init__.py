"""A trained model: on disk, in memory, and from captions to pictures; knows no training."""
