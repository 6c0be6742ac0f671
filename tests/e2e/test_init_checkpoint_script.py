"""Runs that start from given weights, as a person starts them."""

import pytest
import torch
from safetensors.torch import load_file
from script_runs import SPLITS, data_flags, read_json, run_main
from transformers import AutoModel

from hf_slt import MultiStreamConfig

# The flags of the tiny run without those of its encoder, which the checkpoint says.
LESS = "--decoder-layers 1 --decoder-heads 2 --max-target-length 12 --num-workers 0 --use_cpu --disable_tqdm true"
STILL = "--epochs 1 --batch-size 2 --lr 0 --num-samples 0"  # nothing is learnt: what was loaded is saved


def refused(capsys, argv):
    with pytest.raises(SystemExit) as exit_info:
        run_main("train_slt", argv)
    assert exit_info.value.code == 2
    return capsys.readouterr().err


@pytest.fixture
def flags(corpus):
    return [*data_flags(corpus, SPLITS), *LESS.split(), *STILL.split()]


def test_sizes_and_tokenizer_are_the_checkpoints(trained, flags, tmp_path):
    run_main("train_slt", [*flags, "--init-checkpoint", trained.folder, "--output_dir", tmp_path])
    expected, got = load_file(trained.folder / "model.safetensors"), load_file(tmp_path / "model.safetensors")
    assert expected.keys() == got.keys() and all(torch.equal(got[name], expected[name]) for name in got)
    assert read_json(tmp_path / "init_report.json")["share"] == 1
    assert read_json(tmp_path / "tokenizer.json") == read_json(trained.folder / "tokenizer.json")
    run = read_json(tmp_path / "run_config.json")
    assert (run["d_model"], run["temporal_heads"], run["tokenizer"]) == (16, 2, None)


def test_a_size_that_was_given_is_not_the_checkpoints(trained, flags, tmp_path, capsys):
    error = refused(capsys, [*flags, "--d-model", "256", "--init-checkpoint", trained.folder, "--output_dir", tmp_path])
    assert "d_model was 16, is 256" in error and "reshaped (35): encoder." in error
    assert not (tmp_path / "model.safetensors").exists()


def test_a_vision_model_that_a_flag_names_goes_before_the_checkpoints(trained, flags, tmp_path):
    torch.manual_seed(1)
    backbone = AutoModel.from_config(MultiStreamConfig.from_pretrained(trained.folder).backbone_config)
    backbone.save_pretrained(tmp_path / "vit")
    own = ["--face-backbone", tmp_path / "vit", "--init-checkpoint", trained.folder]
    run_main("train_slt", [*flags, *own, "--output_dir", tmp_path / "run"])
    before, got = load_file(trained.folder / "model.safetensors"), load_file(tmp_path / "run" / "model.safetensors")
    for name, value in backbone.state_dict().items():
        if (key := f"encoder.backbones.face.backbone.{name}") in got:
            assert torch.equal(got[key], value)
    hands = [name for name in got if name.startswith("encoder.backbones.hand.")]
    assert hands and all(torch.equal(got[name], before[name]) for name in hands)


def test_weights_that_are_nowhere_are_told_before_any_clip_is_read(flags, tmp_path, capsys):
    error = refused(capsys, [*flags, "--init-checkpoint", tmp_path / "nowhere", "--output_dir", tmp_path / "run"])
    assert "in --init-checkpoint, found nothing at" in error and not (tmp_path / "run").exists()
