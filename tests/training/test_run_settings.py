"""What the flags of a run become: precision, device, logs, conflicts, subsets, compilation."""

import logging
import os
from dataclasses import fields

import datasets
import pytest
import torch
from run_factories import gloss_model, gloss_report, gloss_trainer, largest_difference, weights_of
from safetensors.torch import load_file

from hf_slt.errors import ConfigurationError
from hf_slt.training import run_settings
from hf_slt.training.gloss_training_arguments import GlossTrainingArguments
from hf_slt.training.run_settings import amp_dtype
from hf_slt.training.train_gloss import take_gloss_subset
from hf_slt.training.train_slt import take_subset
from hf_slt.training.training_arguments import SltTrainingArguments

FIELDS = {field.name for field in fields(SltTrainingArguments)}  # of some versions of transformers more than of others


@pytest.fixture(autouse=True)
def _environment_of_this_process(monkeypatch):
    for name in ("ACCELERATE_MIXED_PRECISION", "ACCELERATE_DYNAMO_BACKEND", "ACCELERATE_DYNAMO_MODE"):
        monkeypatch.setenv(name, "no")  # transformers leaves its choices there; they are put back


def arguments(kind=SltTrainingArguments, **options):
    return kind(output_dir="R", **options)


class Device:
    """Flags of a run on a machine that is not this one: settings alone, before transformers looks at the device."""

    def __init__(self, monkeypatch, gpu=False, gpu_bf16=True, amx=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: gpu_bf16)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)

    def settle(self, **options):
        args = object.__new__(SltTrainingArguments)
        for name, field in SltTrainingArguments.__dataclass_fields__.items():
            setattr(args, name, field.default if field.default_factory is MISSING else None)
        for name, value in {"output_dir": "R", **options}.items():
            setattr(args, name, value)
        args.apply_run_flags()
        return args.bf16, args.fp16, args.use_cpu


MISSING = SltTrainingArguments.__dataclass_fields__["output_dir"].default_factory
# machine, flags -> bf16, fp16, use_cpu
PRECISIONS = [
    ({}, {}, (False, False, False)),
    ({}, {"precision": "fp32"}, (False, False, False)),
    ({}, {"precision": "amp"}, (False, False, False)),
    ({"amx": True}, {"precision": "amp"}, (True, False, True)),
    ({}, {"precision": "bf16"}, (True, False, True)),
    ({}, {"run_device": "cpu", "precision": "float32"}, (False, False, True)),
    ({"gpu": True}, {"precision": "amp"}, (True, False, False)),
    ({"gpu": True, "gpu_bf16": False}, {"precision": "amp"}, (False, True, False)),
    ({"gpu": True}, {"precision": "bf16", "run_device": "cuda"}, (True, False, False)),
    ({"gpu": True, "gpu_bf16": False}, {"precision": "bf16", "run_device": "cpu"}, (True, False, True)),
    ({"gpu": True, "amx": True}, {"precision": "amp", "run_device": "cpu"}, (True, False, True)),
    ({"gpu": True}, {"precision": "amp", "run_device": "cpu"}, (False, False, True)),
    ({"gpu": True}, {"precision": "amp", "fp16": True}, (False, True, False)),
]


@pytest.mark.parametrize(("machine", "flags", "expected"), PRECISIONS)
def test_precision_and_device(monkeypatch, caplog, machine, flags, expected):
    assert Device(monkeypatch, **machine).settle(**flags) == expected
    slow = flags.get("precision") == "amp" and not any(expected[:2])
    assert ("no fast bf16 or fp16; the run is in fp32" in caplog.text) is slow


def test_bf16_on_a_gpu_without_it(monkeypatch):
    with pytest.raises(ConfigurationError, match="expected a GPU with bf16 for --precision bf16, found an older one"):
        Device(monkeypatch, gpu=True, gpu_bf16=False).settle(precision="bf16")


def test_mixed_precision_that_pays(monkeypatch):
    Device(monkeypatch, amx=True)
    assert (amp_dtype(on_gpu=False), amp_dtype(on_gpu=True)) == ("bf16", "bf16")
    Device(monkeypatch, gpu_bf16=False)
    assert (amp_dtype(on_gpu=False), amp_dtype(on_gpu=True)) == (None, "fp16")


def test_a_run_in_mixed_precision_on_this_cpu(tmp_path_factory, tmp_path):
    report = gloss_report(tmp_path_factory.mktemp("corpus"), clips_per_gloss=3)
    trainer = gloss_trainer(report, tmp_path, precision="bf16", max_steps=2, eval_strategy="no", save_strategy="no")
    assert trainer.accelerator.mixed_precision == "bf16"
    seen = []
    trainer.model.embedding.register_forward_hook(
        lambda module, args, outputs: seen.append(torch.is_autocast_enabled("cpu"))
    )
    assert trainer.train().training_loss > 0 and all(seen) and len(seen) == 2
    assert {value.dtype for value in trainer.model.state_dict().values()} == {torch.float32}


CONFLICTS = [
    ({"resume_from_checkpoint": "true", "init_checkpoint": "W"}, "expected one of --resume .* and --init-checkpoint"),
    ({"allow_partial_init": 0.5}, "expected --init-checkpoint with --allow-partial-init, found none"),
    ({"precision": "fp32", "bf16": True}, "expected one of --precision fp32 and --bf16, found both; leave one out"),
    ({"precision": "bf16", "fp16": True}, "expected one of --precision bf16 and --fp16, found both"),
    ({"precision": "fp8"}, r"expected --precision out of \['fp32', 'float32', 'bf16', 'amp'\], found 'fp8'"),
    ({"run_device": "tpu"}, r"expected --device out of \['auto', 'cpu', 'cuda'\], found 'tpu'"),
    ({"run_device": "cuda"}, "expected a GPU for --device cuda, found none; leave it out, or --device cpu"),
    ({"early_stop": 2, "eval_strategy": "no"}, "expected an --eval_strategy with --early-stop 2, found 'no'"),
    ({"lr_scheduler_type": "plateau", "warmup_epochs": 1}, "expected no --warmup-epochs with --scheduler plateau"),
    ({"report_to": "tensorbord"}, r"found 'tensorbord' \(did you mean 'tensorboard'\?\)"),
    ({"report_to": ["wandb", "zzz"]}, r"found 'zzz'; there are \["),
    ({"optimizer": "RAdm"}, "did you mean RAdam"),
    ({"gradient_accumulation_steps": 0}, "--gradient-accumulation-steps of 1 or more, found 0"),
    ({"subset_size": 0}, "--subset-size of 1 or more, found 0"),
    ({"label_smoothing_factor": 1.5}, r"--label-smoothing-factor in \[0, 1\], found 1.5"),
]


@pytest.mark.parametrize("kind", [SltTrainingArguments, GlossTrainingArguments])
@pytest.mark.parametrize(("flags", "message"), CONFLICTS)
def test_flags_that_cannot_work(monkeypatch, kind, flags, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match=message):
        arguments(kind, **flags)


def test_all_conflicts_come_out_at_once(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError) as error:
        arguments(run_device="cuda", precision="fp8", report_to="tensorbord", allow_partial_init=1)
    assert all(part in str(error.value) for part in ("--device cuda", "'fp8'", "'tensorbord'", "--allow-partial-init"))


def test_cuda_and_cpu_exclude_each_other(monkeypatch):
    with pytest.raises(ConfigurationError, match="expected one of --device cuda and --use_cpu, found both"):
        Device(monkeypatch, gpu=True).settle(run_device="cuda", use_cpu=True)


def test_tensorboard_without_its_library(monkeypatch, caplog):
    find = run_settings.importlib.util.find_spec
    monkeypatch.setattr(
        run_settings.importlib.util, "find_spec", lambda name, *a: None if "tensorboard" in name else find(name, *a)
    )
    args = arguments(tensorboard="true")
    assert "--tensorboard: the library is not installed (pip install 'hf_slt[tensorboard]')" in caplog.text
    assert args.report_to == [] or args.report_to == ["none"]


@pytest.mark.parametrize(
    ("flags", "libraries", "folder"),
    [
        ({"tensorboard": "true"}, ["tensorboard"], "R/runs"),
        ({"tensorboard": "logs"}, ["tensorboard"], "logs"),
        *([({"tensorboard": "TRUE", "logging_dir": "L"}, ["tensorboard"], "L")] if "logging_dir" in FIELDS else []),
        ({"tensorboard": "logs", "report_to": "wandb"}, ["tensorboard", "wandb"], "logs"),
        ({"tensorboard": "false"}, [], None),
        ({}, [], None),
    ],
)
def test_tensorboard_with_its_library(monkeypatch, caplog, flags, libraries, folder):
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "of an earlier run")
    find = run_settings.importlib.util.find_spec
    monkeypatch.setattr(
        run_settings.importlib.util,
        "find_spec",
        lambda name, *a: name if name in ("tensorboard", "wandb") else find(name, *a),
    )
    with caplog.at_level(logging.WARNING):
        args = arguments(**flags)
    assert sorted(args.report_to) == libraries and "--tensorboard" not in caplog.text
    assert folder is None or args.logging_dir == os.environ["TENSORBOARD_LOGGING_DIR"] == folder


def test_a_library_to_report_to_has_to_be_there(monkeypatch):
    monkeypatch.setattr(run_settings.importlib.util, "find_spec", lambda name, *a: None)
    for name in ("wandb", "tensorboard"):
        with pytest.raises(ConfigurationError, match=f"expected the package of --report_to {name} to be installed"):
            arguments(report_to=name)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        *([({"group_by_length": True}, "expected --group_by_length false")] if "group_by_length" in FIELDS else []),
        ({"batch_eval_metrics": True}, "expected --batch_eval_metrics false"),
        ({"prediction_loss_only": True}, "expected --prediction_loss_only false"),
        (
            {"optimizer": "sgd", "optim": "adafactor"},
            "expected one of --optimizer sgd and --optim adafactor, found both",
        ),
        ({"warmup_steps": 4, "warmup_epochs": 0.0}, "expected --warmup_steps or --warmup-epochs, found 4 and 0.0"),
        ({"amp": True, "precision": "fp32"}, "expected one of --amp and --precision fp32"),
    ],
)
def test_flags_of_huggingface_that_cannot_work_here(flags, message):
    with pytest.raises(ConfigurationError, match=message):
        arguments(**flags)


def test_nothing_is_the_best_without_evaluations():
    assert arguments().load_best_model_at_end and not arguments(eval_strategy="no").load_best_model_at_end


@pytest.mark.parametrize(("metric", "greater"), [("eval_loss", False), ("eval_bleu", True), ("cer", False)])
def test_which_scores_are_better(metric, greater):
    assert arguments(metric_for_best_model=metric).greater_is_better is greater
    plateau = arguments(metric_for_best_model=metric, lr_scheduler_type="plateau", scheduler_factor=0.3)
    expected = {"mode": "max" if greater else "min", "patience": 5, "factor": 0.3}
    assert plateau.lr_scheduler_kwargs == expected


# --- subsets ---


def test_a_subset_of_translation_clips():
    rows = {"train": range(50), "validation": range(100, 110), "test": range(200, 230)}
    corpus = datasets.DatasetDict({s: datasets.Dataset.from_dict({"video_id": list(r)}) for s, r in rows.items()})
    assert take_subset(corpus, None, 0) is corpus
    taken = take_subset(corpus, 12, 7)
    assert {split: len(data) for split, data in taken.items()} == {"train": 12, "validation": 10, "test": 30}
    train = taken["train"]["video_id"][:]
    assert train == sorted(set(train)) and train == take_subset(corpus, 12, 7)["train"]["video_id"][:]
    assert train != take_subset(corpus, 12, 8)["train"]["video_id"][:] and train != list(range(12))
    assert taken["test"]["video_id"][:] == list(range(200, 230))


def test_a_subset_of_gloss_clips(tmp_path):
    def files(size, seed):
        report = gloss_report(tmp_path)
        take_gloss_subset(report, size, seed)
        return {split: [row.file for row in rows] for split, rows in report.rows.items()}

    everything = files(None, 0)
    assert {split: len(rows) for split, rows in everything.items()} == {"train": 16, "validation": 4, "test": 4}
    taken = files(3, 7)
    assert {split: len(rows) for split, rows in taken.items()} == {"train": 3, "validation": 3, "test": 4}
    assert taken == files(3, 7) and taken["train"] != files(3, 8)["train"]
    assert taken["test"] == everything["test"]
    assert all([f for f in everything[split] if f in kept] == kept for split, kept in taken.items())  # in their order


# --- compilation ---


def test_a_compiled_model_is_saved_under_its_own_names(tmp_path_factory, tmp_path):
    report = gloss_report(tmp_path_factory.mktemp("corpus"), clips_per_gloss=3)
    run = {"num_train_epochs": 2, "eval_strategy": "epoch"}
    plain = gloss_trainer(report, tmp_path / "plain", **run)
    compiled = gloss_trainer(report, tmp_path / "run", torch_compile=True, torch_compile_backend="eager", **run)
    for trainer in (plain, compiled):
        trainer.train()
        trainer.save_model()
    stored = load_file(tmp_path / "run" / "model.safetensors")
    assert stored.keys() == gloss_model().state_dict().keys()
    assert largest_difference(stored, weights_of(plain.model)) < 1e-6
    assert load_file(tmp_path / "run" / "checkpoint-2" / "model.safetensors").keys() == stored.keys()
    resumed = gloss_trainer(report, tmp_path / "run", torch_compile=True, torch_compile_backend="eager", **run)
    resumed.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-1"))
    assert largest_difference(weights_of(resumed.model), stored) < 1e-6
