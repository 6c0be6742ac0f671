"""Opening the checkpoints of an evaluation: names, tokenizers, and all problems at once."""

import shutil
from pathlib import Path

import pytest
from model_factories import tiny_model, tiny_processor, tiny_text_config
from onnx_stack import skip_without_onnx
from transformers import ViTConfig

from hf_slt.data.tokenization import train_unigram_tokenizer
from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.evaluation.reports import write_json
from hf_slt.training.evaluation_checkpoints import checkpoint_names, open_checkpoints


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (["/r/a"], ["a"]),
        (["/r/a", "/r/b"], ["a", "b"]),
        (["/r/a/checkpoint-4"], ["a-checkpoint-4"]),
        (["/r/a", "/r/a/checkpoint-4", "/r/b/checkpoint-4"], ["a", "a-checkpoint-4", "b-checkpoint-4"]),
        (["/s1/run", "/s2/run"], ["s1-run", "s2-run"]),
        (["/s1/run", "/s1/Run"], ["1-run", "2-Run"]),
        (["/r/mean", "/r/b"], ["r-mean", "r-b"]),
        (["/a-b/c", "/a/b-c"], ["c", "b-c"]),
        (["/x-a/b/c", "/x/a-b/c"], ["b-c", "a-b-c"]),
        (["/", "/a"], ["1-", "2-a"]),
    ],
)
def test_names_are_short_and_unique(folders, names):
    assert checkpoint_names([Path(folder) for folder in folders]) == names


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A saved model with its processor, whose vocabulary is that of the tokenizer."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    processor = tiny_processor(("pose",))
    text_config = tiny_text_config(vocab_size=len(processor.tokenizer))
    tiny_model(("pose",), num_pose_landmarks=33, text_config=text_config).save_pretrained(folder)
    processor.save_pretrained(folder)
    write_json(folder / "splits.json", {"train": {"video_ids": ["001"]}})
    return folder


def test_an_opened_checkpoint(run):
    (run / "checkpoint-3").mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(run / name, run / "checkpoint-3" / name)
    first, second = open_checkpoints([str(run), str(run / "checkpoint-3")])
    assert (first.name, second.name, second.path) == ("run", "run-checkpoint-3", run / "checkpoint-3")
    assert first.num_landmarks == 33 and first.splits == second.splits == {"train": {"video_ids": ["001"]}}
    assert second.processor.feature_extractor.num_pose_landmarks == 33
    model = second.load_model()
    assert not model.training and model.device.type == "cpu"


def test_another_tokenizer_that_fits(run, tmp_path):
    own = tiny_processor(("pose",)).tokenizer
    own.save_pretrained(tmp_path)
    broken = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("tokenizer*"))
    with pytest.raises(ConfigurationError, match="a processor beside the model"):
        open_checkpoints([str(broken)])
    (checkpoint,) = open_checkpoints([str(broken)], str(tmp_path))
    assert checkpoint.processor.tokenizer.decode(own("Él come.")["input_ids"], skip_special_tokens=True) == "Él come."


def test_a_tokenizer_of_another_size_names_both_numbers(run, tmp_path):
    tokenizer = tiny_processor(("pose",)).tokenizer
    size = len(tokenizer)
    tokenizer.add_tokens(["uno", "dos"])
    tokenizer.save_pretrained(tmp_path)
    message = rf"vocabulary of {size} tokens \(.*run\), found one of {size + 2} in --tokenizer; leave --tokenizer out"
    with pytest.raises(DimensionMismatchError, match=message):
        open_checkpoints([str(run)], str(tmp_path))


@pytest.mark.parametrize("own", ["kept", "lost"])
def test_a_vocabulary_larger_than_the_tokenizer(tmp_path, own):
    processor, folder = tiny_processor(("pose",)), tmp_path / "padded"
    size = len(processor.tokenizer)
    vocab_size = size + (500 if own == "kept" else 127)
    text_config = tiny_text_config(vocab_size=vocab_size)
    tiny_model(("pose",), num_pose_landmarks=33, text_config=text_config).save_pretrained(folder)
    (processor if own == "kept" else processor.feature_extractor).save_pretrained(folder)
    processor.tokenizer.save_pretrained(tmp_path / "same")
    assert len(open_checkpoints([str(folder)], str(tmp_path / "same"))[0].processor.tokenizer) == size
    train_unigram_tokenizer(["abcde"], vocab_size=10).save_pretrained(tmp_path / "small")
    with pytest.raises(DimensionMismatchError, match=f"vocabulary of {vocab_size} tokens .*, found one of [1-9] "):
        open_checkpoints([str(folder)], str(tmp_path / "small"))


def test_a_tokenizer_with_other_special_tokens(run, tmp_path):
    tokenizer = tiny_processor(("pose",)).tokenizer
    tokenizer.eos_token = "<unk>"
    tokenizer.save_pretrained(tmp_path)
    message = r"special tokens \{'pad': 0, 'eos': 1\} .*, found \{'pad': 0, 'eos': 2\} in --tokenizer"
    with pytest.raises(DimensionMismatchError, match=message):
        open_checkpoints([str(run)], str(tmp_path))
    with pytest.raises(ConfigurationError, match="expected a tokenizer in --tokenizer .*'nothing', which does not"):
        open_checkpoints([str(run)], "nothing")


def test_the_same_checkpoint_twice(run):
    with pytest.raises(ConfigurationError, match="expected each --checkpoint once, found the same folder more than on"):
        open_checkpoints([str(run), f"{run}/."])


def make_export(run, folder):
    """Write what opening an export looks at: everything but weights, beside ONNX files that nobody reads."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("*.safetensors", "checkpoint-*"))
    for name in ("encoder_model", "decoder_model_merged"):
        (folder / f"{name}.onnx").touch()
    return folder


def test_exports_come_after_checkpoints_and_a_variant_knows_the_training_run(run, tmp_path):
    skip_without_onnx()
    (export,) = open_checkpoints([], exports=[str(make_export(run, tmp_path / "out"))])
    assert (export.name, export.runtime, export.num_landmarks) == ("out", "onnxruntime", 33)
    assert export.splits == {"train": {"video_ids": ["001"]}}
    variant = make_export(run, tmp_path / "out" / "int8")
    (variant / "splits.json").unlink()
    (checkpoint,), (variant,) = open_checkpoints([str(run)]), open_checkpoints([], exports=[str(variant)])
    assert (checkpoint.runtime, variant.name, variant.splits) == ("torch", "int8", checkpoint.splits)


def test_exports_that_cannot_be_scored(run, tmp_path):
    skip_without_onnx()
    out = make_export(run, tmp_path / "out")
    with pytest.raises(ConfigurationError, match=f"found an export in {out}; pass it as --onnx {out}"):
        open_checkpoints([str(out)])
    with pytest.raises(ConfigurationError, match="expected each --onnx once, found the same folder more than once"):
        open_checkpoints([str(run)], exports=[str(out), f"{out}/."])
    with pytest.raises(ConfigurationError, match=f"found no .onnx file in {run}") as error:
        open_checkpoints([str(tmp_path / "gone")], exports=[str(run), str(tmp_path / "no")])
    assert f"a trained model in --checkpoint, found no config.json in {tmp_path / 'gone'}" in str(error.value)
    assert f"an exported model in --onnx, found no config.json in {tmp_path / 'no'}" in str(error.value)


def test_no_model():
    with pytest.raises(
        ConfigurationError, match="expected --checkpoint FOLDER of .*, or --onnx of an export, found no"
    ):
        open_checkpoints([])


def test_a_model_of_another_task(tmp_path):
    ViTConfig().save_pretrained(tmp_path)
    with pytest.raises(
        ConfigurationError, match=f"expected a translation model .*, found a model of type 'vit' in {tmp_path}"
    ):
        open_checkpoints([str(tmp_path)])


def test_every_checkpoint_that_cannot_be_scored_is_named(run, tmp_path):
    damaged = shutil.copytree(run, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"{")
    with pytest.raises(ConfigurationError) as error:
        open_checkpoints([str(run), str(tmp_path / "gone"), str(damaged)])
    assert f"found no config.json in {tmp_path / 'gone'}" in str(error.value)
    assert f"found '{damaged}', which does not load" in str(error.value)
