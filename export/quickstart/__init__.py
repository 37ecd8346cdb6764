"""`make quickstart`: its steps, and the report on what they made."""
