"""Looks at a built data set: what it holds, what repeats in it, whether it is whole."""
