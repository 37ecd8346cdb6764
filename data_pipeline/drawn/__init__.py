"""Birds that are drawn: species, captions, and pictures that show what the captions say."""
