"""Looking at a corpus: one static page of what is in it, and of what is wrong with it."""
