"""Scores of predicted sentences against the raw reference strings, their intervals and the files that report them."""
