"""Weights that fit a model which is another one all the same, and weights that are none."""

import json
from types import SimpleNamespace

import pytest
import torch
from legacy_factories import (
    NaiveMultiStream,
    NaiveTransformer,
    write_gloss_checkpoint,
    write_multistream_checkpoint,
)
from model_factories import tiny_model, tiny_resnet, tiny_text_config, tiny_vit
from safetensors.torch import save_file

from hf_slt.errors import ConfigurationError
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor
from hf_slt.models.legacy.gloss import gloss_feature_extractor
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification
from hf_slt.training.init_checkpoint import encoder_architecture, initialize_from
from hf_slt.training.init_settings import differing_settings


def gloss_model(seed=0, **overrides):
    sizes = {"input_size": 6, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
    fields = {**sizes, "intermediate_size": 24, "num_labels": 5, "num_categories": 3, **overrides}
    torch.manual_seed(seed)
    return SignTransformerForGlossClassification(SignTransformerConfig(**fields)).eval()


def slt_model(seed=0, **overrides):
    return tiny_model(("right_hand", "pose"), seed=seed, **overrides)


def as_folder(model, path):
    model.save_pretrained(path / "m")
    return path / "m"


def as_file(model, path):
    torch.save(model.state_dict(), path / "m.pt")
    return path / "m.pt"


@pytest.mark.parametrize("source", ["folder", "file", "older encoder", "older gloss model"])
def test_weights_of_another_family_are_refused_however_little_is_asked_for(source, tmp_path):
    model, own, other = slt_model(), "multistream_slt", "sign_transformer"
    if source.startswith("f"):
        path = as_folder(gloss_model(), tmp_path) / ("model.safetensors" if source == "file" else "")
    elif source == "older gloss model":
        path = write_gloss_checkpoint(tmp_path / "a.pt", NaiveTransformer("mean"))
    else:
        path = write_multistream_checkpoint(tmp_path / "a.pt", NaiveMultiStream())
        model, own, other = gloss_model(), other, own
    with pytest.raises(
        ConfigurationError, match=f"of a '{own}' model .*, found those of a '{other}' model in .*family"
    ):
        initialize_from(model, path, allow_partial=0)


def test_a_share_by_chance_is_never_suggested(tmp_path):
    model = gloss_model()
    torch.save({"embedding.bias": torch.zeros(16), "a": torch.zeros(3)}, tmp_path / "m.pt")
    with pytest.raises(ConfigurationError, match="so little fits that these are weights of another model") as error:
        initialize_from(model, tmp_path / "m.pt")
    assert "--allow-partial-init" not in str(error.value)


def other_settings(report):
    return {row["name"]: (row["was"], row["is"]) for row in report.settings}


def test_settings_that_weights_cannot_show_are_a_warning(tmp_path, caplog):
    source = slt_model(seed=1, temporal_dropout=0.3, ctc_decoding_weight=0.25)
    model = slt_model(temporal_heads=4, temporal_activation="relu", text_config=tiny_text_config("t5_untied"))
    model.config.text_config.feed_forward_proj = "gated-gelu"
    path, report_path = as_folder(source, tmp_path), tmp_path / "init_report.json"
    report = initialize_from(model, path, allow_partial=0.5, report_path=report_path)
    expected = {"temporal_heads": (2, 4), "temporal_activation": ("gelu", "relu")}
    text = {"text_config.feed_forward_proj": ("relu", "gated-gelu")}
    assert other_settings(report) == {**expected, **text}
    assert json.loads(report_path.read_text())["settings"] == report.settings
    [record] = caplog.records
    assert record.levelname == "WARNING" and "temporal_heads was 2, is 4; temporal_activation was gelu, is relu" in (
        record.message
    )
    source.encoder.save_pretrained(tmp_path / "encoder")
    assert other_settings(initialize_from(model, tmp_path / "encoder", allow_partial=0.1)) == expected


def test_settings_of_a_backbone_are_compared_too(tmp_path):
    model = tiny_model(("face",), backbone_config=tiny_vit())
    model.config.backbone_config.num_attention_heads = 1
    report = initialize_from(model, as_folder(tiny_model(("face",), backbone_config=tiny_vit()), tmp_path))
    assert report.share == 1 and other_settings(report) == {"backbone_config.num_attention_heads": (2, 1)}
    model = tiny_model(("face",), backbone_config=tiny_resnet())
    report = initialize_from(model, tmp_path / "m", allow_partial=0.1)
    assert other_settings(report) == {"backbone_config.model_type": ("vit", "resnet")}


def test_settings_of_a_gloss_model_and_of_its_inputs(tmp_path):
    source = gloss_model(seed=1, pooling="max", alpha=0.5, head_dropout=0.4, hidden_dropout_prob=0.3)
    model, path = gloss_model(num_attention_heads=2), as_folder(source, tmp_path)
    GlossFeatureExtractor(num_landmarks=33, normalization="none").save_pretrained(path)
    assert other_settings(initialize_from(model, path)) == {"num_attention_heads": (4, 2), "pooling": ("max", "mean")}
    extractor = GlossFeatureExtractor(num_landmarks=33, right_handed=True, feature_size=9)
    changes = other_settings(initialize_from(model, path, extractor=extractor))
    assert changes["inputs: normalization"] == ("none", "body") and changes["inputs: right_handed"] == (False, True)
    assert len(changes) == 4
    unknown, was, now = ({"extractor": name} for name in (None, "a 1", "a 2"))
    source = SimpleNamespace(settings={}, extractor=was)
    assert differing_settings(source, model, [], SimpleNamespace(to_dict=lambda: unknown)) == []
    (row,) = differing_settings(source, model, [], SimpleNamespace(to_dict=lambda: now))
    assert row == {"name": "inputs: extractor", "was": "a 1", "is": "a 2"}
    features = GlossFeatureExtractor(input_type="features", feature_size=6)
    changes = other_settings(initialize_from(model, path, extractor=features))
    assert changes["inputs: input_type"] == ("landmarks", "features")


def test_older_files_say_what_is_fixed_in_their_design(tmp_path):
    path = write_gloss_checkpoint(tmp_path / "a.pt", NaiveTransformer("mean", inputs=156))
    model = gloss_model(input_size=156, hidden_act="gelu")
    extractor = GlossFeatureExtractor(layout_name=gloss_feature_extractor(156).layout_name)
    report = initialize_from(model, path, extractor=extractor)
    assert other_settings(report) == {"hidden_act": ("relu", "gelu"), "inputs: normalization": ("none", "body")}
    path = write_multistream_checkpoint(tmp_path / "b.pt", NaiveMultiStream())
    fields = {**encoder_architecture(path), "temporal_norm": "pre", "temporal_heads": 2}
    assert other_settings(initialize_from(tiny_model(**fields), path, allow_partial=0.1)) == {
        "temporal_norm": ("post", "pre")
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_diverged_are_named(value, tmp_path):
    source, model = gloss_model(seed=1), gloss_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        source.layers[1].feed_forward_in.bias[0] = value
    with pytest.raises(ConfigurationError, match=r"NaN or infinity in 1 weights: layers\.1\.feed_forward_in\.bias; "):
        initialize_from(model, as_folder(source, tmp_path))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_buffer_may_be_a_mask_of_infinities(tmp_path):
    source, model = slt_model(seed=1), slt_model()
    for one in (source, model):
        one.encoder.register_buffer("mask", torch.full((2, 2), float("-inf")))
    assert initialize_from(model, as_file(source, tmp_path)).share == 1


def test_weights_that_are_no_plain_numbers_are_named(tmp_path):
    state = {"a": torch.zeros(2).to_sparse(), "b": torch.zeros(2, dtype=torch.complex64), "c": torch.zeros(2)}
    for content in (state, {"model": state}):
        torch.save(content, tmp_path / "m.pt")
        with pytest.raises(ConfigurationError, match=r"plain real numbers in .*found a \(sparse\), b \(complex\)$"):
            initialize_from(gloss_model(), tmp_path / "m.pt")
    try:
        save_file({"d": state["b"]}, tmp_path / "m.safetensors")
    except KeyError:  # safetensors below 0.7 has no complex numbers
        return
    with pytest.raises(ConfigurationError, match=r"plain real numbers in .*found d \(complex\)$"):
        initialize_from(gloss_model(), tmp_path / "m.safetensors")


def test_files_beside_the_weights_that_are_damaged(tmp_path):
    folder = as_folder(gloss_model(), tmp_path)
    for name, content, found in (
        ("preprocessor_config.json", "[1]", "expected an object in .*preprocessor_config.json, found list"),
        ("config.json", "{", "expected JSON in .*config.json, found a damaged file"),
    ):
        (folder / name).write_text(content)
        with pytest.raises(ConfigurationError, match=found):
            initialize_from(gloss_model(), folder)
        (folder / name).unlink()
    assert initialize_from(gloss_model(), folder).settings == []  # nothing is known of weights alone
