"""What every part needs and no part is about: errors, files, processes, progress."""
