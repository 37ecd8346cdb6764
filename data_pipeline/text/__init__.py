"""Captions to token ids: tokenizers, vocabularies, and words exchanged."""
