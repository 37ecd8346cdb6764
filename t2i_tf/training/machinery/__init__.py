"""What training runs on: replicas, memory, random numbers, optimizers, checkpoints."""
