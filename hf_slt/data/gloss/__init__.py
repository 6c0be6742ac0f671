"""Clips of single signs: files, labels, checks, the memory-mapped table, batches."""
