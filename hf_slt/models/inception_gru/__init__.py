"""GRU over the image features of a clip -> gloss and category."""

# The registration in hf_slt/models/auto.py runs when this module arrives, and needs to be the first to read our files.
import transformers.models.auto.configuration_auto  # noqa: F401
