"""Use of trained models: clips in, glosses out."""
