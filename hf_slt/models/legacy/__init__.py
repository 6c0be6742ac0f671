"""Checkpoints of the older tools: reading them, and what their weights are called here."""
