"""Signals: the first one is remembered, a second Ctrl-C stops at once, loading processes leave both to the run."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from run_factories import gloss_model, gloss_report, gloss_trainer, largest_difference, weights_of
from transformers import TrainerCallback

from hf_slt.training import interruption
from hf_slt.training.checkpoints import SAVING, checkpoints_of, damage_of
from hf_slt.training.interruption import Interrupted, StopSignal, ignore_stop_signals, shield_workers

# A run that leaves while its loader's processes are still at work, as one does that is stopped or has an error.
_LEAVING = """
import sys, torch
from hf_slt.training.interruption import shield_workers
loader = shield_workers(torch.utils.data.DataLoader(range(1000), num_workers=2))
if __name__ == "__main__":
    iterator = iter(loader)
    next(iterator)
    for worker in iterator._workers:
        print(worker.pid, flush=True)
    {then}
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return gloss_report(tmp_path_factory.mktemp("corpus"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_remembered_and_what_comes_soon_after_is_the_same_one(number):
    before, stop = signal.getsignal(number), StopSignal()
    with stop.listen():
        for other in (number, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), other)
            assert stop.number == number
    assert signal.getsignal(number) is before


def test_a_second_interrupt_after_a_while_stops_at_once(monkeypatch):
    monkeypatch.setattr(interruption, "IMPATIENCE", 0.0)
    stop = StopSignal()
    with pytest.raises(Interrupted) as stopped, stop.listen():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)  # asks for what the run does already
        assert stop.number == signal.SIGINT
        os.kill(os.getpid(), signal.SIGINT)
    assert stopped.value.code == 130 and "stopped at once by a second Ctrl-C" in stopped.value.message


def test_no_signals_are_caught_outside_of_the_main_thread():
    seen = []

    def listen():
        with StopSignal().listen():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [before]


class Kill(TrainerCallback):
    """Sends signals to this process at events of a run."""

    def __init__(self, event, count, times=1, number=signal.SIGTERM):
        self.left = count

        def act(args, state, control, **kwargs):
            self.left -= 1
            if self.left == 0:
                for _ in range(times):
                    os.kill(os.getpid(), number)

        setattr(self, event, act)


@pytest.fixture(scope="module")
def whole(report, tmp_path_factory):
    """A run that nobody stopped."""
    trainer = gloss_trainer(report, tmp_path_factory.mktemp("whole"), gloss_model(0.2), **STEPS)
    trainer.train()
    return trainer


STEPS = {"save_strategy": "steps", "eval_strategy": "steps", "save_steps": 3, "eval_steps": 3, "num_train_epochs": 3}


@pytest.mark.parametrize(("event", "step"), [("on_step_begin", 2), ("on_step_end", 6), ("on_epoch_end", 4)])
def test_a_run_that_is_asked_to_stop_saves_where_it_is(report, whole, tmp_path, event, step):
    count = 1 if event == "on_epoch_end" else step
    trainer = gloss_trainer(report, tmp_path, gloss_model(0.2), callbacks=[Kill(event, count)], **STEPS)
    with pytest.raises(Interrupted) as stopped:
        trainer.train()
    assert stopped.value.code == 143
    saved = tmp_path / f"checkpoint-{step}"
    assert checkpoints_of(tmp_path)[0] == saved and damage_of(saved) is None
    assert stopped.value.message == (
        f"stopped by a signal after step {step}; {saved} is saved: the same command with --resume goes on"
    )
    resumed = gloss_trainer(report, tmp_path, gloss_model(0.2), **STEPS)
    resumed.train(resume_from_checkpoint=str(saved))
    assert largest_difference(weights_of(resumed.model), weights_of(whole.model)) == 0
    assert (tmp_path / "train_log.csv").read_text() == whole.args.log_file.read_text()


def test_a_run_that_is_stopped_behind_its_last_step_says_so(report, tmp_path):
    trainer = gloss_trainer(report, tmp_path, callbacks=[Kill("on_train_end", 1)], **STEPS)
    with pytest.raises(Interrupted) as stopped:
        trainer.train()
    assert stopped.value.code == 143 and "when all was trained" in stopped.value.message


def test_a_second_interrupt_stops_a_run_at_once(report, tmp_path, monkeypatch):
    monkeypatch.setattr(interruption, "IMPATIENCE", 0.0)
    kill = Kill("on_step_begin", 5, times=2, number=signal.SIGINT)
    trainer = gloss_trainer(report, tmp_path, callbacks=[kill], **STEPS)
    with pytest.raises(Interrupted, match="130"):
        trainer.train()
    assert [path.name for path in checkpoints_of(tmp_path)] == ["checkpoint-3"]


def test_a_second_interrupt_while_a_checkpoint_is_written_leaves_no_half_one(report, tmp_path, monkeypatch):
    monkeypatch.setattr(interruption, "IMPATIENCE", 0.0)
    trainer = gloss_trainer(report, tmp_path, **STEPS)
    save, calls = torch.save, []

    def killing(*args, **kwargs):
        calls.append(args)
        save(*args, **kwargs)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(torch, "save", killing)
    with pytest.raises(Interrupted):
        trainer.train()
    assert not checkpoints_of(tmp_path) and (tmp_path / SAVING).is_dir()
    monkeypatch.undo()
    gloss_trainer(report, tmp_path, **STEPS).train()
    assert not (tmp_path / SAVING).exists() and len(checkpoints_of(tmp_path)) == 2


def run_leaving(then):
    program = _LEAVING.format(then=then)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=30, check=False
    )
    return done, [int(line) for line in done.stdout.split()]


LEAVE = "sys.exit(7)"
SIGNALLED = "import os, signal; [os.kill(w.pid, signal.{}) for w in iterator._workers]; next(iterator); sys.exit(7)"


@pytest.mark.parametrize("then", [LEAVE, "sys.iterator = iterator; raise SystemExit(7)"])
def test_a_run_that_leaves_takes_the_processes_that_read_with_it(then):
    done, workers = run_leaving(then)
    assert done.returncode == 7 and len(workers) == 2, done.stderr
    assert not any(os.path.exists(f"/proc/{worker}") for worker in workers)


def test_signals_of_others_do_not_end_the_processes_that_read():
    program = """
        import os, signal, subprocess
        for name in ("TERM", "INT"):
            for worker in iterator._workers:
                subprocess.run(["kill", f"-{name}", str(worker.pid)], check=True)
        assert len(list(iterator)) == 999 and not any(worker.exitcode for worker in iterator._workers)
        sys.exit(7)"""
    done, _ = run_leaving("\n    ".join(line[8:] for line in program.strip("\n").splitlines()))
    assert done.returncode == 7, done.stderr


def test_a_loader_is_shielded_once_and_keeps_its_own_start(monkeypatch):
    started = []
    loader = torch.utils.data.DataLoader(range(2), worker_init_fn=started.append)
    assert shield_workers(shield_workers(loader)) is loader
    assert loader.worker_init_fn.func is ignore_stop_signals and loader.worker_init_fn.args == (started.append,)
    monkeypatch.setattr(signal, "signal", lambda *args: None)
    monkeypatch.setattr(signal, "pthread_sigmask", lambda *args: None)
    monkeypatch.setattr(threading.Thread, "start", lambda self: None)
    loader.worker_init_fn(3)
    assert started == [3]


def test_all_loaders_of_a_run_are_shielded(report, tmp_path):
    trainer = gloss_trainer(report, tmp_path, dataloader_num_workers=1)
    data = trainer.eval_dataset
    loaders = [trainer.get_train_dataloader(), trainer.get_eval_dataloader(), trainer.get_test_dataloader(data)]
    assert all(loader.worker_init_fn.func is ignore_stop_signals for loader in loaders)


def test_workers_that_stay_alive_draw_no_number_of_the_training(report, tmp_path):
    """They start once a run, and once more in a run that is resumed."""
    trainer = gloss_trainer(report, tmp_path, dataloader_num_workers=1, dataloader_persistent_workers=True)
    for loader in (trainer.get_train_dataloader(), trainer.get_eval_dataloader()):
        before = torch.get_rng_state()
        next(iter(loader))
        assert torch.equal(torch.get_rng_state(), before)
