"""TrainingArguments of gloss runs: what short flags become, and what is refused at once."""

import pytest
import torch
import transformers
from transformers import get_scheduler

from hf_slt.errors import ConfigurationError
from hf_slt.training import run_settings
from hf_slt.training.gloss_training_arguments import GlossTrainingArguments
from hf_slt.training.parsing import parse_arguments
from hf_slt.training.run_settings import amp_dtype


@pytest.fixture(autouse=True)
def _precision_of_this_process(monkeypatch):
    # transformers leaves its choice in the environment, where the next run finds it.
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")


def arguments(**values):
    return GlossTrainingArguments(**{"output_dir": "R", "use_cpu": True, **values})


def parse(*flags):
    return parse_arguments([GlossTrainingArguments], ["--output_dir", "R", *flags])[0][0]


def test_defaults():
    args = parse()
    assert (args.metric_for_best_model, args.greater_is_better, args.load_best_model_at_end) == (
        "eval_accuracy",
        True,
        True,
    )
    assert (args.eval_strategy, args.save_strategy, args.report_to) == ("epoch", "epoch", [])
    assert args.remove_unused_columns is False and args.dataloader_num_workers == 0 and not args.bf16
    assert str(args.log_file) == "R/train_log.csv"
    assert str(parse("--log-csv", "other.csv").log_file) == "other.csv"


def test_plateau_watches_accuracy():
    args = parse("--scheduler", "plateau", "--scheduler-patience", "3", "--scheduler-factor", "0.1", "--lr", "1.0")
    assert args.lr_scheduler_type == "reduce_lr_on_plateau"
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = get_scheduler(args.lr_scheduler_type, optimizer, scheduler_specific_kwargs=args.lr_scheduler_kwargs)
    rates = []
    for accuracy in (0.5, 0.6, 0.6, 0.5, 0.6, 0.6, 0.7):
        schedule.step(accuracy)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1, 1, 1, 1, 1, 0.1, 0.1])
    assert parse("--scheduler", "plateau", "--metric-for-best-model", "eval_loss").lr_scheduler_kwargs["mode"] == "min"
    own = parse("--scheduler", "plateau", "--lr-scheduler-kwargs", '{"cooldown": 2, "patience": 9}')
    assert own.lr_scheduler_kwargs == {"mode": "max", "patience": 9, "factor": 0.5, "cooldown": 2}


@pytest.mark.parametrize("name", ["cosine", "linear", "constant"])
def test_other_schedules_keep_their_names(name):
    args = parse("--scheduler", name)
    assert args.lr_scheduler_type == name and not args.lr_scheduler_kwargs


def test_without_evaluation_there_is_no_best_model():
    args = parse("--eval_strategy", "no")
    assert args.load_best_model_at_end is False


@pytest.mark.parametrize("supported", [True, False])
def test_amp_on_a_cpu_is_bf16_where_it_has_units_for_it(monkeypatch, caplog, supported):
    monkeypatch.setattr(run_settings.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: supported, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
    args = arguments(amp=True, use_cpu=False)
    assert (args.bf16, args.fp16) == (supported, False)
    assert ("the run is in fp32" in caplog.text) is not supported
    assert len(caplog.records) == (0 if supported else 1)


@pytest.mark.parametrize(("bf16", "expected"), [(True, "bf16"), (False, "fp16")])
def test_amp_on_a_gpu_is_what_it_has(monkeypatch, bf16, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16)
    assert amp_dtype(on_gpu=True) == expected


def test_a_precision_that_was_asked_for_goes_before_amp():
    args = arguments(amp=True, bf16=True)
    assert args.bf16 and not args.fp16


def test_memory_is_pinned_for_a_gpu_only(monkeypatch):
    assert not arguments().dataloader_pin_memory
    monkeypatch.setattr(run_settings.torch.cuda, "is_available", lambda: True)
    for flags, expected in (({}, True), ({"pin_memory": False}, False), ({"dataloader_pin_memory": False}, False)):
        args = GlossTrainingArguments.__new__(GlossTrainingArguments)
        monkeypatch.setattr(transformers.TrainingArguments, "__post_init__", lambda self: None)
        args.__init__(output_dir="R", **flags)
        assert args.dataloader_pin_memory is expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"output_dir": None}, "expected --output_dir FOLDER for the run, found none"),
        ({"dataloader_prefetch_factor": 4}, "--num-workers of 1 or more with --prefetch-factor 4, found 0"),
        ({"early_stop": 3, "eval_strategy": "no"}, "an --eval_strategy with --early-stop 3, found 'no'"),
        ({"early_stop": 0}, "--early-stop of 1 or more, found 0"),
        ({"remove_unused_columns": True}, "--remove_unused_columns false"),
        ({"metric_for_best_model": "eval_bleu"}, r"out of \['eval_accuracy', .*found 'eval_bleu'"),
        ({"label_smoothing_factor": 2.0}, r"--label-smoothing-factor in \[0, 1\], found 2"),
        ({"per_device_train_batch_size": 0, "learning_rate": -1.0}, "batch-size of 1 or more.*--learning-rate of 0"),
    ],
)
def test_what_would_fail_later_fails_at_once(values, message):
    with pytest.raises(ConfigurationError, match=message):
        arguments(**values)


def test_workers_may_have_a_prefetch_factor():
    args = parse("--num-workers", "2", "--prefetch-factor", "4")
    assert (args.dataloader_num_workers, args.dataloader_prefetch_factor) == (2, 4)


def test_plateau_needs_an_evaluation():
    with pytest.raises(ConfigurationError, match="reduce_lr_on_plateau requires an eval strategy"):
        parse("--scheduler", "plateau", "--eval_strategy", "no")


def test_the_smoke_test_needs_no_folder():
    assert GlossTrainingArguments(smoke_test=True, use_cpu=True).smoke_test
