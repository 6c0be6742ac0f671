"""`generate()`: strategies, cache, memory."""

import pytest
import torch
from model_factories import DECODERS, EOS, inputs_of, tiny_batch, tiny_model, tiny_text_config

from hf_slt.models.multistream.generation import ENCODER_INPUTS

OPTIONS = {"max_new_tokens": 6}


@pytest.fixture
def model():
    return tiny_model(gain=8.0)


@pytest.fixture
def inputs():
    return inputs_of(tiny_batch(seed=3, missing=True))


def test_greedy_is_the_argmax_step_by_step(inputs):
    words = set()
    for seed in range(4):  # which words a model says depends on the version of torch
        model = tiny_model(gain=30.0, seed=seed)
        tokens = torch.zeros(2, 1, dtype=torch.long)
        with torch.no_grad():
            for _ in range(4):
                logits = model(**inputs, decoder_input_ids=tokens, use_cache=False).logits[:, -1]
                logits[:, EOS] = -torch.inf
                tokens = torch.cat((tokens, logits.argmax(-1, keepdim=True)), dim=1)
        generated = model.generate(**inputs, max_new_tokens=4, min_new_tokens=4)
        assert torch.equal(generated[:, :4], tokens[:, :4])
        words |= set(tokens[:, 1:].flatten().tolist())
    assert len(words) > 1


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("beams", [1, 3])
def test_cache_changes_nothing(decoder, beams, inputs):
    model = tiny_model(gain=8.0, text_config=tiny_text_config(decoder))
    cached = model.generate(**inputs, **OPTIONS, num_beams=beams, use_cache=True)
    assert torch.equal(cached, model.generate(**inputs, **OPTIONS, num_beams=beams, use_cache=False))


def test_sampling_follows_the_seed(model, inputs):
    samples = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        samples.append(model.generate(**inputs, max_new_tokens=8, min_new_tokens=8, do_sample=True, top_k=0))
    assert torch.equal(samples[0], samples[1]) and not torch.equal(samples[0], samples[2])


def test_beams_find_a_likelier_sentence_than_greedy(model, inputs):
    def score(**options):
        output = model.generate(**inputs, **OPTIONS, return_dict_in_generate=True, output_scores=True, **options)
        return model.compute_transition_scores(
            output.sequences, output.scores, getattr(output, "beam_indices", None), normalize_logits=True
        ).sum(-1)

    assert (score(num_beams=8, length_penalty=0.0) >= score() - 1e-5).all()


def test_length_penalty_favours_longer_sentences(model, inputs):
    with torch.no_grad():  # make the end of the sentence a likely token
        model.get_output_embeddings().weight[EOS] *= 2
    lengths = {
        penalty: model.generate(**inputs, max_new_tokens=12, num_beams=6, length_penalty=penalty).ne(0).sum().item()
        for penalty in (-10.0, 10.0)
    }
    assert lengths[-10.0] < lengths[10.0]


def test_several_sentences_a_clip(model, inputs):
    sequences = model.generate(**inputs, **OPTIONS, num_beams=4, num_return_sequences=3)
    assert len(sequences) == 6 and len({tuple(row) for row in sequences[:3].tolist()}) == 3


@pytest.mark.parametrize("options", [{"num_beams": 4}, {"do_sample": True, "num_return_sequences": 4}])
def test_beams_share_the_encoder_output_and_no_pixel_is_copied(model, inputs, options, monkeypatch):
    expand = model._expand_inputs_for_generation
    expanded = []

    def spy(*args, **kwargs):
        result = expand(*args, **kwargs)
        expanded.append(result[1])
        return result

    monkeypatch.setattr(model, "_expand_inputs_for_generation", spy)
    model.generate(**inputs, **OPTIONS, **options)
    assert len(expanded) == 1
    assert not set(expanded[0]) & set(ENCODER_INPUTS)
    assert expanded[0]["attention_mask"].shape == (8, 6)
    assert expanded[0]["encoder_outputs"].last_hidden_state.shape == (8, 6, 16)
    assert expanded[0]["encoder_outputs"].attention_mask.shape == (8, 6)


def test_encoder_runs_once_a_batch(model, inputs):
    calls = []
    model.encoder.register_forward_hook(lambda *_: calls.append(1))
    model.generate(**inputs, **OPTIONS, num_beams=3)
    assert len(calls) == 1


def test_encoder_output_can_be_reused(model, inputs):
    encoded = model.encoder(**inputs)
    expected = model.generate(**inputs, **OPTIONS)
    assert torch.equal(model.generate(encoder_outputs=encoded, **OPTIONS), expected)
    mask = inputs["attention_mask"]
    assert torch.allclose(
        model(encoder_outputs=(encoded[0],), attention_mask=mask, decoder_input_ids=expected).logits,
        model(**inputs, decoder_input_ids=expected).logits,
    )
