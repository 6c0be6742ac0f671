"""What the gloss classifiers share: configuration fields, feature extractor, masking, heads and outputs."""

# The registration in hf_slt/models/auto.py runs when this module arrives, and needs to be the first to read our files.
import transformers.models.auto.configuration_auto  # noqa: F401
