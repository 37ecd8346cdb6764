"""Readers of raw data sets: one module per layout, all with the same type of result."""
