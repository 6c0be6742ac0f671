"""Flags of the export."""

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.exporters.arguments import ExportArguments


def test_defaults():
    args = ExportArguments(checkpoint="runs/mine", output="out")
    assert (args.part, args.torchscript, args.quantize, args.validate) == ("full", False, [], 0)


def test_a_variant_given_twice_is_written_once():
    args = ExportArguments(checkpoint="a", output="b", quantize=["int8", "fp16", "int8"])
    assert args.quantize == ["int8", "fp16"]


def test_all_problems_are_listed_at_once():
    with pytest.raises(ConfigurationError) as caught:
        ExportArguments(part="decoder", quantize=["int4"])
    for text in ("--checkpoint FOLDER", "--output FOLDER", "--part full or encoder, found 'decoder'", "found 'int4'"):
        assert text in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("validate", -1), ("num_threads", 0)])
def test_numbers_out_of_range(name, value):
    with pytest.raises(ConfigurationError, match=f"--{name.replace('_', '-')} of"):
        ExportArguments(checkpoint="a", output="b", **{name: value})
