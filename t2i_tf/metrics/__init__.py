"""Measures how good generated pictures are and how well they match their captions."""
