"""Scores of predicted sentences and glosses, their intervals, and the files and figures that report them."""
