"""What README shows as code works as it stands there."""

import shlex
import sys
import types

import pytest
import torch
from custom_decoders import documented_decoder
from readme_blocks import README, read_blocks, read_commands, script_of, why_not_run

from hf_slt.models.custom_decoder.configuration_custom_decoder import CustomDecoderConfig
from hf_slt.models.custom_decoder.decoder_check import check_decoder
from hf_slt.models.custom_decoder.modeling_custom_decoder import CustomDecoderForConditionalGeneration
from hf_slt.training.arguments import ModelArguments

COMMANDS = [words for block in read_blocks("bash") for words in read_commands(block.text)]


@pytest.mark.parametrize("words", COMMANDS, ids=shlex.join)
def test_every_command_is_run_or_it_is_said_why_not(words):
    if why_not_run(words) is None and words[0] != "cp":
        script, _ = script_of(words)
        assert (README.parent / "scripts" / f"{script}.py").is_file()


def test_a_command_that_nothing_knows_is_found():
    with pytest.raises(AssertionError, match="README shows 'make coffee', which no test runs: say in NOT_RUN why"):
        script_of(["make", "coffee"])


def test_a_block_is_read_as_a_shell_reads_it():
    block = "a.sh --b 'c d' \\\n  --e && f  # why\n\nfor x in 1 2; do\n  g $x/h\ndone\ni\n"
    expected = [["a.sh", "--b", "c d", "--e"], ["f"], ["g", "1/h"], ["g", "2/h"], ["i"]]
    assert read_commands(block) == expected


def test_blocks_know_their_section():
    text = "# hf_slt: t\n```bash\na\n```\n## S\n```python\nb\n```\n```bash\nc\n```\n```bash\nd\n```\n"
    assert [(str(block), block.text) for block in read_blocks("bash", text)] == [
        ("first screen-0", "a\n"),
        ("S-0", "c\n"),
        ("S-1", "d\n"),
    ]


def test_the_first_snippet_is_short_and_says_the_sentence_that_it_learnt(capsys):
    (block,) = (block for block in read_blocks("python") if not block.section)
    assert len([line for line in block.text.splitlines() if line]) <= 12
    exec(block.text, {})
    assert capsys.readouterr().out == "['the boy eats bread']\n"


def test_the_decoder_of_readme_is_accepted(monkeypatch):
    block = next(block.text for block in read_blocks("python") if "class MyDecoder(" in block.text)
    assert block == documented_decoder()
    module = types.ModuleType("decoder_of_readme")
    exec(block, vars(module))
    monkeypatch.setitem(sys.modules, "decoder_of_readme", module)
    sizes = {"vocab_size": 11, "d_model": 8, "num_layers": 1, "num_heads": 2, "dropout": 0.1}
    config = CustomDecoderConfig("decoder_of_readme:MyDecoder", **sizes, pad_token_id=0, eos_token_id=1)
    model = CustomDecoderForConditionalGeneration(config)
    check_decoder(model, ModelArguments().max_target_length)
    states = torch.randn(2, 5, 8)
    logits = model(encoder_outputs=(states,), decoder_input_ids=torch.tensor([[0, 3, 4], [0, 5, 6]])).logits
    assert logits.shape == (2, 3, 11)
    model.eval()
    repeated = model(encoder_outputs=(states,), decoder_input_ids=torch.full((2, 3), 4)).logits
    assert not torch.allclose(repeated[:, 0], repeated[:, 2], atol=1e-3)  # it tells the positions of a word apart
