"""Batches by seconds, the loss, the Trainer, and the journey from recipe to run folder."""
