"""Weights-only initialisation: every kind of source, what is reported, and what is refused."""

import json
import logging

import pytest
import torch
from legacy_factories import (
    NaiveGRU,
    NaiveMultiStream,
    NaiveTransformer,
    PatchMeans,
    randomized,
    write_gloss_checkpoint,
    write_multistream_checkpoint,
)
from model_factories import inputs_of, tiny_batch, tiny_model, tiny_resnet, tiny_text_config
from models.gloss.classifier_mixin import gloss_batch
from safetensors.torch import load_file, save_file
from torch import nn

from hf_slt.compat import stored_weights
from hf_slt.errors import ConfigurationError
from hf_slt.models.inception_gru.configuration_inception_gru import InceptionGRUConfig
from hf_slt.models.inception_gru.modeling_inception_gru import InceptionGRUForGlossClassification
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification
from hf_slt.training.init_checkpoint import encoder_architecture, initialize_from

STREAMS = ("right_hand", "pose")


def gloss_model(seed=0, **overrides):
    sizes = {"input_size": 6, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
    fields = {**sizes, "intermediate_size": 24, "num_labels": 5, "num_categories": 3, **overrides}
    torch.manual_seed(seed)
    return SignTransformerForGlossClassification(SignTransformerConfig(**fields)).eval()


def slt_model(seed=0, **overrides):
    return tiny_model(STREAMS, seed=seed, **overrides)


@torch.no_grad()
def gloss_logits(model):
    batch = gloss_batch()
    return model(batch["input_values"], batch["attention_mask"]).gloss_logits


@torch.no_grad()
def slt_logits(model):
    return model(**tiny_batch(STREAMS, missing=True)).logits


FAMILIES = {"gloss": (gloss_model, gloss_logits), "slt": (slt_model, slt_logits)}


def as_folder(model, path):
    model.save_pretrained(path / "m")
    return path / "m"


def as_shards(model, path):
    model.save_pretrained(path / "m", max_shard_size="8KB")
    assert len(list((path / "m").glob("model-*.safetensors"))) > 1
    return path / "m"


def as_pickle_weights(model, path):
    (path / "m").mkdir()
    torch.save(model.state_dict(), path / "m" / "pytorch_model.bin")
    return path / "m"


def as_one_file(model, path):
    return as_folder(model, path) / "model.safetensors"


def as_state_dict(model, path):
    torch.save({"module." + name: value for name, value in model.state_dict().items()}, path / "m.pt")
    return path / "m.pt"


def as_training_state(model, path):
    torch.save({"model_state": model.state_dict(), "epoch": 3, "optimizer": {"lr": 0.1}}, path / "m.pt")
    return path / "m.pt"


SOURCES = [as_folder, as_shards, as_pickle_weights, as_one_file, as_state_dict, as_training_state]


@pytest.mark.parametrize("write", SOURCES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_full_initialisation_gives_identical_logits(family, write, tmp_path, caplog):
    build, logits = FAMILIES[family]
    source, model = build(seed=1), build(seed=2)
    assert not torch.equal(logits(model), logits(source))
    with caplog.at_level(logging.INFO):
        report = initialize_from(model, write(source, tmp_path), report_path=tmp_path / "out" / "init_report.json")
    assert torch.equal(logits(model), logits(source))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert (report.share, report.loaded_parameters, report.total_parameters) == (1.0, parameters, parameters)
    assert (report.missing, report.unexpected, report.reshaped) == ([], [], [])
    assert set(report.loaded) == set(stored_weights(model))
    [record] = caplog.records
    assert record.levelname == "INFO" and f"{parameters:,} of {parameters:,} parameters (100 %)" in record.message
    written = json.loads((tmp_path / "out" / "init_report.json").read_text())
    assert written["share"] == 1.0 and written["loaded"] == report.loaded


def test_numbers_are_cast_to_the_format_of_the_model(tmp_path):
    source, model = gloss_model(seed=1), gloss_model(seed=2)
    torch.save({name: value.double() for name, value in source.state_dict().items()}, tmp_path / "m.pt")
    initialize_from(model, tmp_path / "m.pt")
    assert model.dtype == torch.float32 and torch.equal(gloss_logits(model), gloss_logits(source))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_file_of_the_older_gloss_tool(pooling, tmp_path):
    old = randomized(NaiveTransformer(pooling))
    model = gloss_model(pooling=pooling)
    report = initialize_from(model, write_gloss_checkpoint(tmp_path / "a.pt", old, "module."))
    batch = gloss_batch()
    with torch.no_grad():
        expected, _ = old(batch["input_values"], batch["attention_mask"].bool())
    assert (gloss_logits(model) - expected).abs().max() < 1e-6
    assert report.share == 1 and report.dropped == {"pos_encoder.pe": "sinusoidal positions are computed"}


def test_a_file_of_the_older_gru_and_of_another_family(tmp_path):
    old = randomized(NaiveGRU())
    path = write_gloss_checkpoint(tmp_path / "a.pt", old)
    config = InceptionGRUConfig(input_size=9, gru_hidden_sizes=(8, 7), num_labels=5, num_categories=3)
    model = InceptionGRUForGlossClassification(config).eval()
    assert initialize_from(model, path).share == 1
    assert torch.equal(model.grus[1].weight_hh_l0, old.gru2.weight_hh_l0)
    with pytest.raises(ConfigurationError, match="a 'sign_transformer' model .*those of a 'inception_gru' model"):
        initialize_from(gloss_model(), path)


def test_an_encoder_alone_is_the_encoder_of_the_model(tmp_path):
    source, model = slt_model(seed=1), slt_model(seed=2)
    source.encoder.save_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match=r"at least 100 %(.*\n)*.*--allow-partial-init 0\.\d+") as error:
        initialize_from(model, tmp_path)
    share = float(str(error.value).rpartition("--allow-partial-init ")[2])
    report = initialize_from(model, tmp_path, allow_partial=share)
    encoder_size = sum(parameter.numel() for parameter in model.encoder.parameters())
    assert report.loaded_parameters == encoder_size and report.unexpected == []
    assert all(name.startswith("text_model.") for name in report.missing)
    with torch.no_grad():
        states = [m.encoder(**inputs_of(tiny_batch(STREAMS)))[0] for m in (model, source)]
    assert torch.equal(*states)


def test_an_encoder_takes_its_part_of_a_whole_model(tmp_path):
    source, model = slt_model(seed=1), slt_model(seed=2)
    source.save_pretrained(tmp_path)
    report = initialize_from(model.encoder, tmp_path)
    assert report.share == 1 and all(name.startswith("text_model.") for name in report.unexpected)
    assert torch.equal(model.encoder.fusion.weight, source.encoder.fusion.weight)


def test_buffers_are_loaded_too(tmp_path):
    source, model = (slt_model(seed=seed, backbone_config=tiny_resnet()) for seed in (1, 2))
    name = next(name for name, _ in source.named_buffers() if name.endswith("running_mean"))
    source.get_buffer(name).fill_(0.5)
    initialize_from(model, as_folder(source, tmp_path))
    assert (model.get_buffer(name) == 0.5).all()


def test_less_than_the_share_changes_nothing_and_says_what_is_missing(tmp_path):
    source, model = gloss_model(seed=1, num_labels=7, num_hidden_layers=1, pooling="cls"), gloss_model(seed=2)
    before = gloss_logits(model)
    path, report_path = as_folder(source, tmp_path), tmp_path / "init_report.json"
    with pytest.raises(ConfigurationError) as error:
        initialize_from(model, path, report_path=report_path)
    message = str(error.value)
    assert "expected at least 100 % of the parameters of SignTransformerForGlossClassification" in message
    assert "missing (16): layers.1.attention_norm.weight" in message and ", ..." in message
    assert "unexpected (1): cls_token" in message
    assert "reshaped (2): heads.gloss.3.bias (7,) where (5,) fits, heads.gloss.3.weight (7, 128)" in message
    assert message.endswith(f"All names are in {report_path}")
    assert torch.equal(gloss_logits(model), before)
    written = json.loads(report_path.read_text())
    assert len(written["missing"]) == 16 and len(written["reshaped"]) == 2
    assert written["reshaped"][1] == {"name": "heads.gloss.3.weight", "in_file": [7, 128], "in_model": [5, 128]}
    share = written["share"]
    with pytest.raises(ConfigurationError, match="at least .* % of the parameters"):
        initialize_from(model, path, allow_partial=share + 1e-4)
    report = initialize_from(model, path, allow_partial=share - 1e-4)
    size = sum(p.numel() for n, p in model.named_parameters() if not n.startswith("layers.1.") and "gloss.3" not in n)
    assert report.loaded_parameters == size and report.share == size / model.num_parameters()
    assert torch.equal(model.embedding.weight, source.embedding.weight)


def test_unexpected_names_alone_are_a_warning(tmp_path, caplog):
    torch.save({**gloss_model(seed=1).state_dict(), "extra": torch.zeros(1)}, tmp_path / "m.pt")
    report = initialize_from(gloss_model(), tmp_path / "m.pt")
    assert (report.share, report.unexpected) == (1, ["extra"])
    [record] = caplog.records
    assert record.levelname == "WARNING" and "unexpected (1): extra" in record.message


def test_nothing_at_all_is_an_error_whatever_is_allowed(tmp_path):
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "m.pt")
    with pytest.raises(ConfigurationError, match="expected a weight of .* found 0 of"):
        initialize_from(gloss_model(), tmp_path / "m.pt", allow_partial=0)
    with pytest.raises(ConfigurationError, match=r"--allow-partial-init in \[0, 1\], found 1.5"):
        initialize_from(gloss_model(), tmp_path / "m.pt", allow_partial=1.5)


def test_weights_that_are_tied_here_and_differ_in_the_file(tmp_path):
    source, model = slt_model(seed=1), slt_model(seed=2)
    state = source.state_dict()
    tied = [name for name in state if state[name].data_ptr() == state["text_model.shared.weight"].data_ptr()]
    assert len(tied) > 1
    torch.save({**state, tied[-1]: state[tied[-1]] + 1}, tmp_path / "m.pt")
    report = initialize_from(model, tmp_path / "m.pt")
    assert (report.share, report.unexpected) == (1, [tied[-1]])
    assert torch.equal(model.text_model.shared.weight, source.text_model.shared.weight)


def test_a_vocabulary_of_another_size_is_one_reshaped_name(tmp_path):
    model = slt_model(text_config=tiny_text_config(vocab_size=48))
    report = initialize_from(model, as_folder(slt_model(seed=1), tmp_path), allow_partial=0.9)
    assert report.missing == report.unexpected == []
    assert [(row["in_file"][0], row["in_model"][0]) for row in report.reshaped] == [(40, 48)]
    assert report.total_parameters - report.loaded_parameters == model.text_model.shared.weight.numel()


def test_sources_that_hold_no_weights(tmp_path):
    model = gloss_model()
    for read in (lambda path: initialize_from(model, path), encoder_architecture):
        with pytest.raises(ConfigurationError, match="a folder or file of .*found nothing at .*absent"):
            read(tmp_path / "absent")
    (tmp_path / "checkpoint-4").mkdir()
    with pytest.raises(ConfigurationError, match=r"found none in .*; it holds checkpoint-4, give one of them"):
        initialize_from(model, tmp_path)
    torch.save({"epoch": 1, "weights": {}}, tmp_path / "a.pt")
    with pytest.raises(ConfigurationError, match="under model, state_dict, model_state or encoder_state; found epoch"):
        initialize_from(model, tmp_path / "a.pt")
    (tmp_path / "b.safetensors").write_bytes(b"damaged")
    with pytest.raises(ConfigurationError, match="expected weights in .*b.safetensors, found a damaged file"):
        initialize_from(model, tmp_path / "b.safetensors")


def test_shards_that_are_missing_are_named(tmp_path):
    folder = as_shards(gloss_model(), tmp_path)
    gone = sorted(folder.glob("model-*.safetensors"))[-1]
    gone.unlink()
    with pytest.raises(ConfigurationError, match=f"every file that .*index.json names, found none of: {gone.name}"):
        initialize_from(gloss_model(), folder)
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="an index with a weight_map"):
        initialize_from(gloss_model(), folder)


def test_a_checkpoint_of_a_run_is_a_source(tmp_path):
    source, model = gloss_model(seed=1), gloss_model(seed=2)
    folder = tmp_path / "checkpoint-7"
    source.save_pretrained(folder)
    (folder / "optimizer.pt").write_bytes(b"not read")
    save_file(load_file(folder / "model.safetensors"), folder / "model.safetensors")
    initialize_from(model, folder)
    assert torch.equal(gloss_logits(model), gloss_logits(source))


@pytest.mark.parametrize("backbone", ["own", "foreign"])
def test_a_file_of_the_older_multi_stream_tool_is_the_encoder(backbone, tmp_path):
    old = randomized(NaiveMultiStream() if backbone == "own" else NaiveMultiStream(PatchMeans))
    path = write_multistream_checkpoint(tmp_path / "best.pt", old, "_orig_mod.")
    model = tiny_model(**encoder_architecture(path))
    share = 0.5 if backbone == "own" else 1e-3
    report = initialize_from(model, path, allow_partial=share)
    assert report.unexpected == report.reshaped == []
    random = "text_model." if backbone == "own" else ("text_model.", "encoder.backbones.")
    assert report.missing and all(name.startswith(random) for name in report.missing)
    assert torch.equal(model.encoder.positions.weight, old.positional["embedding"].weight)
    assert torch.equal(
        model.encoder.layers[1].query_key_value.weight, old.temporal["encoder"].layers[1].self_attn.in_proj_weight
    )
    assert not model.encoder.projectors["face"].missing.any()


def test_the_architecture_of_an_encoder_is_said_by_its_folder(tmp_path):
    source = slt_model(seed=1, projector_type="mlp", temporal_norm="post", pose_hidden_size=24)
    fields = encoder_architecture(as_folder(source.encoder, tmp_path))
    assert (fields["projector_type"], fields["pose_hidden_size"], fields["streams"]) == ("mlp", 24, list(STREAMS))
    assert not {"text_config", "ctc_weight", "self", "kwargs"} & set(fields)
    model = tiny_model(**fields, seed=2)
    assert initialize_from(model.encoder, tmp_path / "m").share == 1


def test_sources_that_say_nothing_of_an_encoder(tmp_path):
    assert encoder_architecture(as_folder(gloss_model(), tmp_path)) == {}
    assert encoder_architecture(tmp_path / "m" / "model.safetensors") == {}
    assert encoder_architecture(write_gloss_checkpoint(tmp_path / "a.pt", NaiveGRU())) == {}
    (tmp_path / "empty").mkdir()
    assert encoder_architecture(tmp_path / "empty") == {}
