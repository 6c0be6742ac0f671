"""Flags of a run that both tasks have: where each lands, what is left out, and what wins."""

import json

import pytest
from test_arguments import TRAINING as SLT
from test_gloss_arguments import TRAINING as GLOSS

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_json
from hf_slt.training.arguments import DataArguments
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.flags_left_out import why_left_out
from hf_slt.training.parsing import parse_arguments

RUN = {"output_dir": "R"}
TASKS = {"slt": SLT, "gloss": GLOSS}
# flag, value on the command line, attribute, value it gets; None as a value: the flag stands alone
SHARED_FLAGS = [
    ("--output-dir", "O", "output_dir", "O"),
    ("--epochs", "40", "num_train_epochs", 40.0),
    ("--num-train-epochs", "2.5", "num_train_epochs", 2.5),
    ("--batch-size", "4", "per_device_train_batch_size", 4),
    ("--val-batch-size", "2", "per_device_eval_batch_size", 2),
    ("--num-workers", "0", "dataloader_num_workers", 0),
    ("--use-cpu", None, "use_cpu", True),
    ("--work-dir", "O", "output_dir", "O"),
    ("--max-train-steps", "7", "max_steps", 7),
    ("--subset-size", "12", "subset_size", 12),
    ("--optimizer", "RAdam", "optimizer", "RAdam"),
    ("--optim-args", "momentum=0.9", "optim_args", "momentum=0.9"),
    ("--lr", "1e-3", "learning_rate", 1e-3),
    ("--weight-decay", "0.2", "weight_decay", 0.2),
    ("--scheduler", "steplr", "lr_scheduler_type", "steplr"),
    ("--scheduler", "none", "lr_scheduler_type", "none"),
    ("--scheduler", "plateau", "lr_scheduler_type", "plateau"),
    ("--scheduler", "warmup_cosine", "lr_scheduler_type", "warmup_cosine"),
    ("--lr-scheduler-type", "polynomial", "lr_scheduler_type", "polynomial"),
    ("--scheduler-step-size", "3", "scheduler_step_size", 3.0),
    ("--scheduler-gamma", "0.5", "scheduler_gamma", 0.5),
    ("--scheduler-tmax", "20", "scheduler_tmax", 20.0),
    ("--scheduler-patience", "2", "scheduler_patience", 2),
    ("--scheduler-factor", "0.1", "scheduler_factor", 0.1),
    ("--warmup-ratio", "0.2", "warmup_ratio", 0.2),
    ("--warmup-epochs", "1.5", "warmup_epochs", 1.5),
    ("--early-stop", "4", "early_stop", 4),
    ("--label-smoothing", "0.1", "label_smoothing_factor", 0.1),
    ("--grad-accum-steps", "4", "gradient_accumulation_steps", 4),
    ("--gradient-accumulation-steps", "4", "gradient_accumulation_steps", 4),
    ("--clip-grad-norm", "0.5", "max_grad_norm", 0.5),
    ("--grad-clip", "0.5", "max_grad_norm", 0.5),
    ("--skip-nonfinite-loss", None, "skip_nonfinite_loss", True),
    ("--precision", "bf16", "precision", "bf16"),
    ("--device", "cpu", "run_device", "cpu"),
    ("--amp", "false", "amp", False),
    ("--compile", None, "torch_compile", True),
    ("--compile-mode", "reduce-overhead", "torch_compile_mode", "reduce-overhead"),
    ("--tensorboard", None, "tensorboard", "true"),
    ("--tensorboard", "logs", "tensorboard", "logs"),
    ("--resume", None, "resume_from_checkpoint", "true"),
    ("--resume", "R/checkpoint-3", "resume_from_checkpoint", "R/checkpoint-3"),
    ("--resume-from-checkpoint", "R", "resume_from_checkpoint", "R"),
    ("--init-checkpoint", "W", "init_checkpoint", "W"),
    ("--num-threads", "1", "num_threads", 1),
    ("--seed", "7", "seed", 7),
    ("--deterministic", None, "full_determinism", True),
    ("--auto-find-batch-size", "true", "auto_find_batch_size", True),
    ("--gradient-checkpointing", "true", "gradient_checkpointing", True),
]
OWN_FLAGS = [
    ("slt", "--lr-encoder", "1e-5", "lr_encoder", 1e-5),
    ("slt", "--lr-decoder", "1e-3", "lr_decoder", 1e-3),
    ("slt", "--face-backbone", "B", "face_backbone", "B"),
    ("slt", "--hand-backbone", "B", "hand_backbone", "B"),
    ("slt", "--decoder-class", "my:Decoder", "decoder_class", "my:Decoder"),
    ("slt", "--decoder-kwargs", '{"a": 1}', "decoder_kwargs", '{"a": 1}'),
    ("gloss", "--use-ema", None, "use_ema", True),
    ("gloss", "--ema-decay", "0.99", "ema_decay", 0.99),
    ("gloss", "--loss-type", "label_smoothing", "loss_type", "label_smoothing"),
    ("gloss", "--augment", None, "augment", True),
]


@pytest.fixture(autouse=True)
def _environment_of_this_process(monkeypatch):
    for name in ("ACCELERATE_MIXED_PRECISION", "ACCELERATE_DYNAMO_BACKEND", "ACCELERATE_DYNAMO_MODE"):
        monkeypatch.setenv(name, "no")  # transformers leaves its choices there; they are put back


def landed(task, argv, attribute):
    parsed, effective = parse_arguments(TASKS[task], argv, RUN)
    owners = [arguments for arguments in parsed if hasattr(arguments, attribute)]
    assert len(owners) == 1
    return effective[attribute]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("flag", "value", "attribute", "expected"), SHARED_FLAGS)
def test_shared_flags(task, flag, value, attribute, expected):
    for spelling in {flag, "--" + flag[2:].replace("-", "_")}:
        assert landed(task, [spelling] if value is None else [spelling, value], attribute) == expected


@pytest.mark.parametrize(("task", "flag", "value", "attribute", "expected"), OWN_FLAGS)
def test_flags_of_one_task(task, flag, value, attribute, expected):
    for spelling in {flag, "--" + flag[2:].replace("-", "_")}:
        assert landed(task, [spelling] if value is None else [spelling, value], attribute) == expected


def test_allow_partial_init_has_a_share_or_none():
    for argv, expected in (([], None), (["--allow-partial-init"], 0.0), (["--allow_partial_init", "0.8"], 0.8)):
        assert landed("slt", ["--init-checkpoint", "W", *argv], "allow_partial_init") == expected


@pytest.mark.parametrize(
    ("flag", "nearest"),
    [
        ("--curriculum-epochs", "--subset-size"),
        ("--use-curriculum=true", "--init-checkpoint"),
        ("--gradnorm-alpha", "--alpha and --beta"),
        ("--use_grad_norm", "--ctc-weight"),
        ("--scheduled-sampling-prob", "--label-smoothing"),
        ("--use-mska", "--ctc-weight"),
        ("--mska-ctc-weight", "--ctc-weight"),
        ("--keypoints-dir", "--pose-dir"),
        ("--keypoint-rotate-range", "--augment-rotation"),
        ("--pretrained", "--init-checkpoint"),
        ("--hand-left-backbone", "--hand-backbone"),
        ("--freeze-face-backbone", "--freeze-backbone"),
        ("--fusion-dropout", "--temporal-dropout"),
        ("--train-samples", "--smoke-test"),
        ("--best-pt", "--resume"),
        ("--last_pt=x.pt", "--output_dir"),
    ],
)
def test_flags_that_were_left_out_name_the_nearest_thing(flag, nearest):
    with pytest.raises(ConfigurationError) as error:
        parse_arguments(SLT, [flag], RUN)
    assert f"'{flag}': " in str(error.value) and nearest in str(error.value)


@pytest.mark.parametrize("task", TASKS)
def test_no_flag_that_there_is_counts_as_left_out(task):
    _, effective = parse_arguments(TASKS[task], [], RUN)
    assert [name for name in effective if why_left_out(name)] == []


@pytest.mark.parametrize("flag", ["--image-size=64", "--temporal_nhead", "--decoder-layers"])
def test_an_evaluation_is_told_the_model_by_its_checkpoint(flag):
    with pytest.raises(ConfigurationError, match=f"'{flag}': leave it out, the checkpoint says it"):
        parse_arguments([DataArguments, EvaluationArguments], [flag])


def test_set_wins_over_flags_which_win_over_the_file_which_wins_over_defaults(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text("optim: {lr: 0.1, weight_decay: 0.3, warmup_ratio: 0.4}\nmix_stream: [face:0.5]\n")
    argv = [
        "--lr",
        "0.2",
        "--set",
        "optim.lr=0.3",
        "--weight-decay",
        "0.2",
        "--config",
        str(path),
        "--set",
        "d_model=8",
    ]
    _, effective = parse_arguments(SLT, argv, RUN)
    assert (effective["learning_rate"], effective["weight_decay"], effective["warmup_ratio"]) == (0.3, 0.2, 0.4)
    assert effective["d_model"] == 8 and effective["projector_dim"] == 256


@pytest.mark.parametrize(
    ("setting", "attribute", "expected"),
    [
        ("data.batch_size=6", "per_device_train_batch_size", 6),
        ("optim.lr=1e-4", "learning_rate", 1e-4),
        ("optim.scheduler=cosine", "lr_scheduler_type", "cosine"),
        ('optim.scheduler="steplr"', "lr_scheduler_type", "steplr"),
        ("model.freeze-backbone=True", "freeze_backbone", True),
        ("a.b.c.epochs=3", "num_train_epochs", 3.0),
        ("data.mix_streams={face: 0.5, hand_left: 0.25}", "mix_stream", ["face:0.5", "hand_left:0.25"]),
        ("mix_stream=[pose]", "mix_stream", ["pose"]),
        ("tokenizer=1e", "tokenizer", "1e"),
        ("optim.optim=sgd", "optim", "sgd"),
        ("image_size=null", "image_size", None),
    ],
)
def test_settings_are_read_as_a_file_would_be(setting, attribute, expected):
    assert landed("slt", ["--set", setting], attribute) == expected


def test_the_last_of_two_settings_wins():
    assert (
        landed("slt", ["--set", "optim.lr=1", "--set", "optim.lr=2", "--set", "optim.epochs=3"], "learning_rate") == 2
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optim.lrr=1", r"unknown keys in --set: 'lrr' \(did you mean 'lr'\?\)"),
        ("optim.lr", "expected --set name=value or section.name=value, found 'optim.lr'"),
        (".lr=1", "expected --set name=value"),
        ("lr=[", r"expected a YAML value in --set lr=\["),
        ("d_model=wide", "argument --d_model.*invalid int value: 'wide'"),
        ("d_model=[3]", r"expected one value of --d_model in --set, found \['3'\]"),
    ],
)
def test_settings_that_cannot_work(setting, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_arguments(SLT, ["--set", setting], RUN)


def test_two_settings_that_exclude_each_other():
    with pytest.raises(
        ConfigurationError, match=r"'optim' in --set to be a flag or a section, .* optim.optim=\.\.\. sets"
    ):
        parse_arguments(SLT, ["--set", "optim=1", "--set", "optim.lr=2"], RUN)


def test_repeated_flags_take_the_place_of_the_list_of_the_file(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps({"mix_stream": ["face:0.5"]}))
    config = ["--config", str(tmp_path / "c.json")]
    assert landed("slt", config, "mix_stream") == ["face:0.5"]
    flags = ["--mix-stream", "pose", "--mix-stream", "hand-left:0.1"]
    assert landed("slt", [*config, *flags], "mix_stream") == ["pose", "hand-left:0.1"]


@pytest.mark.parametrize("task", TASKS)
def test_run_config_is_taken_back_whatever_the_flags(task, tmp_path):
    flags = ["--scheduler", "steplr", "--optimizer", "RAdam", "--tensorboard", "T", "--init-checkpoint", "W"]
    _, effective = parse_arguments(
        TASKS[task], [*flags, "--set", "lr=0.25", "--device", "cpu", "--warmup-epochs", "1"], RUN
    )
    write_json(tmp_path / "run_config.json", effective)
    _, again = parse_arguments(TASKS[task], ["--config", str(tmp_path / "run_config.json")])
    assert again == effective and again["learning_rate"] == 0.25
