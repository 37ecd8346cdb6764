"""Trains the networks: losses, steps, runs, replicas, checkpoints."""
