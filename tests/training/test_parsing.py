"""Command line and `--config`: precedence, errors, help."""

import dataclasses
import json

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_json
from hf_slt.training.arguments import AugmentationArguments, DataArguments, ModelArguments
from hf_slt.training.parsing import parse_arguments, print_help, read_config
from hf_slt.training.training_arguments import SltTrainingArguments

TYPES = (DataArguments, ModelArguments, AugmentationArguments, SltTrainingArguments)


def parse(*argv, types=(DataArguments, ModelArguments), preset=None):
    return parse_arguments(types, argv, preset)


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_precedence_is_default_then_preset_then_file_then_flag(tmp_path, suffix):
    values = {"d-model": 64, "decoder_layers": 2, "freeze_backbone": True}
    path = tmp_path / f"config.{suffix}"
    path.write_text(json.dumps(values) if suffix == "json" else "\n".join(f"{k}: {v}" for k, v in values.items()))
    preset = {"d_model": 32, "temporal_layers": 1}
    (_, model), effective = parse("--config", str(path), "--decoder-layers", "5", preset=preset)
    assert (model.projector_dim, model.temporal_layers, model.d_model, model.decoder_layers) == (256, 1, 64, 5)
    assert model.freeze_backbone is True
    assert effective["d_model"] == 64 and "config" not in effective


def test_flag_wins_whatever_side_of_the_file_it_stands_on(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("d_model: 64")
    for argv in (["--d-model", "16", "--config", str(path)], [f"--config={path}", "--d_model=16"]):
        assert parse(*argv)[0][1].d_model == 16


def test_sections_numbers_and_lists_of_a_file(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "data: {pose-dir: D/pose}\ntraining:\n  learning_rate: 1e-3\n  num_train_epochs: 3\n  output_dir: R\n"
        "mix_stream: [face:0.5]\n"
    )
    (data, _, augmentation, training), _ = parse("--config", str(path), types=TYPES)
    assert data.pose_dir == "D/pose" and training.learning_rate == 1e-3 and training.num_train_epochs == 3
    assert augmentation.mix_streams() == {"face": 0.5}


def test_one_value_of_a_repeatable_flag_in_a_file(tmp_path):
    (tmp_path / "config.yaml").write_text("mix_stream: face:0.3\nimage_size: null\n")
    (_, model, augmentation, _), _ = parse("--config", str(tmp_path / "config.yaml"), "--output_dir", "R", types=TYPES)
    assert augmentation.mix_stream == ["face:0.3"] and model.image_size is None


def test_run_config_is_taken_back(tmp_path):
    flags = (
        "--output_dir R --epochs 3 --lr 0.002 --mix-stream pose:0.5 --no_share_hand_backbone --image-size 32".split()
    )
    before, effective = parse(*flags, types=TYPES)
    write_json(tmp_path / "run_config.json", effective)
    after, again = parse("--config", str(tmp_path / "run_config.json"), types=TYPES)
    assert again == effective
    assert after[:3] == before[:3] and after[1].given_flags >= before[1].given_flags >= {"image_size"}
    # transformers gives each run a folder for its logs with the time in its name
    assert {**after[3].to_dict(), "logging_dir": ""} == {**before[3].to_dict(), "logging_dir": ""}
    assert after[1].share_hand_backbone is False and after[3].num_train_epochs == 3


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--temporal-layer", "3"], r"unknown arguments: '--temporal-layer' \(did you mean '--temporal[-_]layers'\?\)"),
        (["--freze-backbone"], r"'--freze-backbone' \(did you mean '--freeze[-_]backbone'"),
        (["--d-modle=3"], r"'--d-modle=3' \(did you mean '--d[-_]model'"),
        (["corpus"], "unknown arguments: 'corpus'"),
        (["--d-model", "wide"], r"argument --d_model.*invalid int value: 'wide' \(--help lists the flags\)"),
        (["--d-model"], "expected one argument"),
    ],
)
def test_unknown_flags_and_wrong_values(argv, message):
    with pytest.raises(ConfigurationError, match=message):
        parse(*argv)


def test_a_prefix_is_not_a_flag():
    with pytest.raises(ConfigurationError, match=r"unknown arguments: '--output' \(did you mean '--output[-_]dir'"):
        parse("--output", "R", types=TYPES)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.yaml", "d_modell: 3", r"unknown keys in .*c.yaml: 'd_modell' \(did you mean 'd_model'\?\)"),
        ("c.json", '{"a": {"vocab_sise": 3}}', r"'vocab_sise' \(did you mean 'vocab_size'"),
        ("c.json", "{d_model", "expected a YAML or JSON file of flags in --config, found .*c.json"),
        ("c.yaml", "a: [", "expected a YAML or JSON file of flags in --config, found .*c.yaml"),
        ("c.yaml", "- 3", "expected a mapping of flags in .*c.yaml, found list"),
        ("c.yaml", "", "expected a mapping of flags in .*c.yaml, found NoneType"),
        ("c.yaml", "d_model: wide", "argument --d_model.*invalid int value: 'wide'"),
        ("c.yaml", "d_model: true", "argument --d_model.*invalid int value: 'true'"),
        ("c.yaml", "image_size: 16.5", "argument --image_size.*invalid int value: '16.5'"),
        ("c.yaml", "d_model: [16]", r"expected one value of --d_model in .*c.yaml, found \['16'\]"),
        ("c.yaml", "d_model: {a: 1}", r"expected one value of --d_model in .*c.yaml, found \{'a': '1'\}"),
        ("c.yaml", "tokenizer: [a]", r"expected one value of --tokenizer in .*c.yaml, found \['a'\]"),
        ("c.yaml", "d_model: 1\nmodel: {d-model: 2}", r"expected each flag once, found two values of \['d_model'\]"),
        ("c.yaml", "config: other.yaml", "unknown keys in .*c.yaml: 'config'"),
    ],
)
def test_files_that_cannot_work(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        parse("--config", str(tmp_path / name))


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_nothing_means_the_default_of_the_flag(tmp_path, suffix):
    path = tmp_path / f"config.{suffix}"
    path.write_text(json.dumps({"d_model": None, "model": None, "image_size": None}) if suffix == "json" else
                    "d_model: null\nmodel:\nimage_size: ~\n")  # fmt: skip
    (_, model), _ = parse("--config", str(path), preset={"d_model": 32, "image_size": 16})
    assert (model.d_model, model.image_size) == (256, None)


def test_words_of_yaml_stay_text_where_a_flag_takes_text(tmp_path):
    (tmp_path / "c.yaml").write_text("text_column: yes\noutput_dir: 2026-11-22\neval_strategy: no\npose_key: 007\n")
    settings = ["--set", "tokenizer_type=1e5", "--set", "save_strategy=no"]
    (data, model, _, run), _ = parse("--config", str(tmp_path / "c.yaml"), *settings, types=TYPES)
    assert (data.text_column, data.pose_key, model.tokenizer_type) == ("yes", "007", "1e5")
    assert (run.output_dir, run.eval_strategy, run.save_strategy) == ("2026-11-22", "no", "no")


@pytest.mark.parametrize("word", ["false", "False"])
def test_switches_with_a_value_can_be_switched_off(tmp_path, word):
    (tmp_path / "c.yaml").write_text(f"resume: {word}\ntensorboard: {word}\n")
    flags = ["--output_dir", "R", "--resume", word]
    for argv in (["--config", str(tmp_path / "c.yaml")], ["--set", f"resume={word}"], []):
        (*_, run), _ = parse(*argv, *flags, types=TYPES)
        assert run.resume_from_checkpoint is None and run.tensorboard is None


def test_mappings_become_what_their_flag_takes(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "output_dir: R\noptim_args: {momentum: 0.9, nesterov: true}\ndecoder_kwargs: {share: true, size: 3}\n"
        "lr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: {min_lr: 1e-5}\n"
    )
    (_, model, _, run), _ = parse("--config", str(tmp_path / "c.yaml"), types=TYPES)
    assert run.optim_args == "momentum=0.9,nesterov=true" and run.lr_scheduler_kwargs == {"min_lr": 1e-5}
    assert json.loads(model.decoder_kwargs) == {"share": True, "size": 3}


def test_only_what_was_given_counts_as_given(tmp_path):
    (tmp_path / "c.yaml").write_text("projector_dim: 256\n")
    argv = ["--config", str(tmp_path / "c.yaml"), "--d-model", "256", "--set", "model.temporal_layers=3"]
    (_, model), _ = parse(*argv, preset={"decoder_layers": 1})
    assert model.given_flags == {"projector_dim", "d_model", "temporal_layers"}


def test_the_value_of_an_unknown_flag_is_no_word_of_its_own():
    with pytest.raises(ConfigurationError) as error:
        parse("--unheard", "1", "word", "--zzzz=2", "3")
    assert str(error.value) == "unknown arguments: '--unheard'; 'word'; '--zzzz=2'; '3'"


def test_missing_file(tmp_path):
    with pytest.raises(ConfigurationError, match="found .*nowhere.yaml: .*No such file"):
        read_config(str(tmp_path / "nowhere.yaml"))


def test_help_shows_flags_defaults_and_aliases(capsys):
    print_help("Do it.", [ModelArguments])
    text = capsys.readouterr().out
    assert "Do it." in text and "--temporal-nhead" in text and "(default: 256)" in text and "--help-all" in text


@pytest.mark.parametrize("spelling", ["--help-all", "--help_all"])
def test_help_all_also_shows_the_flags_of_transformers(capsys, spelling):
    with pytest.raises(SystemExit) as exit_info:
        parse(spelling, types=TYPES)
    assert exit_info.value.code == 0
    text = capsys.readouterr().out
    assert "--temporal-nhead" in text and "--adam_beta1" in text and "--generation_max_length" in text


# Non-empty values of `run_config.json` that the arguments of one generation of transformers alone left there.
WRITTEN_BY_4 = {
    **{"overwrite_output_dir": False, "save_safetensors": True, "no_cuda": False, "use_mps_device": False},
    **{"jit_mode_eval": False, "fp16_opt_level": "O1", "half_precision_backend": "auto", "tpu_metrics_debug": False},
    **{"past_index": -1, "fsdp_min_num_params": 0, "adafactor": False, "group_by_length": False, "ray_scope": "last"},
    **{"use_legacy_prediction_loop": False, "include_inputs_for_metrics": False, "fp16_backend": "auto"},
    **{"include_tokens_per_second": False, "mp_parameters": "", "logging_dir": None, "torchdynamo": None},
}
WRITTEN_BY_5 = {
    **{"use_cache": False, "enable_jit_checkpoint": False, "dataloader_in_order": True, "ddp_static_graph": None},
    **{"train_sampling_strategy": "random", "activation_checkpointing": None, "trackio_bucket_id": None},
}


@pytest.mark.parametrize("written", [WRITTEN_BY_4, WRITTEN_BY_5], ids=["4.57", "5"])
@pytest.mark.parametrize("suffix", ["json", "yml"])
def test_the_run_config_of_another_generation_of_transformers_is_taken(written, suffix, tmp_path, caplog):
    path = tmp_path / f"run_config.{suffix}"
    path.write_text(json.dumps({**written, "learning_rate": 0.25, "output_dir": "R"}))  # which is YAML, too
    (*_, run), effective = parse("--config", str(path), types=TYPES)
    assert run.learning_rate == 0.25 and not caplog.records
    known = {item.name for item in dataclasses.fields(SltTrainingArguments)}
    assert {name in effective for name in written} == {written.keys() <= known}  # all of them, or none


def test_what_is_left_out_of_the_file_of_another_generation_is_said(tmp_path, caplog):
    known = {item.name for item in dataclasses.fields(SltTrainingArguments)}
    foreign = (
        {"ray_scope": "all", "fp16_backend": "auto"},
        {"train_sampling_strategy": "sequential", "use_cache": False},
    )
    values = next(one for one in foreign if not known & one.keys())
    path = tmp_path / "run_config.json"
    path.write_text(json.dumps({**values, "output_dir": "R"}))
    parse("--config", str(path), types=TYPES)
    name, value = next(iter(values.items()))
    (message,) = caplog.messages
    assert message == f"left out of {path}, since the installed transformers has no such arguments: {name}={value}"
    for argv in (["--set", f"{name}=x"], [f"--{name}", "x"]):
        with pytest.raises(ConfigurationError, match=f"unknown .*{name}"):
            parse("--output_dir", "R", *argv, types=TYPES)
    with pytest.raises(ConfigurationError, match=f"unknown keys in .*'{name}'"):  # a script that does not train
        parse("--config", str(path))
    path.write_text(json.dumps({**values, "d_modell": 3}))
    with pytest.raises(ConfigurationError, match=r"unknown keys in .*run_config.json: 'd_modell' \(did you mean"):
        parse("--config", str(path), types=TYPES)
