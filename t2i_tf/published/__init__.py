"""The published PyTorch weights: their files, names, sizes, and how networks take them."""
