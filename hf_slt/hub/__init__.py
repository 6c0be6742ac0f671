"""Publishing to the HuggingFace hub: models, processors, data sets."""
