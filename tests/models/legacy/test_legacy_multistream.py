"""Checkpoints of the older multi-stream tool: the same encoder states, and an account of every weight."""

import pytest
import torch
from legacy_factories import NaiveMultiStream, PatchMeans, randomized, write_multistream_checkpoint
from model_factories import tiny_batch
from transformers import AutoModel

from hf_slt.errors import ConfigurationError
from hf_slt.models.legacy.multistream import convert_multistream
from hf_slt.models.multistream.modeling_multistream import MultiStreamEncoder


@torch.no_grad()
def states_of_both(model, old, zero_images=False):
    batch = tiny_batch(lengths=(9, 5))
    del batch["labels"]
    if zero_images:
        batch = {name: value * (0 if "pixel" in name else 1) for name, value in batch.items()}
    streams = [batch[f"{s}_pixel_values"] for s in ("face", "left_hand", "right_hand")]
    mask = batch["attention_mask"].bool()
    return model(**batch).last_hidden_state[mask], old(*streams, batch["pose_values"], mask)[mask]


@pytest.mark.parametrize("options", [{}, {"dropout": True, "fusion_bias": False}], ids=["plain", "dropout, no bias"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_encoder_gives_the_same_states(options, prefix, tmp_path):
    old = randomized(NaiveMultiStream(**options))
    conversion = convert_multistream(write_multistream_checkpoint(tmp_path / "best.pt", old, prefix))
    conversion.model.save_pretrained(tmp_path / "model")
    model, info = AutoModel.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert type(model) is MultiStreamEncoder and not info["missing_keys"] and not info["unexpected_keys"]
    assert model.config.image_size == model.config.backbone_config.image_size == 16
    ours, expected = states_of_both(model.eval(), old)
    assert expected.std() > 0.5 and (ours - expected).abs().max() < 1e-5
    assert set(conversion.mapped) == set(old.state_dict()) and conversion.missing == []
    assert conversion.values == {"epoch": 4, "best_val": 1.5}
    assert set(conversion.dropped) == {"decoder_state", "optimizer_state"}
    assert conversion.sizes == {
        "num_pose_landmarks": 5,
        "projector_dim": 12,
        "d_model": 16,
        "temporal_layers": 2,
        "temporal_dim_feedforward": 20,
        "max_frames": 9,
        "image_size": 16,
    }
    assert ("fusion.bias" in conversion.filled) == bool(options)


def test_weights_that_were_stacked_name_all_their_places(tmp_path):
    conversion = convert_multistream(write_multistream_checkpoint(tmp_path / "a.pt", NaiveMultiStream()))
    assert conversion.mapped["hand_backbone_left.blocks.1.attn.in_proj_bias"] == ", ".join(
        f"backbones.left_hand.backbone.encoder.layer.1.attention.attention.{part}.bias"
        for part in ("query", "key", "value")
    )


def test_a_backbone_of_another_design_is_listed_and_the_rest_is_converted(tmp_path):
    old = randomized(NaiveMultiStream(PatchMeans))
    state = {**old.state_dict(), "mska_encoder.attention.weight": torch.zeros(1)}
    conversion = convert_multistream(write_multistream_checkpoint(tmp_path / "a.pt", state))
    unmapped = {name for name in state if "_backbone" in name}
    assert unmapped | {"mska_encoder.attention.weight", "decoder_state", "optimizer_state"} == set(conversion.dropped)
    assert "--backbone" in conversion.dropped["face_backbone.stem.weight"]
    assert conversion.missing and all(name.startswith("backbones.") for name in conversion.missing)
    assert conversion.model.config.backbone_config.hidden_size == 128
    for name, module in conversion.model.backbones.items():
        if name != "pose":  # both sides see features of zeros
            module.forward = lambda pixels, mask: pixels.new_zeros(*mask.shape, 128)
    for backbone in (old.face_backbone, old.hand_backbone_left, old.hand_backbone_right):
        backbone.forward = lambda crops: crops.new_zeros(len(crops), 128)
    ours, expected = states_of_both(conversion.model, old, zero_images=True)
    assert (ours - expected).abs().max() < 1e-5


def test_everything_that_does_not_fit_is_said_at_once(tmp_path):
    state = NaiveMultiStream().state_dict()
    del state["fusion.norm.bias"], state["positional.embedding.weight"]
    state |= {"gate.weight": torch.zeros(1), "face_projector.layers.4.bias": torch.zeros(12)}
    state["temporal.encoder.layers.1.norm2.weight"] = torch.zeros(17)
    with pytest.raises(ConfigurationError) as error:
        convert_multistream(write_multistream_checkpoint(tmp_path / "a.pt", state), num_heads=3)
    assert str(error.value).splitlines() == [
        "expected --num-heads to divide the width 16 of the file, found 3; as it was trained, one of [1, 2, 4, 8, 16]",
        "expected the weights of a MultiStreamEncoder, found 5 that do not fit:",
        "  no place for: face_projector.layers.4.bias, gate.weight",
        "  missing: fusion_norm.bias, positions.weight",
        "  wrong shape: temporal.encoder.layers.1.norm2.weight (17,) where (16,) fits",
    ]


def test_a_checkpoint_of_something_else(tmp_path):
    torch.save({"model": {"a": torch.zeros(1)}}, tmp_path / "a.pt")
    with pytest.raises(ConfigurationError, match="expected 'encoder_state' with the weights in .*, found model"):
        convert_multistream(tmp_path / "a.pt")
    path = write_multistream_checkpoint(tmp_path / "b.pt", {"pose_projector.layers.0.weight": torch.zeros(16)})
    with pytest.raises(ConfigurationError, match="x, y and confidence of each landmark in pose_projector, found 16"):
        convert_multistream(path)
