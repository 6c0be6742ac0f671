"""Checkpoints of the older gloss tool: the same logits, and an account of every weight."""

import sys

import pytest
import torch
from legacy_factories import NaiveGRU, NaiveTransformer, randomized, write_gloss_checkpoint
from torch import nn

from hf_slt.errors import ConfigurationError, MissingDependencyError
from hf_slt.models.inception_gru import modeling_inception_gru
from hf_slt.models.legacy.gloss import convert_gloss, gloss_feature_extractor, is_sinusoidal

LENGTHS = torch.tensor([9, 4, 1])


def clips(inputs):
    values = torch.randn(3, 9, inputs, generator=torch.Generator().manual_seed(3))
    return values, torch.arange(9) < LENGTHS[:, None]


@torch.no_grad()
def largest_difference(model, old, inputs):
    values, mask = clips(inputs)
    output, (gloss, category) = model(values, mask), old(values, mask)
    assert gloss.abs().max() > 0.1
    return max((output.gloss_logits - gloss).abs().max(), (output.category_logits - category).abs().max())


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
@pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
def test_a_transformer_gives_the_same_logits(pooling, prefix, tmp_path):
    old = randomized(NaiveTransformer(pooling))
    path = write_gloss_checkpoint(tmp_path / "SignTransformer_best.pt", old, prefix)
    conversion = convert_gloss(path, pooling=pooling, num_heads=4)
    assert largest_difference(conversion.model, old, 6) < 1e-6
    assert conversion.values == {"epoch": 7, "best_metric": 0.75}
    assert conversion.dropped == {"pos_encoder.pe": "sinusoidal positions are computed"}
    assert {*conversion.mapped, *conversion.dropped} == set(old.state_dict())
    assert set(conversion.mapped.values()) == set(conversion.model.state_dict())


@pytest.mark.parametrize("sizes", [{}, {"inputs": 2048, "size": 24, "heads": 3, "hidden": 7, "layers": 3}], ids=str)
def test_sizes_are_read_from_the_weights(sizes, tmp_path):
    given = {"inputs": 156, "size": 16, "heads": 4, "hidden": 24, "layers": 1, **sizes}
    old = randomized(NaiveTransformer("mean", glosses=11, categories=2, head_hidden=9, **given))
    conversion = convert_gloss(write_gloss_checkpoint(tmp_path / "a.pt", old), num_heads=given["heads"])
    assert largest_difference(conversion.model, old, given["inputs"]) < 5e-6
    assert conversion.sizes == {
        "input_size": given["inputs"],
        "hidden_size": given["size"],
        "num_hidden_layers": given["layers"],
        "intermediate_size": given["hidden"],
        "head_hidden_size": 9,
        "num_labels": 11,
        "num_categories": 2,
    }


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_file_of_half_precision_gives_a_model_of_single_precision(dtype, tmp_path):
    old = randomized(NaiveTransformer("mean")).to(dtype)
    path = write_gloss_checkpoint(tmp_path / "a.pt", old)
    model = convert_gloss(path, num_heads=4).model
    assert model.dtype == torch.float32
    assert largest_difference(model, old.float(), 6) < 10 * torch.finfo(dtype).eps
    path = write_gloss_checkpoint(path, {**old.state_dict(), "pos_encoder.pe": old.pos_encoder.pe + 0.02})
    with pytest.raises(ConfigurationError, match="expected sinusoidal positions in pos_encoder.pe, found others"):
        convert_gloss(path, num_heads=4)


def test_positions_of_whole_numbers_are_not_sinusoidal():
    assert not is_sinusoidal(torch.zeros(1, 4, 8, dtype=torch.long))


def test_weights_that_diverged_are_named(tmp_path):
    old = NaiveTransformer("mean")
    with torch.no_grad():
        old.embedding.bias[0], old.encoder_layers[0].attention.W_q.weight[1, 2] = float("nan"), float("inf")
    with pytest.raises(
        ConfigurationError, match=r"NaN or infinity in 2 weights: embedding\.bias, encoder_layers\.0\.attention\.W_q\.w"
    ):
        convert_gloss(write_gloss_checkpoint(tmp_path / "a.pt", old), num_heads=4)


def test_a_cls_token_that_is_not_asked_for_is_left_out_and_one_that_is_has_to_be_there(tmp_path):
    path = write_gloss_checkpoint(tmp_path / "a.pt", NaiveTransformer("cls"))
    assert "--pooling cls" in convert_gloss(path, num_heads=4).dropped["cls_token"]
    path = write_gloss_checkpoint(tmp_path / "b.pt", NaiveTransformer("mean"))
    with pytest.raises(ConfigurationError, match="a cls_token in the file for --pooling cls, found none") as error:
        convert_gloss(path, pooling="cls", num_heads=4)
    assert "missing" not in str(error.value)


def test_a_file_without_a_category_head_gives_a_model_without_one(tmp_path):
    state = {n: v for n, v in NaiveTransformer("mean").state_dict().items() if not n.startswith("category_head.")}
    model = convert_gloss(write_gloss_checkpoint(tmp_path / "a.pt", state), num_heads=4).model
    assert model.config.num_categories is None
    assert model(*clips(6)).category_logits is None


def test_everything_that_does_not_fit_is_said_at_once(tmp_path):
    state = NaiveTransformer("mean").state_dict()
    del state["embedding.bias"], state["encoder_layers.0.attention.W_q.weight"]
    state |= {"extra.weight": torch.zeros(1), "encoder_layers.0.norm9.gamma": torch.zeros(1)}
    state["category_head.0.weight"] = torch.zeros(128, 3)
    state["pos_encoder.pe"] = state["pos_encoder.pe"] + 0.01
    with pytest.raises(ConfigurationError) as error:
        convert_gloss(write_gloss_checkpoint(tmp_path / "a.pt", state), num_heads=5, with_backbone=True)
    assert str(error.value).splitlines() == [
        "expected --num-heads to divide the hidden size 16 of the file, found 5; as it was trained, one of "
        "[1, 2, 4, 8, 16]",
        "expected sinusoidal positions in pos_encoder.pe, found others, which the model does not have",
        "expected no --with-backbone, a SignTransformer has none",
        "expected the weights of a SignTransformer, found 5 that do not fit:",
        "  no place for: encoder_layers.0.norm9.gamma, extra.weight",
        "  missing: embedding.bias, layers.0.attention.q_proj.weight",
        "  wrong shape: category_head.0.weight (128, 3) where (128, 16) fits",
    ]


def test_a_layer_that_is_missing_is_named(tmp_path):
    state = {
        n.replace("encoder_layers.1.", "encoder_layers.4."): v for n, v in NaiveTransformer("max").state_dict().items()
    }
    with pytest.raises(ConfigurationError, match=r"no place for: encoder_layers\.4\.(.*\s)*.*missing: layers\.1\."):
        convert_gloss(write_gloss_checkpoint(tmp_path / "a.pt", state), num_heads=4)


def test_weights_of_another_model(tmp_path):
    path = write_gloss_checkpoint(tmp_path / "a.pt", nn.Linear(2, 3))
    with pytest.raises(ConfigurationError, match=r"a SignTransformer .* or an InceptionV3GRU .*, found \['weight'"):
        convert_gloss(path)


def test_names_of_classes_have_to_be_as_many_as_the_classes(tmp_path):
    path = write_gloss_checkpoint(tmp_path / "a.pt", NaiveTransformer("mean"))
    names = {"gloss_names": list("ABCDE"), "category_names": list("XYZ")}
    config = convert_gloss(path, num_heads=4, **names).model.config
    assert config.id2label[4] == "E" and config.label2id["B"] == 1 and config.category_id2label[2] == "Z"
    message = "expected 5 names in --gloss-names.*found 2\nexpected 3 names in --cat-names.*found 1"
    with pytest.raises(ConfigurationError, match=message):
        convert_gloss(path, num_heads=4, gloss_names=["A", "B"], category_names=["X"])


@pytest.mark.parametrize("sizes", [(2048, 16, 12), (9, 8, 7)])
def test_a_gru_gives_the_same_logits(sizes, tmp_path):
    old = randomized(NaiveGRU(*sizes))
    conversion = convert_gloss(write_gloss_checkpoint(tmp_path / "InceptionV3GRU_last.pt", old))
    assert largest_difference(conversion.model, old, sizes[0]) < 1e-6
    assert conversion.sizes["gru_hidden_sizes"] == list(sizes[1:])
    assert set(conversion.mapped) == set(old.state_dict()) and conversion.dropped == {}


class TinyBackbone(nn.Module):
    """Frames `(N, 3, P, P)` -> features `(N, 9)`; stands for InceptionV3."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 9, 2), nn.BatchNorm2d(9)

    def forward(self, frames):
        return self.norm(self.conv(frames)).mean(dim=(2, 3))


def old_gru_with_backbone():
    old = randomized(NaiveGRU(backbone=TinyBackbone()))
    old.feat_extractor["backbone"].norm.running_mean.add_(0.3)
    return old


def test_a_backbone_is_left_out_unless_it_is_wanted(tmp_path):
    old = old_gru_with_backbone()
    conversion = convert_gloss(write_gloss_checkpoint(tmp_path / "a.pt", old))
    assert len(conversion.dropped) == 7
    assert set(conversion.dropped.values()) == {
        "the backbone is for frames only; features need none (--with-backbone keeps it)"
    }
    assert not [name for name in conversion.model.state_dict() if "backbone" in name]
    assert largest_difference(conversion.model, old, 9) < 1e-6


def test_a_backbone_that_is_wanted_reads_frames_as_the_old_one(tmp_path, monkeypatch):
    built = []
    monkeypatch.setattr(
        modeling_inception_gru, "build_backbone", lambda pretrained: built.append(pretrained) or TinyBackbone()
    )
    old = old_gru_with_backbone()
    state = old.state_dict()
    del state["feat_extractor.backbone.norm.num_batches_tracked"]
    state |= {f"feat_extractor.backbone.{name}": torch.zeros(2) for name in ("fc.weight", "AuxLogits.conv0.bn.bias")}
    conversion = convert_gloss(write_gloss_checkpoint(tmp_path / "a.pt", state), with_backbone=True)
    assert set(conversion.dropped) == {f"feat_extractor.backbone.{n}" for n in ("fc.weight", "AuxLogits.conv0.bn.bias")}
    conversion.model.save_pretrained(tmp_path / "model")
    model = type(conversion.model).from_pretrained(tmp_path / "model").eval()
    assert built == [False, False], "ImageNet's weights are fetched to be replaced"
    frames, (_, mask) = torch.randn(3, 9, 3, 4, 4), clips(9)
    with torch.no_grad():
        features = old.feat_extractor["backbone"](frames.flatten(0, 1)).view(3, 9, 9)
        expected, _ = old(features, mask)
        assert (model(pixel_values=frames, attention_mask=mask).gloss_logits - expected).abs().max() < 1e-6


def test_options_that_a_gru_does_not_have(tmp_path, monkeypatch):
    path = write_gloss_checkpoint(tmp_path / "a.pt", NaiveGRU())
    message = r"no --pooling.*found cls\n.*no --num-heads.*found 4\n.*feat_extractor.backbone.\* .*--with-backbone"
    with pytest.raises(ConfigurationError, match=message):
        convert_gloss(path, pooling="cls", num_heads=4, with_backbone=True)
    path = write_gloss_checkpoint(tmp_path / "b.pt", old_gru_with_backbone())
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(MissingDependencyError, match="vision"):
        convert_gloss(path, with_backbone=True)


def test_the_feature_extractor_gives_what_the_older_tool_read():
    extractor = gloss_feature_extractor(156)
    values = torch.rand(4, 156).numpy() + 0.1
    encoded = extractor.encode_clip(values)
    assert (encoded["input_values"] == values).all() and encoded["attention_mask"].tolist() == [1] * 4
    assert (extractor.layout_name, extractor.input_size) == (extractor.layout().name, 156)
    assert (gloss_feature_extractor(99).input_type, gloss_feature_extractor(99).raw_size) == ("features", 99)
