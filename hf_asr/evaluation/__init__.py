"""Evaluation: how wrong a recogniser is, how sure of that we are, and whether another is better."""
