"""What is slow, measured, as ratios in one run."""
