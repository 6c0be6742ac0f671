"""CTC beside the decoder: its loss and its prefix scores against a sum over all alignments, and their use."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from model_factories import EOS, PAD, VOCABULARY, clip_of, inputs_of, tiny_batch, tiny_config, tiny_model

from hf_slt.errors import ConfigurationError
from hf_slt.models.multistream.ctc import CTCPrefixScorer, ctc_log_probs, ctc_loss
from hf_slt.models.multistream.modeling_multistream import MultiStreamForConditionalGeneration, sequence_loss

STATES, TOKENS = 4, 5  # small enough to list all 5 ** 4 paths


def sentences(log_probs: torch.Tensor) -> dict[tuple[int, ...], float]:
    """Return sentence -> probability, from every path through `log_probs (T', V)` (Graves et al. 2006, eq. 1-3)."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        merged = [token for token, _ in itertools.groupby(path)]
        sentence = tuple(token for token in merged if token != PAD)
        probability = math.exp(sum(float(log_probs[t, token]) for t, token in enumerate(path)))
        found[sentence] = found.get(sentence, 0.0) + probability
    return found


def random_logits(rows: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, STATES, TOKENS, generator=torch.Generator().manual_seed(seed)) * 2


def test_loss_is_that_of_all_alignments_and_leaves_out_eos_and_padding():
    logits = random_logits(2)
    labels = torch.tensor([[2, 2, EOS], [3, EOS, -100]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    first = sentences(logits[0].log_softmax(-1))[(2, 2)]
    second = sentences(logits[1, :2].log_softmax(-1))[(3,)]
    loss = ctc_loss(logits, mask, labels, PAD, EOS)
    assert loss.item() == pytest.approx(-(math.log(first) + math.log(second)) / 5, abs=1e-5)
    assert ctc_loss(logits, mask, labels, PAD, EOS, 10).item() == pytest.approx(loss.item() / 2, abs=1e-6)


def test_clip_too_short_for_its_labels_counts_as_zero():
    logits = random_logits().requires_grad_()
    labels = torch.tensor([[2, 2, 2, EOS]])  # needs 5 states
    loss = ctc_loss(logits, torch.ones(1, STATES, dtype=torch.long), labels, PAD, EOS)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("prefix", [(), (2,), (2, 2), (2, 3), (4, 2, 4)])
def test_prefix_scores_are_those_of_all_alignments(prefix: tuple[int, ...]):
    log_probs = random_logits().log_softmax(-1)
    found = sentences(log_probs[0])
    scorer = CTCPrefixScorer(log_probs, weight=1.0, blank=PAD, eos=EOS)
    input_ids = torch.tensor([[PAD, *prefix]])
    scores = scorer(input_ids, torch.zeros(1, TOKENS))[0].exp()

    def starting_with(start: tuple[int, ...]) -> float:
        return sum(probability for sentence, probability in found.items() if sentence[: len(start)] == start)

    assert scores[PAD] == 0
    assert scores[EOS].item() == pytest.approx(found[prefix] / starting_with(prefix), rel=1e-4)
    for token in range(2, TOKENS):
        expected = starting_with((*prefix, token)) / starting_with(prefix)
        assert scores[token].item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_padded_states_do_not_change_prefix_scores():
    logits = random_logits()
    padded = torch.cat((logits, torch.full((1, 3, TOKENS), 7.0)), dim=1)
    mask = torch.tensor([[1] * STATES + [0] * 3])
    prefix = torch.tensor([[2, 3]])
    alone = CTCPrefixScorer(logits.log_softmax(-1), 1.0, PAD, EOS).next_token_log_probs(prefix)
    in_batch = CTCPrefixScorer(ctc_log_probs(padded, mask, PAD), 1.0, PAD, EOS).next_token_log_probs(prefix)
    torch.testing.assert_close(in_batch, alone)


def test_weight_mixes_the_two_opinions():
    log_probs = random_logits().log_softmax(-1)
    input_ids, scores = torch.tensor([[PAD, 2]]), torch.randn(1, TOKENS, generator=torch.Generator().manual_seed(1))
    decoder, ctc, mixed = (CTCPrefixScorer(log_probs, w, PAD, EOS)(input_ids, scores) for w in (0.0, 1.0, 0.25))
    torch.testing.assert_close(decoder, scores.log_softmax(-1))
    torch.testing.assert_close(mixed, 0.75 * decoder + 0.25 * ctc)


def test_impossible_prefix_gives_finite_scores():
    scorer = CTCPrefixScorer(random_logits().log_softmax(-1), 1.0, PAD, EOS)
    assert torch.isfinite(scorer.next_token_log_probs(torch.tensor([[2, 2, 2, 3, EOS, PAD]]))).all()


def test_training_loss_is_a_mix_and_evaluation_loss_the_decoders():
    model, batch = tiny_model(["pose"], ctc_weight=0.25), tiny_batch(["pose"], lengths=(12, 9))
    evaluated, trained = model(**batch), model.train()(**batch)
    plain = sequence_loss(trained.logits, batch["labels"])
    assert evaluated.ctc_loss is None
    torch.testing.assert_close(evaluated.loss, plain)
    torch.testing.assert_close(trained.loss, 0.75 * plain + 0.25 * trained.ctc_loss)
    trained.ctc_loss.backward()
    assert model.ctc_head.weight.grad.abs().sum() > 0
    assert model.encoder.fusion.weight.grad.abs().sum() > 0


def test_there_is_no_head_without_a_weight():
    model = tiny_model(["pose"])
    assert model.ctc_head is None
    assert model.train()(**tiny_batch(["pose"])).ctc_loss is None


@pytest.mark.parametrize("num_beams", [1, 3])
def test_generation_follows_ctc_alone_at_weight_one(num_beams: int):
    batch = inputs_of(tiny_batch(["pose"], lengths=(12, 9)))
    model = tiny_model(["pose"], ctc_weight=0.5, ctc_decoding_weight=1.0)
    with torch.no_grad():
        model.ctc_head.weight.zero_()
        model.ctc_head.bias.fill_(-30.0)
        model.ctc_head.bias[7] = 0.0  # every state says 7: one token, then the end
    tokens = model.generate(**batch, num_beams=num_beams, max_new_tokens=6)
    assert tokens.tolist() == [[PAD, 7, EOS], [PAD, 7, EOS]]
    model.config.ctc_decoding_weight = 0.0
    assert model.generate(**batch, num_beams=num_beams, max_new_tokens=6).tolist() != tokens.tolist()


def test_joint_beams_are_the_same_alone_and_in_a_batch():
    model, batch = tiny_model(["pose"], gain=4.0, ctc_weight=0.5, temporal_stride=2), tiny_batch(["pose"], (12, 7))
    together = model.generate(**inputs_of(batch), num_beams=3, max_new_tokens=5, min_new_tokens=5)
    for index in range(2):
        alone = model.generate(**inputs_of(clip_of(batch, index)), num_beams=3, max_new_tokens=5, min_new_tokens=5)
        assert together[index].tolist() == alone[0].tolist()


def test_head_is_saved_and_resized(tmp_path):
    model = tiny_model(["pose"], ctc_weight=0.5)
    model.save_pretrained(tmp_path)
    loaded = MultiStreamForConditionalGeneration.from_pretrained(tmp_path)
    assert torch.equal(loaded.ctc_head.weight, model.ctc_head.weight)
    loaded.resize_token_embeddings(VOCABULARY + 3)
    assert loaded.ctc_head.out_features == VOCABULARY + 3
    assert torch.equal(loaded.ctc_head.weight[:VOCABULARY], model.ctc_head.weight)


@pytest.mark.parametrize("weights", [{"ctc_weight": 1.0}, {"ctc_weight": -0.1}, {"ctc_decoding_weight": 1.5}])
def test_weight_out_of_range_is_an_error(weights: dict[str, float]):
    with pytest.raises(ConfigurationError, match="expected ctc_weight in"):
        tiny_config(["pose"], **weights)
