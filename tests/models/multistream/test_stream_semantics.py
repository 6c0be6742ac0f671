"""What masks, missing streams, shared hands and frozen backbones mean."""

import pytest
import torch
from model_factories import LANDMARKS, inputs_of, tiny_batch, tiny_model, tiny_resnet, tiny_vit
from transformers import Dinov2Config

from hf_slt.models.multistream.modeling_multistream import ImageStream, PoseStream
from hf_slt.streams import IMAGE_STREAMS, STREAMS


def encode(model, batch):
    """Return the encoder's states and each stream's projection."""
    projections = {}
    hooks = [
        projector.register_forward_hook(lambda _, __, output, stream=stream: projections.update({stream: output}))
        for stream, projector in model.encoder.projectors.items()
    ]
    with torch.no_grad():
        states = model.encoder(**inputs_of(batch)).last_hidden_state
    for hook in hooks:
        hook.remove()
    return states, projections


def with_hidden_frame(batch, stream, fill):
    hidden = {name: value.clone() for name, value in batch.items()}
    hidden[f"{stream}_mask"][0, 2] = 0
    hidden[f"{stream}_pixel_values"][0, 2] = fill
    return hidden


@pytest.mark.parametrize("stream", IMAGE_STREAMS)
def test_a_missing_crop_touches_that_stream_in_that_frame_only(stream):
    model, batch = tiny_model(), tiny_batch()
    states, projections = encode(model, batch)
    blank_states, blank = encode(model, with_hidden_frame(batch, stream, 0.0))
    garbage_states, _ = encode(model, with_hidden_frame(batch, stream, 1e3))
    assert torch.equal(blank_states, garbage_states)  # what stands under a mask of 0 is not read
    assert (blank_states[0] - states[0]).abs().max() > 1e-4
    assert torch.allclose(blank_states[1], states[1], atol=1e-6)
    for other in STREAMS:
        changed = (blank[other] - projections[other]).abs().amax(-1) > 1e-5  # (B, T)
        assert changed.nonzero().tolist() == ([[0, 2]] if other == stream else [])


def test_an_undetected_landmark_is_not_read_and_a_frame_without_any_is_missing():
    model, batch = tiny_model(("pose",)), tiny_batch(("pose",))
    batch["pose_mask"][0, 1, 3] = 0
    batch["pose_mask"][0, 4] = 0
    garbage = {name: value.clone() for name, value in batch.items()}
    garbage["pose_values"].unflatten(-1, (LANDMARKS, 3))[batch["pose_mask"] == 0] = 77.0
    (states, projections), (garbage_states, _) = encode(model, batch), encode(model, garbage)
    assert torch.equal(states, garbage_states)
    assert torch.equal(projections["pose"][0, 4], model.encoder.projectors["pose"].missing)
    assert not torch.equal(projections["pose"][0, 1], model.encoder.projectors["pose"].missing)


@pytest.mark.parametrize("stream", STREAMS)
def test_mask_of_ones_is_no_mask_and_mask_of_zeros_is_no_stream(stream):
    model, batch = tiny_model(), tiny_batch(lengths=(5, 5))
    values = "pose_values" if stream == "pose" else f"{stream}_pixel_values"
    states, _ = encode(model, batch)
    assert torch.equal(encode(model, {k: v for k, v in batch.items() if k != f"{stream}_mask"})[0], states)
    absent, _ = encode(model, {k: v for k, v in batch.items() if k not in (values, f"{stream}_mask")})
    masked, _ = encode(model, {**batch, f"{stream}_mask": torch.zeros_like(batch[f"{stream}_mask"])})
    assert torch.equal(absent, masked) and not torch.allclose(absent, states, atol=1e-4)


@pytest.mark.parametrize("absent", STREAMS)
@pytest.mark.parametrize("beams", [1, 2])
def test_a_model_of_four_streams_generates_from_three(absent, beams):
    model, batch = tiny_model(gain=8.0), inputs_of(tiny_batch(lengths=(5, 5)))
    masked = {**batch, f"{absent}_mask": torch.zeros_like(batch[f"{absent}_mask"])}
    given = {name: value for name, value in batch.items() if not name.startswith(absent)}
    expected = model.generate(**masked, max_new_tokens=5, num_beams=beams)
    assert torch.equal(model.generate(**given, max_new_tokens=5, num_beams=beams), expected)


def backbone_features(model, batch):
    """Return the features of each call of the hand backbone(s), in the order left, right."""
    features = []
    names = {model.encoder.backbone_name(stream) for stream in ("left_hand", "right_hand")}
    for name in sorted(names):
        model.encoder.backbones[name].register_forward_hook(lambda _, __, output: features.append(output))
    model.encoder(**inputs_of(batch))
    return features


def test_a_left_hand_looks_to_the_shared_backbone_like_the_mirrored_right_hand():
    model, batch = tiny_model(("left_hand", "right_hand")), tiny_batch(("left_hand", "right_hand"))
    batch["left_hand_pixel_values"] = batch["right_hand_pixel_values"].flip(-1)
    left, right = backbone_features(model, batch)
    assert list(model.encoder.backbones) == ["hand"]
    assert torch.equal(left, right)


def test_hands_with_their_own_backbones_are_not_mirrored():
    streams = ("left_hand", "right_hand")
    model, batch = tiny_model(streams, share_hand_backbone=False), tiny_batch(streams)
    batch["left_hand_pixel_values"] = batch["right_hand_pixel_values"]
    assert list(model.encoder.backbones) == ["left_hand", "right_hand"]
    model.encoder.backbones["left_hand"].load_state_dict(model.encoder.backbones["right_hand"].state_dict())
    left, right = backbone_features(model, batch)
    assert torch.equal(left, right)


def test_face_and_hands_with_different_backbones():
    model = tiny_model(face_backbone_config=tiny_vit(24), hand_backbone_config=tiny_resnet(), backbone_config=None)
    face, hand = model.encoder.backbones["face"], model.encoder.backbones["hand"]
    assert (face.backbone.config.model_type, face.feature_size) == ("vit", 24)
    assert (hand.backbone.config.model_type, hand.feature_size) == ("resnet", 16)
    model(**tiny_batch()).loss.backward()
    assert face.backbone.embeddings.cls_token.grad.abs().max() > 0


def test_backbones_run_on_real_frames_only():
    model, batch = tiny_model(("face",)), tiny_batch(("face",), lengths=(6, 3), missing=True)
    counts = []
    model.encoder.backbones["face"].backbone.register_forward_pre_hook(lambda _, args: counts.append(len(args[0])))
    model.encoder(**inputs_of(batch))
    assert counts == [8]  # 6 + 3 frames, one of them without a face
    batch["face_mask"][:] = 0
    assert torch.isfinite(model.encoder(**inputs_of(batch)).last_hidden_state).all() and counts == [8]


@pytest.mark.parametrize("backbone", [tiny_vit(), tiny_resnet()], ids=["vit", "resnet"])
def test_frozen_backbone_neither_learns_nor_moves_its_statistics(backbone):
    model = tiny_model(("face", "pose"), freeze_backbone=True, backbone_config=backbone).train()
    stream = model.encoder.backbones["face"]
    assert not stream.backbone.training and not any(module.training for module in stream.backbone.modules())
    assert model.encoder.backbones["pose"].training and model.text_model.training
    before = {name: value.clone() for name, value in stream.backbone.state_dict().items()}
    model(**tiny_batch(("face", "pose"))).loss.backward()
    assert all(p.grad is None and not p.requires_grad for p in stream.backbone.parameters())
    assert all(torch.equal(value, before[name]) for name, value in stream.backbone.state_dict().items())
    assert model.encoder.projectors["face"].linear.weight.grad.abs().max() > 0


def test_unfrozen_convolutional_backbone_learns_and_moves_its_statistics():
    model = tiny_model(("face",), backbone_config=tiny_resnet()).train()
    backbone = model.encoder.backbones["face"].backbone
    before = {name: value.clone() for name, value in backbone.state_dict().items() if "running_mean" in name}
    model(**tiny_batch(("face",))).loss.backward()
    assert all(not torch.equal(backbone.state_dict()[name], value) for name, value in before.items())
    assert all(p.grad is not None for p in backbone.parameters())


def test_pooling_of_a_transformer_backbone():
    config = tiny_model(("face",)).config
    pixels, mask = torch.randn(1, 2, 3, 16, 16), torch.ones(1, 2, dtype=torch.bool)
    for pooling in ("mean", "cls"):
        config.backbone_pooling = pooling
        stream = ImageStream(config, config.backbone_config).eval()
        tokens = stream.backbone(pixels[0]).last_hidden_state
        expected = tokens[:, 0] if pooling == "cls" else tokens.mean(1)
        assert torch.equal(stream(pixels, mask)[0], expected)


def test_dinov2_backbone_of_another_image_size():
    dino = Dinov2Config(image_size=28, patch_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    output = tiny_model(("face",), backbone_config=dino)(**tiny_batch(("face",)))
    assert torch.isfinite(output.loss)


def test_pose_motion_is_the_difference_in_head_units_of_points_seen_in_both_frames():
    config = tiny_model(("pose",)).config
    stream = PoseStream(config).eval()
    inputs = []
    stream.mlp.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    values = torch.full((1, 3, LANDMARKS, 3), 0.5)
    values[0, :, 0, :2] = torch.tensor([[0.5, 0.5], [0.6, 0.6], [0.9, 0.9]])
    mask = torch.ones(1, 3, LANDMARKS, dtype=torch.bool)
    mask[0, 2, 0] = False
    stream(values.flatten(2), mask)
    assert inputs[0].shape == (1, 3, 6 * LANDMARKS)
    motion = inputs[0][0, :, 4 * LANDMARKS :].unflatten(-1, (LANDMARKS, 2))
    # The signing space is 6 head units wide and 7 tall.
    assert torch.allclose(motion[:, 0], torch.tensor([[0.0, 0.0], [0.6, 0.7], [0.0, 0.0]]), atol=1e-6)
    assert motion[:, 1:].abs().max() == 0
    config.pose_motion = False
    assert PoseStream(config).mlp[0].in_features == 4 * LANDMARKS
