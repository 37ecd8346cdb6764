"""Draws birds: their species, their captions, and pictures that show what the captions say."""
