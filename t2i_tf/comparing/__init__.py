"""Models side by side: the same captions and seeds, paired figures, one page."""
