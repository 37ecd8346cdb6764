"""General helpers of all packages: errors, files, processes, progress."""
