"""A text decoder of the user's own: a torch module of a class that is named in the configuration."""

# The registration in hf_slt/models/auto.py runs when this module arrives, and needs to be the first to read our files.
import transformers.models.auto.configuration_auto  # noqa: F401
