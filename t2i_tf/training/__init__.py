"""How networks are trained: losses, steps, runs, replicas, checkpoints."""
