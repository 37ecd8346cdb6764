"""Figures of pictures' features and of scores: pure NumPy, each with its interval."""
