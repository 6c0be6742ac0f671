"""The InceptionV3-GRU classifier, beyond what all classifiers are tested for.

torchvision is not installed beside the CPU build of torch: where frames are encoded, a tiny network takes the place of
InceptionV3 (`build_backbone` is replaced).
"""

import sys
from types import SimpleNamespace

import pytest
import torch
from models.gloss.classifier_mixin import GlossClassifierMixin, gloss_batch, inputs_of
from torch import nn

from hf_slt.errors import ConfigurationError, DimensionMismatchError, MissingDependencyError
from hf_slt.models.inception_gru import modeling_inception_gru
from hf_slt.models.inception_gru.configuration_inception_gru import InceptionGRUConfig
from hf_slt.models.inception_gru.modeling_inception_gru import InceptionGRUForGlossClassification, build_backbone


class TestInceptionGRU(GlossClassifierMixin):
    config_class = InceptionGRUConfig
    model_class = InceptionGRUForGlossClassification
    sizes = {"gru_hidden_sizes": (9, 8), "hidden_dropout_prob": 0.1}

    @pytest.mark.parametrize("pooling", ["last", "mean", "max"])
    def test_pooling_looks_at_real_frames_in_their_order(self, pooling):
        model, batch = self.tiny_model(pooling=pooling), inputs_of(gloss_batch(garbage=9.0))
        output = model(**batch, output_hidden_states=True)
        assert [tuple(states.shape) for states in output.hidden_states] == [(6, 6, 9), (6, 6, 8)]  # 6 frames are real
        for index, mask in enumerate(batch["attention_mask"].bool()):
            states = batch["input_values"][index][mask]
            for gru in model.grus:
                states = gru(states)[0]
            pooled = {"last": states[-1], "mean": states.mean(0), "max": states.amax(0)}[pooling]
            assert (model.heads.gloss(pooled) - output.gloss_logits[index]).abs().max() < 1e-5
            assert not output.hidden_states[1][index, len(states) :].any()

    def test_a_clip_of_equal_lengths_is_not_packed(self):
        model, values = self.tiny_model(pooling="max"), torch.randn(2, 5, 6)
        states = model(values, output_hidden_states=True).hidden_states
        assert [tuple(state.shape) for state in states] == [(2, 5, 9), (2, 5, 8)]

    def test_dropout_is_behind_each_gru(self):
        model, batch = self.tiny_model(hidden_dropout_prob=0.5).train(), inputs_of(gloss_batch((8,) * 6))
        torch.manual_seed(0)
        states = model(**batch, output_hidden_states=True).hidden_states
        assert all(0.3 < (state[batch["attention_mask"].sum(1) == 7] == 0).float().mean() < 0.7 for state in states)


def test_the_default_model_is_a_small_one():
    model = InceptionGRUForGlossClassification(InceptionGRUConfig())
    assert [(gru.input_size, gru.hidden_size) for gru in model.grus] == [(2048, 16), (16, 12)]
    assert (model.heads.gloss.in_features, model.heads.category.out_features) == (12, 10)
    assert model.dropout.p == 0.3 and model.num_parameters() == 101_743


def test_configuration_lists_all_that_cannot_work():
    with pytest.raises(ConfigurationError, match=r"pooling .*'last'.*, found 'cls'; expected gru_hidden_sizes .*\[\]"):
        InceptionGRUConfig(pooling="cls", gru_hidden_sizes=[])


class TinyBackbone(nn.Module):
    """Frames `(N, 3, P, P)` -> features `(N, 6)`, with batch statistics as InceptionV3 has them."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 2), nn.BatchNorm2d(6)
        self.calls = []

    def forward(self, frames):
        self.calls.append(len(frames))
        return self.norm(self.conv(frames)).mean(dim=(2, 3))


@pytest.fixture
def built(monkeypatch):
    """Backbones that were built, with what `build_backbone` was asked for."""
    backbones = []

    def build(pretrained):
        torch.manual_seed(5)
        backbones.append((TinyBackbone(), pretrained))
        return backbones[-1][0]

    monkeypatch.setattr(modeling_inception_gru, "build_backbone", build)
    return backbones


def frames_model(**overrides):
    torch.manual_seed(0)
    config = InceptionGRUConfig(input_size=6, gru_hidden_sizes=[8], num_labels=5, num_categories=3, **overrides)
    return InceptionGRUForGlossClassification(config)


def frames_batch():
    batch = gloss_batch()
    del batch["input_values"]
    return {**batch, "pixel_values": torch.randn(6, 7, 3, 4, 4)}


def test_features_never_build_a_backbone(built):
    for overrides in ({}, {"freeze_backbone": False}, {"train_from_frames": True}):
        frames_model(**overrides)(**gloss_batch())
    assert built == []


@pytest.mark.parametrize("train_from_frames", [False, True])
def test_a_frozen_backbone_is_built_once_by_the_first_frames_and_stays_as_it_is(built, train_from_frames, tmp_path):
    model, batch = frames_model(train_from_frames=train_from_frames).train(), frames_batch()
    model(**batch).loss.backward()
    [(backbone, pretrained)] = built
    assert pretrained is True
    model.eval()
    model.train()
    model(**batch)
    assert len(built) == 1 and backbone.calls == [23, 23]  # real frames only
    assert not any(module.training for module in backbone.modules())
    assert all(parameter.grad is None for parameter in backbone.parameters())
    assert backbone.norm.num_batches_tracked == 0
    assert not [name for name in model.state_dict() if "backbone" in name]
    model.eval().save_pretrained(tmp_path)
    loaded = InceptionGRUForGlossClassification.from_pretrained(tmp_path).eval()
    assert loaded.config.use_pretrained_backbone is True
    assert torch.equal(loaded(**batch).gloss_logits, model(**batch).gloss_logits)


def test_frames_are_encoded_in_chunks_and_where_they_are_real(built, monkeypatch):
    model, batch = frames_model(use_pretrained_backbone=False).eval(), frames_batch()
    expected = model(**batch)
    monkeypatch.setattr(modeling_inception_gru, "FRAMES_A_CHUNK", 8)
    batch["pixel_values"][batch["attention_mask"] == 0] = float("nan")
    assert torch.allclose(model(**batch).gloss_logits, expected.gloss_logits, atol=1e-6)
    backbone, pretrained = built[0]
    assert backbone.calls == [23, 8, 8, 7] and pretrained is False
    features = backbone(batch["pixel_values"].nan_to_num().flatten(0, 1)).view(6, 7, 6)
    same = model(features, batch["attention_mask"])
    assert torch.allclose(same.gloss_logits, expected.gloss_logits, atol=1e-5)


def test_clips_without_a_real_frame_need_no_backbone(built):
    model, batch = frames_model().eval(), frames_batch()
    batch["attention_mask"].zero_()
    expected = model(torch.zeros(1, 1, 6)).gloss_logits.expand(6, -1)
    assert torch.allclose(model(**batch).gloss_logits, expected) and built == []


def test_a_trained_backbone_belongs_to_the_model(built, tmp_path):
    model, batch = frames_model(freeze_backbone=False, train_from_frames=True).train(), frames_batch()
    assert [pretrained for _, pretrained in built] == [True]
    model(**batch).loss.backward()
    backbone = built[0][0]
    assert backbone.training and backbone.norm.num_batches_tracked == 1
    assert all(parameter.grad.any() for name, parameter in backbone.named_parameters() if name != "conv.bias")
    with torch.no_grad():
        backbone.conv.weight.add_(1)
    expected = model.eval()(**batch).gloss_logits
    model.save_pretrained(tmp_path)
    loaded = InceptionGRUForGlossClassification.from_pretrained(tmp_path).eval()
    assert torch.equal(loaded(**batch).gloss_logits, expected)
    assert [pretrained for _, pretrained in built] == [True, False], "ImageNet's weights are fetched to be replaced"


def test_a_backbone_that_is_to_be_trained_has_to_be_there_from_the_start(built):
    with pytest.raises(ConfigurationError, match="freeze_backbone is off; set train_from_frames, or freeze_backbone"):
        frames_model(freeze_backbone=False)(**frames_batch())
    assert built == []


def test_errors_of_wrong_inputs_name_what_was_found(built):
    model, batch = frames_model(), frames_batch()
    with pytest.raises(ConfigurationError, match="either input_values or pixel_values, found none"):
        model(attention_mask=batch["attention_mask"])
    with pytest.raises(ConfigurationError, match="either input_values or pixel_values, found both"):
        model(**batch, input_values=torch.zeros(6, 7, 6))
    with pytest.raises(DimensionMismatchError, match=r"\(B, T, 3, 299, 299\), found \(6, 7, 4, 4, 3\)"):
        model(pixel_values=batch["pixel_values"].movedim(2, -1))
    with pytest.raises(ConfigurationError, match=r"attention_mask \(B, T\) = \(6, 7\), found \(6, 3\)"):
        model(pixel_values=batch["pixel_values"], attention_mask=torch.ones(6, 3))
    wide = InceptionGRUForGlossClassification(InceptionGRUConfig(input_size=9))
    with pytest.raises(DimensionMismatchError, match="a backbone with 9 features, found 6; set input_size"):
        wide(pixel_values=batch["pixel_values"])


class TorchvisionModels:
    """Stands for `torchvision.models`: keeps what `inception_v3` was called with."""

    def __init__(self):
        self.calls = []
        self.Inception_V3_Weights = SimpleNamespace(IMAGENET1K_V1="imagenet")

    def inception_v3(self, **kwargs):
        self.calls.append(kwargs)
        network = nn.Module()
        network.fc, network.AuxLogits, network.aux_logits = nn.Linear(4, 3), nn.Linear(4, 3), True
        network.stem = nn.Linear(5, 4)
        return network


def test_the_real_backbone_is_inception_v3_without_its_classifiers(monkeypatch):
    models = TorchvisionModels()
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(models=models))
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = build_backbone(pretrained=False)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again = build_backbone(pretrained=False)
    assert torch.equal(first.stem.weight, again.stem.weight), "a reloaded model would compute other features"
    build_backbone(pretrained=True)
    common = {"transform_input": True}
    random, pretrained = {"weights": None, "init_weights": True}, {"weights": "imagenet", "init_weights": False}
    assert models.calls == [{**common, **random}, {**common, **random}, {**common, **pretrained}]
    assert isinstance(first.fc, nn.Identity) and first.AuxLogits is None and first.aux_logits is False


def test_without_torchvision_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(MissingDependencyError, match=r"'torchvision'.*pip install 'hf_slt\[vision\]'"):
        frames_model()(pixel_values=torch.zeros(1, 1, 3, 299, 299))
