"""The translation model: streams, losses, gradients, decoders, saving."""

import math
from itertools import combinations

import pytest
import torch
from model_factories import DECODERS, LANDMARKS, PAD, VOCABULARY, inputs_of, tiny_batch, tiny_model, tiny_text_config
from torch.nn import functional as F

from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig, small_t5_config
from hf_slt.models.multistream.modeling_multistream import (
    MultiStreamForConditionalGeneration,
    sequence_loss,
    shift_right,
)
from hf_slt.streams import STREAMS

SUBSETS = [streams for count in range(1, 5) for streams in combinations(STREAMS, count)]


@pytest.mark.parametrize("streams", SUBSETS, ids="+".join)
def test_every_subset_of_streams_trains_and_generates(streams):
    model = tiny_model(streams).train()
    batch = tiny_batch(streams, missing=True)
    output = model(**batch)
    assert output.logits.shape == (2, 5, VOCABULARY)
    assert output.encoder_last_hidden_state.shape == (2, 6, 16)
    output.loss.backward()
    # The softmax of attention does not depend on the bias of the keys.
    idle = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        and not name.endswith("key.bias")
        and (parameter.grad is None or not parameter.grad.abs().max() > 0)
    ]
    assert idle == []
    generated = model.eval().generate(**inputs_of(batch), max_new_tokens=3, min_new_tokens=3)
    assert generated.shape == (2, 4) and generated[:, 0].tolist() == [PAD, PAD]


def test_only_the_layers_of_the_unused_text_encoder_are_gone():
    model = tiny_model(("pose",))
    assert len(model.text_model.encoder.block) == 0 and len(model.text_model.decoder.block) == 2
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    assert frozen == ["text_model.encoder.final_layer_norm.weight"]


def test_loss_is_the_cross_entropy_of_the_real_target_tokens():
    model, batch = tiny_model(("pose",)), tiny_batch(("pose",), target_lengths=(5, 2))
    output = model(**batch)
    log_probabilities = output.logits.log_softmax(-1)
    picked = [log_probabilities[b, n, batch["labels"][b, n]] for b, length in ((0, 5), (1, 2)) for n in range(length)]
    assert output.loss.item() == pytest.approx(-sum(picked).item() / 7, abs=1e-5)
    as_one_of_three = model(**batch, num_items_in_batch=21).loss
    assert as_one_of_three.item() == pytest.approx(output.loss.item() / 3, abs=1e-5)


def test_sequence_loss_ignores_minus_100_and_smooths():
    logits, labels = torch.randn(2, 3, 7), torch.tensor([[1, 2, -100], [3, -100, -100]])
    plain = sequence_loss(logits, labels)
    changed = logits.clone()
    changed[labels == -100] = 50.0
    assert torch.equal(sequence_loss(changed, labels), plain)
    uniform = -logits.log_softmax(-1).mean(-1)[labels != -100].mean()
    assert torch.allclose(sequence_loss(logits, labels, label_smoothing=0.1), 0.9 * plain + 0.1 * uniform)
    assert torch.allclose(sequence_loss(logits, labels, num_items_in_batch=torch.tensor(3)), plain)


def test_shift_right_starts_and_pads():
    labels = torch.tensor([[5, 6, 1], [7, 1, -100], [1, -100, -100]])
    assert shift_right(labels, pad_token_id=0, start_token_id=9).tolist() == [[9, 5, 6], [9, 7, 1], [9, 1, 0]]


def test_decoder_inputs_of_the_collator_and_of_the_model_give_the_same_loss():
    model, batch = tiny_model(("pose",)), tiny_batch(("pose",))
    shifted = model.prepare_decoder_input_ids_from_labels(batch["labels"])
    assert torch.equal(model(**batch, decoder_input_ids=shifted).loss, model(**batch).loss)


@pytest.mark.parametrize("seed", range(3))
def test_loss_starts_at_the_logarithm_of_the_vocabulary(seed):
    torch.manual_seed(seed)
    text_config = small_t5_config(vocab_size=500, d_model=256)
    model = MultiStreamForConditionalGeneration(
        MultiStreamConfig(streams=["pose"], num_pose_landmarks=LANDMARKS, text_config=text_config)
    ).train()
    batch = tiny_batch(("pose",), lengths=(12,) * 8, target_lengths=(12,) * 8)
    batch["labels"] = torch.randint(2, 500, batch["labels"].shape)
    assert model(**batch).loss.item() == pytest.approx(math.log(500), rel=0.15)


@pytest.mark.parametrize("streams", [("pose",), ("left_hand", "right_hand")], ids="+".join)
def test_eight_clips_can_be_overfitted(streams):
    model = tiny_model(streams).train()
    batch = tiny_batch(streams, lengths=(6, 5, 6, 4, 6, 6, 5, 6), target_lengths=(5,) * 8)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(150):
        optimizer.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if loss < 0.05:
            break
    assert loss.item() < 0.1
    batch["labels"][:, -1] = 1
    generated = model.eval().generate(**inputs_of(batch), max_new_tokens=4)
    assert torch.equal(generated[:, 1:5], batch["labels"][:, :4])


@pytest.mark.parametrize("decoder", DECODERS)
def test_decoders_train_generate_and_survive_saving(decoder, tmp_path):
    model = tiny_model(("pose",), text_config=tiny_text_config(decoder))
    batch = tiny_batch(("pose",))
    expected = model(**batch)
    generated = model.generate(**inputs_of(batch), max_new_tokens=4, num_beams=2)
    model.save_pretrained(tmp_path)
    loaded, info = MultiStreamForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert torch.equal(loaded(**batch).logits, expected.logits)
    assert torch.equal(loaded.generate(**inputs_of(batch), max_new_tokens=4, num_beams=2), generated)
    for one in (model, loaded):
        tied = one.get_output_embeddings().weight.data_ptr() == one.get_input_embeddings().weight.data_ptr()
        assert tied is (decoder != "t5_untied")
    assert list(tmp_path.glob("*.safetensors")) and not list(tmp_path.glob("*.bin"))


def test_tied_embeddings_stay_tied_while_training_and_untied_ones_part():
    for decoder, stays_equal in (("t5", True), ("t5_untied", False)):
        model = tiny_model(("pose",), text_config=tiny_text_config(decoder)).train()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(**tiny_batch(("pose",))).loss.backward()
        optimizer.step()
        same = torch.equal(model.get_input_embeddings().weight, model.get_output_embeddings().weight)
        assert same is stays_equal


def test_resized_vocabulary_is_in_the_configuration():
    model = tiny_model(("pose",))
    model.resize_token_embeddings(50)
    assert model.config.text_config.vocab_size == model.config.vocab_size == 50
    assert model(**tiny_batch(("pose",))).logits.shape[-1] == 50


def test_widths_that_differ_need_the_bridge():
    wide = tiny_text_config(d_model=24)
    with pytest.raises(DimensionMismatchError, match=r"d_model 16 and decoder width 24.*--bridge"):
        tiny_model(("pose",), text_config=wide)
    model, batch = tiny_model(("pose",), text_config=wide, bridge=True), tiny_batch(("pose",))
    output = model(**batch)
    assert output.encoder_last_hidden_state.shape == (2, 6, 24)
    output.loss.backward()
    assert model.bridge.weight.grad.abs().max() > 0
    assert model.generate(**inputs_of(batch), max_new_tokens=2, num_beams=2).shape[0] == 2


def test_errors_of_wrong_inputs_name_what_was_found():
    model, batch = tiny_model(), tiny_batch()
    with pytest.raises(
        ConfigurationError, match=r"expected at least one of the inputs \['face_pixel_values', .*found none"
    ):
        model(labels=batch["labels"])
    with pytest.raises(
        DimensionMismatchError, match=r"expected pose_values \(B, T, 15\) for 5 landmarks, found \(2, 6, 12\)"
    ):
        model.encoder(pose_values=torch.zeros(2, 6, 12))
    with pytest.raises(ConfigurationError, match=r"same number of clips and frames.*'pose_values': \(2, 5\)"):
        model.encoder(face_pixel_values=batch["face_pixel_values"], pose_values=batch["pose_values"][:, :5])
    with pytest.raises(ConfigurationError, match=r"'attention_mask': \(2, 3\)"):
        model.encoder(pose_values=batch["pose_values"], attention_mask=torch.ones(2, 3))


def test_outputs_as_tuples_and_hidden_states():
    model, batch = tiny_model(("pose",)), inputs_of(tiny_batch(("pose",)))
    output = model.encoder(**batch, output_hidden_states=True)
    assert len(output.hidden_states) == 3 and torch.equal(output.hidden_states[-1], output.last_hidden_state)
    states, mask = model.encoder(**batch, return_dict=False)
    assert torch.equal(states, output.last_hidden_state) and torch.equal(mask, batch["attention_mask"])


def test_gradient_checkpointing_changes_neither_loss_nor_gradients():
    batch = tiny_batch(missing=True)
    results = []
    for checkpointing in (False, True):
        model = tiny_model().train()
        if checkpointing:
            model.gradient_checkpointing_enable()
            assert model.is_gradient_checkpointing and model.encoder.layers[0].gradient_checkpointing
        loss = model(**batch).loss
        loss.backward()
        results.append((loss, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}))
    (loss, gradients), (same_loss, same_gradients) = results
    assert torch.allclose(loss, same_loss) and gradients.keys() == same_gradients.keys()
    assert all(torch.allclose(gradients[name], same_gradients[name], atol=1e-6) for name in gradients)


@pytest.mark.parametrize("frozen", [False, True])
def test_bfloat16_autocast_trains_and_generates(frozen):
    model, batch = tiny_model(freeze_backbone=frozen).train(), tiny_batch(missing=True)
    expected = model(**batch).loss
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(**batch).loss
    loss.backward()
    assert loss.dtype == torch.float32 and loss.item() == pytest.approx(expected.item(), rel=0.05)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.eval().generate(**inputs_of(batch), max_new_tokens=2).shape[0] == 2


def test_two_accumulated_halves_give_the_gradient_of_the_whole():
    batch = tiny_batch(("pose",), lengths=(6, 4, 5, 6), target_lengths=(5, 2, 3, 4))
    model = tiny_model(("pose",))
    model(**batch).loss.backward()
    whole = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    for half in (slice(0, 2), slice(2, 4)):
        model(**{name: value[half] for name, value in batch.items()}, num_items_in_batch=14).loss.backward()
    assert all(torch.allclose(p.grad, whole[name], atol=1e-6) for name, p in model.named_parameters() if name in whole)


def test_unused_stream_inputs_are_not_read():
    model, batch = tiny_model(("pose",)), tiny_batch()
    assert torch.equal(model(**batch).loss, model(**tiny_batch(("pose",))).loss)
    assert F.mse_loss(batch["pose_values"], tiny_batch(("pose",))["pose_values"]) == 0
