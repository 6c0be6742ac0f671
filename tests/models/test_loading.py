"""Loading by name: what a library says at length is cut, what we say is not."""

import pytest
from transformers import AutoConfig

from hf_slt.errors import ConfigurationError
from hf_slt.models.loading import load_pretrained


def loader_of(error):
    class Loader:
        @staticmethod
        def from_pretrained(name):
            raise error

    return Loader


def test_long_messages_of_libraries_are_cut():
    with pytest.raises(ConfigurationError) as caught:
        load_pretrained(loader_of(OSError("first " + "x" * 293 + " y" * 900)), "here", "a thing")
    start = "expected a thing (a HuggingFace name or folder), found 'here', which does not load: first x"
    assert str(caught.value).startswith(start) and str(caught.value).endswith("x ...")
    assert str(caught.value.__cause__).endswith(" y")  # all of it is in a traceback
    with pytest.raises(ConfigurationError, match=f"which does not load: {'z' * 300}$"):
        load_pretrained(loader_of(OSError("z" * 300)), "here", "a thing")


def test_our_own_messages_are_whole():
    with pytest.raises(ConfigurationError, match=r" y y; do this$"):
        load_pretrained(loader_of(ConfigurationError("x" + " y" * 900 + "; do this")), "here", "a thing")


def test_an_unknown_model_type_does_not_list_those_that_there_are(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="does not load: Unrecognized model in .*model_type") as caught:
        load_pretrained(AutoConfig, str(tmp_path), "a configuration")
    assert len(str(caught.value)) < 500 + len(str(tmp_path))
