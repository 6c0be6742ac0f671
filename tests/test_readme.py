"""What README shows as code works as it stands there."""

import re
import sys
import types
from pathlib import Path

import torch
from custom_decoders import documented_decoder

from hf_slt.models.custom_decoder.configuration_custom_decoder import CustomDecoderConfig
from hf_slt.models.custom_decoder.decoder_check import check_decoder
from hf_slt.models.custom_decoder.modeling_custom_decoder import CustomDecoderForConditionalGeneration
from hf_slt.training.arguments import ModelArguments

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_decoder_of_readme_is_accepted(monkeypatch):
    block = next(b for b in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "class MyDecoder(" in b)
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
