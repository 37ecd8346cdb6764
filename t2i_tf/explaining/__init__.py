"""Sheets that explain a model: how it draws, what it changes, what it learned by heart."""
