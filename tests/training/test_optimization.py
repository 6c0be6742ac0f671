"""Optimizers and learning-rate schedules of a run, also of a resumed one."""

import re

import pytest
import torch
from run_factories import (
    gloss_model,
    gloss_report,
    gloss_trainer,
    translation_parts,
    translation_trainer,
)
from torch.optim import lr_scheduler
from transformers import TrainerCallback

from hf_slt.errors import ConfigurationError
from hf_slt.training.optimization import cosine_annealing, optimizer_arguments, step_decay, warmup_factor
from hf_slt.training.run_settings import find_optimizer

NONE = {"eval_strategy": "no", "save_strategy": "no"}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return gloss_report(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return translation_parts(tmp_path_factory.mktemp("corpus"), clips=2)


class OwnOptimizer(torch.optim.SGD):
    """An optimizer of a person's own."""


# --- optimizers ---


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adamw_torch", ("adamw_torch", None)),
        ("adafactor", ("adafactor", None)),
        ("sgd", ("sgd", None)),
        ("AdamW", ("adamw_torch", None)),
        ("adamw", ("adamw_torch", None)),
        ("SGD", ("default", torch.optim.SGD)),
        ("radam", ("default", torch.optim.RAdam)),
        ("RADAM", ("default", torch.optim.RAdam)),
        ("NAdam", ("default", torch.optim.NAdam)),
        ("torch.optim.Adamax", ("default", torch.optim.Adamax)),
        ("test_optimization.OwnOptimizer", ("default", OwnOptimizer)),
    ],
)
def test_every_form_of_an_optimizers_name(name, expected):
    found = find_optimizer(name, "default")
    assert (found[0], found[1] and found[1].__name__) == (expected[0], expected[1] and expected[1].__name__)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("RAdm", "found 'RAdm'; did you mean RAdam"),
        ("adamw_toch", "did you mean adamw_torch"),
        ("zzz", r"found 'zzz'; HuggingFace has \['adamw_torch'.*torch.optim \['ASGD'"),
        ("Optimizer", "did you mean|HuggingFace has"),
        ("LBFGS", "found LBFGS, which evaluates the loss several times a step"),
        ("sparseadam", "found SparseAdam, which takes sparse gradients only"),
        ("no.such.Thing", "expected --optimizer no.such.Thing to import, found: No module named 'no'"),
        ("torch.optim.Thing", "to import, found: module 'torch.optim' has no attribute 'Thing'"),
        ("torch.nn.Linear", "expected a torch.optim.Optimizer in --optimizer, found torch.nn.Linear"),
    ],
)
def test_optimizers_that_cannot_work(name, message):
    with pytest.raises(ConfigurationError, match=message):
        find_optimizer(name, "default")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, {}),
        ("", {}),
        ("momentum=0.9, nesterov=true", {"momentum": 0.9, "nesterov": True}),
        ("eps=1e-8,amsgrad=false,foreach=null", {"eps": 1e-8, "amsgrad": False, "foreach": None}),
        ("betas=[0.9,0.95],eps=1e-6", {"betas": [0.9, 0.95], "eps": 1e-6}),
        ("betas=(0.9,1e-1)", {"betas": [0.9, 0.1]}),
        ("name=text", {"name": "text"}),
    ],
)
def test_arguments_of_an_optimizer(text, expected):
    assert optimizer_arguments(text) == expected


@pytest.mark.parametrize("text", ["momentum", "momentum=", "=0.9", "a=1,b", "betas=[0.9", "a={"])
def test_arguments_that_are_none(text):
    with pytest.raises(
        ConfigurationError, match=re.escape(f"expected --optim-args name=value,name=value, found '{text}'")
    ):
        optimizer_arguments(text)


def created(report, folder, **options):
    trainer = gloss_trainer(report, folder, **NONE, **options)
    return trainer.create_optimizer()


@pytest.mark.parametrize("name", ["sgd", "SGD", "torch.optim.SGD", "test_optimization.OwnOptimizer"])
def test_arguments_reach_the_optimizer_however_it_is_named(report, tmp_path, name):
    optimizer = created(report, tmp_path, optimizer=name, optim_args="momentum=0.9,nesterov=true", weight_decay=0.1)
    groups = optimizer.param_groups
    assert isinstance(optimizer, torch.optim.SGD)
    assert [(g["lr"], g["momentum"], g["nesterov"]) for g in groups] == [(0.01, 0.9, True)] * 2
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]


def test_the_default_optimizer(report, tmp_path):
    optimizer = created(report, tmp_path, optim_args="eps=1e-4", adam_beta2=0.9)
    assert type(optimizer) is torch.optim.AdamW
    assert [(g["betas"], g["eps"]) for g in optimizer.param_groups] == [((0.9, 0.9), 1e-4)] * 2
    (model,) = [gloss_model()]
    sizes = [sum(p.numel() for p in group["params"]) for group in optimizer.param_groups]
    assert sum(sizes) == sum(p.numel() for p in model.parameters()) and min(sizes) > 0


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("radam", "momentum=0.9", "takes these arguments, found radam: .*unexpected keyword argument 'momentum'"),
        ("sgd", "momentun=0.9", "found sgd: .*unexpected keyword argument 'momentun'"),
        ("SGD", "momentum=-1", "found SGD: Invalid momentum value"),
        (None, "nesterov=true", "found adamw_torch(_fused)?: .*unexpected keyword argument 'nesterov'"),
        ("SGD", "momentum", "^expected --optim-args name=value"),
        ("sgd", "momentum", "^expected --optim-args name=value"),
    ],
)
def test_an_optimizer_that_refuses_its_arguments(report, tmp_path, name, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        created(report, tmp_path, optimizer=name, optim_args=arguments)


@pytest.mark.parametrize("name", ["adagrad", "Rprop", "adafactor", "NAdam", "rmsprop"])
def test_other_optimizers_train(report, tmp_path, name):
    trainer = gloss_trainer(report, tmp_path, optimizer=name, max_steps=2, **NONE)
    before = {n: p.clone() for n, p in trainer.model.state_dict().items()}
    trainer.train()
    assert any(not torch.equal(before[n], p) for n, p in trainer.model.state_dict().items())


def test_encoder_and_decoder_have_rates_of_their_own(parts, tmp_path):
    rates = {"learning_rate": 1e-2, "weight_decay": 0.1}
    for given in ({"lr_encoder": 1e-4}, {"lr_decoder": 1e-3}, {"lr_encoder": 1e-4, "lr_decoder": 0.0}):
        trainer = translation_trainer(parts, tmp_path, **rates, **given)
        groups = trainer.create_optimizer().param_groups
        plain = translation_trainer(parts, tmp_path, **rates).create_optimizer().param_groups
        names = {id(p): name for name, p in trainer.model.named_parameters() if p.requires_grad}
        found = [(names[id(p)], group["lr"], group["weight_decay"]) for group in groups for p in group["params"]]
        assert len(found) == len({name for name, *_ in found}) == len(names)  # each in one group
        assert {rate for name, rate, _ in found if name.startswith("text_model.")} == {given.get("lr_decoder", 1e-2)}
        assert {rate for name, rate, _ in found if not name.startswith("text_model.")} == {
            given.get("lr_encoder", 1e-2)
        }
        decayed = sum(p.numel() for group in groups if group["weight_decay"] for p in group["params"])
        assert decayed == sum(p.numel() for group in plain if group["weight_decay"] for p in group["params"])
        assert {group["weight_decay"] for group in groups} == {0.0, 0.1}


def test_a_schedule_scales_each_rate(parts, tmp_path):
    rates = {"learning_rate": 1e-2, "lr_encoder": 1e-4, "lr_scheduler_type": "steplr", "scheduler_step_size": 2}
    trainer = translation_trainer(parts, tmp_path, scheduler_gamma=0.1, num_train_epochs=5, **rates)
    log = Rates()
    trainer.add_callback(log)
    trainer.train()
    factors = [1, 1, 0.1, 0.1, 0.01]
    assert [max(rates) for rates in log.rates] == pytest.approx([1e-2 * factor for factor in factors])
    assert [min(rates) for rates in log.rates] == pytest.approx([1e-4 * factor for factor in factors])


# --- schedules: 4 steps an epoch ---


class Rates(TrainerCallback):
    """Remembers the learning rates with which each step is made."""

    def __init__(self):
        self.rates = []

    def on_pre_optimizer_step(self, args, state, control, optimizer=None, **kwargs):
        self.rates.append([group["lr"] for group in optimizer.param_groups])


def rates_of(report, folder, resume=None, **options):
    log = Rates()
    values = {"num_train_epochs": 6, "learning_rate": 0.1, **NONE, **options}
    trainer = gloss_trainer(report, folder, callbacks=[log], **values)
    trainer.train(resume_from_checkpoint=resume)
    return [rates[0] for rates in log.rates]


def of_torch(schedule, epochs=6):
    """Return the rates of a schedule of torch that is stepped once an epoch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler, rates = schedule(optimizer), []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_schedules_of_torch_at_the_borders_of_epochs(report, tmp_path):
    steplr = rates_of(report, tmp_path, lr_scheduler_type="steplr", scheduler_step_size=2, scheduler_gamma=0.5)
    expected = of_torch(lambda o: lr_scheduler.StepLR(o, 2, 0.5))
    assert steplr == pytest.approx([rate for rate in expected for _ in range(4)])
    tmax = rates_of(report, tmp_path, lr_scheduler_type="cosine", scheduler_tmax=4, warmup_ratio=0.0)
    assert tmax[::4] == pytest.approx(of_torch(lambda o: lr_scheduler.CosineAnnealingLR(o, 4)), abs=1e-9)
    assert tmax[5 * 4] > tmax[4 * 4]  # it rises again
    cosine = rates_of(report, tmp_path, lr_scheduler_type="cosine", warmup_ratio=0.0)
    assert cosine[::4] == pytest.approx(of_torch(lambda o: lr_scheduler.CosineAnnealingLR(o, 6)), abs=1e-9)
    assert rates_of(report, tmp_path, lr_scheduler_type="none", warmup_ratio=0.5) == pytest.approx([0.1] * 24)


@pytest.mark.parametrize("name", ["none", "steplr", "linear", "cosine", "warmup_cosine", "polynomial"])
def test_warm_up_in_epochs(report, tmp_path, name):
    options = {"lr_scheduler_type": name, "warmup_epochs": 1.5, "scheduler_tmax": 4 if name == "cosine" else None}
    rates = rates_of(report, tmp_path, **options)
    assert rates[:7] == pytest.approx([0.1 * step / 6 for step in range(7)])
    assert rates[7] <= 0.1 and (rates[-1] == pytest.approx(0.1)) is (name in ("none", "steplr"))


@pytest.mark.parametrize("name", ["linear", "cosine", "warmup_cosine"])
def test_warm_up_as_a_share(report, tmp_path, name):
    rates = rates_of(report, tmp_path, lr_scheduler_type=name, warmup_ratio=0.25)
    assert rates[:7] == pytest.approx([0.1 * step / 6 for step in range(7)])
    without = rates_of(report, tmp_path, lr_scheduler_type=name, warmup_ratio=0.25, warmup_epochs=0)
    assert without[0] == 0.1 and without[-1] < without[12] < 0.1


def test_functions_of_the_step():
    assert [warmup_factor(step, 4) for step in (0, 2, 4, 9)] == [0, 0.5, 1, 1] and warmup_factor(0, 0) == 1
    assert step_decay(7, step_size=3, gamma=0.1) == pytest.approx(0.01)
    assert step_decay(1, step_size=3, gamma=0.1, warmup_steps=2) == 0.5
    assert cosine_annealing(3, period=4, warmup_steps=1) == pytest.approx(0.5)
    assert cosine_annealing(4, period=4) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"lr_scheduler_type": "steplr", "scheduler_step_size": 1.5, "warmup_epochs": 1},
        {"lr_scheduler_type": "cosine", "scheduler_tmax": 3},
        {"lr_scheduler_type": "warmup_cosine"},
        {"lr_scheduler_type": "none", "warmup_epochs": 4},
        {"lr_scheduler_type": "plateau", "scheduler_patience": 0, "eval_strategy": "epoch", "learning_rate": 1e-7},
    ],
)
def test_a_resumed_run_has_the_rates_of_a_whole_one(report, tmp_path, options):
    saving = {"save_strategy": "epoch", "save_total_limit": None, "load_best_model_at_end": False}
    whole = rates_of(report, tmp_path / "whole", **{**saving, **options})
    rest = rates_of(report, tmp_path / "rest", str(tmp_path / "whole" / "checkpoint-12"), **{**saving, **options})
    assert rest == whole[12:] and len(set(whole)) > 2


@pytest.mark.parametrize("name", ["cosine_with_min_lr", "warmup_stable_decay"])
def test_a_schedule_that_lacks_its_arguments(report, tmp_path, name):
    with pytest.raises(ConfigurationError, match=f"expected --lr_scheduler_kwargs that --scheduler {name} takes"):
        rates_of(report, tmp_path, lr_scheduler_type=name)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"optimizer": "sgd"}, "optimizer was AdamW, is SGD; resume with the flags of the run"),
        ({"lr_scheduler_type": "plateau"}, "schedule was LambdaLR, is ReduceLROnPlateau"),
    ],
)
def test_a_run_is_not_resumed_with_another_optimizer_or_schedule(report, tmp_path, other, message):
    saving = {"save_strategy": "epoch", "eval_strategy": "epoch", "num_train_epochs": 1}
    rates_of(report, tmp_path, **saving)
    with pytest.raises(ConfigurationError, match=message):
        rates_of(report, tmp_path, str(tmp_path / "checkpoint-4"), **{**saving, **other})


def test_a_run_is_not_resumed_with_other_groups_of_parameters(parts, tmp_path):
    translation_trainer(parts, tmp_path, save_strategy="epoch", num_train_epochs=1).train()
    other = translation_trainer(parts, tmp_path, lr_encoder=0.1)
    with pytest.raises(
        ConfigurationError, match="checkpoint-1, found another one: .*parameter group.*flags of the run"
    ):
        other.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
