"""Readers of raw data sets: one file a layout, all giving the same examples."""
