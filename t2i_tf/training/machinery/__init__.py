"""The machinery of training: replicas, memory, random numbers, optimizers, checkpoints."""
