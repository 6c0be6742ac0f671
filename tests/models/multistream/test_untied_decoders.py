"""Text decoders whose output has a layer of its own: encoder and decoder share one table of embeddings, loaded too."""

import pytest
import torch
from model_factories import tiny_batch, tiny_model, tiny_text_config

from hf_slt.models.multistream.modeling_multistream import MultiStreamForConditionalGeneration


@pytest.mark.parametrize("kind", ["t5_untied", "bart", "mbart"])
def test_a_loaded_model_says_the_same(kind, tmp_path):
    text_config = tiny_text_config(kind)
    text_config.tie_word_embeddings = False
    model = tiny_model(("pose",), text_config=text_config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path)
    loaded, info = MultiStreamForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not set(info["missing_keys"]) | set(info["unexpected_keys"])
    batch = tiny_batch(("pose",))
    torch.testing.assert_close(loaded.eval()(**batch).logits, model(**batch).logits, rtol=0, atol=0)
    text_model = loaded.text_model
    assert text_model.get_decoder().embed_tokens.weight is text_model.get_input_embeddings().weight
    assert text_model.get_output_embeddings().weight is not text_model.get_input_embeddings().weight
